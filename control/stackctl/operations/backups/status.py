"""`stackctl backup status`: how old, how large, how well proven, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stackctl.backup.considered import ahead, of_cluster, past
from stackctl.backup.drilled import last_drill
from stackctl.backup.model import Backup, Status, spelled
from stackctl.backup.protocol import Stored
from stackctl.backup.retention import restorable
from stackctl.engine.runner import Runner
from stackctl.hardware.detect import free_disk, on_one_device
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.backups.expire import Verdict, judge, own_cluster
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.units import Bytes, human

_DAY = timedelta(days=1)
_VERIFY_EACH, _DRILL_EACH = 7 * _DAY, 30 * _DAY


def status_command(request: Request, runner: Runner) -> Result:
    """What there is, as the records say; nothing is read through, nothing is judged by an exit code.

    Where it is known which cluster the stack's data is of, the backups of others only have their number told.
    """
    opened = open_backups(request, runner)
    stored, own = opened.backups.stored(), own_cluster(opened)
    everything = stored.backups()
    backups, verdict = of_cluster(everything, own), judge(stored, opened.settings, own)
    others = [each for each in everything if each not in backups]
    now = datetime.now(UTC)
    beside = stored.folder is not None and on_one_device(stored.folder, opened.engine.data_place()) is True
    advice = [*_advice(backups, others, now), *_expiring(verdict, own)]
    if beside:
        advice.append("set backup.repository to another disk: one failure takes data and backups")
    found = _data(opened, stored, backups, verdict, now)
    data = {**found, "of_others": len(others), "beside_data": beside, "advice": advice}
    rows = [[key.replace("_", " "), _shown(key, value)] for key, value in data.items() if key not in _NESTED]
    lines = [Line(f"next: {sentence}") for sentence in advice] or [Line("nothing to do", "good")]
    return Result(data, [Table(["", "backups"], rows), *lines], opened.recorded.warnings)


_NESTED = ("policy", "advice", "beside_data")


def _data(opened: Opened, stored: Stored, backups: Sequence[Backup], verdict: Verdict, now: datetime) -> dict[str, Any]:
    settings = opened.settings
    known = past(backups, now)
    # By all of them: what a good one is built on may be dated in the future.
    newest = next(reversed(past(restorable(backups), now)), None)
    return {
        "repository": stored.where,
        "backups": len(backups),
        "damaged": sum(backup.status is not Status.OK for backup in backups),
        "bytes": sum(backup.bytes for backup in backups),
        "wal_bytes": stored.wal_bytes(),
        "disk_free_bytes": None if stored.folder is None else free_disk(stored.folder),
        "newest": newest.id if newest else None,
        "age_seconds": max(0, round((now - newest.finished_at).total_seconds())) if newest else None,
        "verified_at": _latest(backup.verified_at for backup in known),
        "drilled_at": _latest(backup.drilled_at for backup in known),
        "drill_failing": drill.failing if (drill := last_drill(known)) else "",
        "expired": len(verdict.retention.expired),
        "expired_bytes": verdict.bytes,
        "policy": {
            "recovery_window_seconds": int(settings.window.total_seconds()),
            "redundancy": settings.redundancy,
            "minimum": settings.minimum,
            "weekly": settings.weekly,
            "monthly": settings.monthly,
        },
    }


def newest_good(backups: Sequence[Backup]) -> Backup | None:
    """The newest backup that can be restored as a whole, None where there is none."""
    return next(reversed(restorable(backups)), None)


def _advice(backups: Sequence[Backup], others: Sequence[Backup], now: datetime) -> Iterator[str]:
    known, good = past(backups, now), past(restorable(backups), now)
    if lacking := _lacking(newest_good(backups), newest_good(others), now):
        yield f"stackctl backup: {lacking}"
    if any(backup.status is not Status.OK for backup in backups):
        yield "stackctl backup verify: a damaged one does not count"
    if good and min(backup.verified_at or backup.finished_at for backup in known) < now - _VERIFY_EACH:
        yield "stackctl backup verify: some were not read through for a week"
    if (drill := last_drill(known)) and drill.failing:
        yield f"stackctl backup drill {drill.backup.id}: the last drill failed: {drill.failing}"
    if good and _drilled_before(known, now - _DRILL_EACH):
        yield "stackctl backup drill: none was restored for a month"


def _expiring(verdict: Verdict, own: str | None) -> Iterator[str]:
    """Where nobody knows of which cluster the stack's data is, it would be refused."""
    if own and (verdict.retention.expired or verdict.wal_files):
        yield f"stackctl backup expire --apply: {human(verdict.bytes)} are past their time"


def _lacking(newest: Backup | None, other: Backup | None, now: datetime) -> str:
    """Why there should be another backup, empty where there need not; `other` is the newest of another cluster."""
    if newest is None and other is not None:
        lost = f"if it took the place of data that was lost: stackctl restore --cluster {other.system}"
        return f"no good one is of the data that is here now; {lost}"
    if newest is None:
        return "there is no good one"
    if ahead(newest, now):
        return f"{newest.id} is dated in the future, and nobody knows how old it is; see first that the clock is right"
    return "the newest is older than a day" if now - newest.finished_at > _DAY else ""


def _drilled_before(backups: Sequence[Backup], edge: datetime) -> bool:
    moments = [backup.drilled_at for backup in backups if backup.drilled_at is not None]
    return not moments or max(moments) < edge


def _latest(moments: Iterator[datetime | None]) -> str | None:
    found = [moment for moment in moments if moment is not None]
    return spelled(max(found)) if found else None


def _shown(key: str, value: Any) -> str:
    if value in (None, ""):
        return "never" if key.endswith("_at") else "-"
    if key.endswith("bytes"):
        return human(Bytes(value))
    return str(timedelta(seconds=value)) if key == "age_seconds" else str(value)
