"""`stackctl backup expire` and `backup keep`: which backups stay, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from stackctl.backup.joined import is_of_dumps
from stackctl.backup.model import Backup
from stackctl.backup.protocol import Stored
from stackctl.backup.repository import Unreadable
from stackctl.backup.retention import Policy, Retention, retain
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, Problem, StackError, Unhealthy, UsageError
from stackctl.operations.archives import known_histories
from stackctl.operations.backup import Opened, backup_data, find, open_backups, working
from stackctl.operations.restoring.present import present_data
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.settings.backup import BackupSettings
from stackctl.units import Bytes, counted, human

_LONGEST_REASON = 200
_UNKNOWN = "nobody can say of which cluster the stack's data is: no server answers, and no control file can be read"


@dataclass(frozen=True)
class Verdict:
    """What stays and what may go: backups, and WAL that none of those that stay needs."""

    retention: Retention
    wal_files: int
    wal_bytes: int

    @property
    def bytes(self) -> Bytes:
        """What goes with it."""
        return Bytes(sum(each.bytes for each in self.retention.expired) + self.wal_bytes)


def policy_of(settings: BackupSettings) -> Policy:
    """The policy that the project file states."""
    return Policy(settings.window, settings.redundancy, settings.minimum, settings.weekly, settings.monthly)


def judge(stored: Stored, settings: BackupSettings, cluster: str | None = None) -> Verdict:
    """Apply the policy to what is there now, of one `cluster`, or of each by itself where that is not known.

    While a backup cannot be read, no WAL goes: it may need it. A dump needs none.
    """
    backups = stored.backups()
    mine = [backup for backup in backups if cluster in (None, backup.system)]
    histories = {system: known_histories(stored.archive(system)) for system in stored.systems()}
    verdict = retain(mine, policy_of(settings), datetime.now(UTC), histories=histories)
    others = {each.id: f"of another cluster ({each.system})" for each in backups if cluster not in (None, each.system)}
    verdict = replace(verdict, reasons={**verdict.reasons, **others})
    may_need = any(not is_of_dumps(entry) for entry in _unread(stored))
    return Verdict(verdict, *((0, 0) if may_need else stored.unneeded(_kept(stored, verdict), cluster)))


def _kept(stored: Stored, verdict: Retention) -> list[Backup]:
    return [backup for backup in stored.backups() if backup.id in verdict.reasons]


def own_cluster(opened: Opened) -> str | None:
    """Of which cluster the stack's data is, None where nobody can tell."""
    state = opened.recorded.state
    try:
        return present_data(opened.engine, state.generations.current).system if state else None
    except StackError:
        return None


def expire_command(request: Request, runner: Runner, note: Note, *, apply: bool, cluster: str | None = None) -> Result:
    """Show what the policy lets go, and why the others stay; with `apply`, delete it.

    Of the stack's own cluster, or of `cluster`: another may belong to a project whose policy is another, or be all that
    is left of data that was lost. Raises Unhealthy where something is to be deleted and neither is known, EngineFailed
    where a record cannot be read just now.
    """
    opened = open_backups(request, runner)
    stored = opened.backups.stored()
    if cluster:
        _refuse_unknown(stored, cluster)
    wanted = cluster or own_cluster(opened)
    if apply and wanted is None:
        raise Unhealthy(f"{_UNKNOWN}: nothing was deleted", hint=_whose(stored))
    if not apply:
        verdict = judge(stored, opened.settings, wanted)
    else:
        with working(opened, "stackctl backup expire", note):
            stored = opened.backups.stored()
            _refuse_unread(stored)
            verdict = judge(stored, opened.settings, wanted)
            going, staying = verdict.retention.expired, _kept(stored, verdict.retention)
            opened.backups.expire(going, staying, wal=verdict.wal_files > 0, cluster=wanted)
    data = {
        "applied": apply,
        "expired": [{"id": backup.id, "bytes": backup.bytes} for backup in verdict.retention.expired],
        "kept": [{"id": identifier, "reason": reason} for identifier, reason in verdict.retention.reasons.items()],
        "wal": {"files": verdict.wal_files, "bytes": verdict.wal_bytes},
        "bytes": verdict.bytes,
    }
    unknown = [] if wanted else [Problem("unknown_cluster", f"{_UNKNOWN}: each is judged by itself", _whose(stored))]
    warnings = (*opened.recorded.warnings, *unknown, *_unreadable(stored))
    return Result(data, _blocks(verdict, applied=apply, known=wanted is not None), warnings)


def _whose(stored: Stored) -> str:
    clusters = ", ".join(sorted(_clusters(stored)))
    which = f"; or --cluster says whose may go: {clusters}" if clusters else ""
    return f"stackctl up, and expire again{which}"


def keep_command(request: Request, runner: Runner, note: Note, identifier: str, reason: str | None) -> Result:
    """Keep a backup whatever the policy says, for a reason; without one, let go of it again."""
    if reason is not None and (not reason.strip() or not reason.isprintable() or len(reason) > _LONGEST_REASON):
        raise UsageError("--reason must be one line of text", hint="--reason 'state before the merger'")
    opened = open_backups(request, runner)
    with working(opened, "stackctl backup keep", note):
        stored = opened.backups.stored()
        backup = replace(find(stored, identifier), kept=(reason or "").strip())
        opened.backups.record(backup)
    said = f"{identifier} is kept: {backup.kept}" if backup.kept else f"{identifier} follows the policy again"
    return Result(backup_data(stored, backup), [Line(said, "good")], opened.recorded.warnings)


def _refuse_unknown(stored: Stored, cluster: str) -> None:
    if cluster not in _clusters(stored):
        raise UsageError(f"no backup is of cluster {cluster}", hint="stackctl backup show ID says of which it is")


def _refuse_unread(stored: Stored) -> None:
    """What is built on a backup whose record cannot be read just now would count for nothing, and go."""
    for entry in _unread(stored):
        if entry.error is not None and not is_of_dumps(entry):
            raise EngineFailed(f"{entry.id}: {entry.reason}: nothing was deleted", hint="mend what is named")


def _clusters(stored: Stored) -> set[str]:
    return {*stored.systems(), *(backup.system for backup in stored.backups())}


def _blocks(verdict: Verdict, *, applied: bool, known: bool) -> list[Block]:
    going = [[backup.id, "deleted" if applied else "would go", ""] for backup in verdict.retention.expired]
    staying = [[identifier, "stays", reason] for identifier, reason in verdict.retention.reasons.items()]
    if not going and not staying and not verdict.wal_files:
        return [Line("no backups yet: stackctl backup")]
    table = Table(["backup", "verdict", "reason"], sorted([*going, *staying]))
    wal = f" and {counted(verdict.wal_files, 'file')} of WAL" if verdict.wal_files else ""
    many = f"{counted(len(going), 'backup')}{wal}, {human(verdict.bytes)}"
    if not going and not wal:
        return [table, Line("nothing to delete", "good")]
    if applied:
        return [table, Line(f"deleted {many}")]
    return [table, Line(f"stackctl backup expire {'' if known else '--cluster SYSTEM '}--apply deletes {many}")]


def _unread(stored: Stored) -> list[Unreadable]:
    return [entry for entry in stored.entries() if isinstance(entry, Unreadable)]


def _unreadable(stored: Stored) -> list[Problem]:
    return [
        Problem(
            "unreadable",
            f"{entry.id}: {entry.reason}",
            f"it is left alone{'' if is_of_dumps(entry) else ', and so is all WAL'}; stackctl backup verify",
        )
        for entry in _unread(stored)
    ]
