"""Which backup leads to a target, and whether the WAL reaches it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.target import Target
from stackctl.backup.wal_name import Lsn
from stackctl.backup.windows import Window
from stackctl.errors import Damaged, RestoreRefused, WalGap
from stackctl.settings.pgbackrest import NATIVE
from stackctl.units import MIB

# Behind the last record that is whole there may be the begin of one that is not; few records are longer than this.
_RECORD = MIB
# So many windows fit into one sentence; `wal status` shows all of them.
_TOLD = 4


@dataclass(frozen=True)
class Candidate:
    """A backup, how far recovery reaches from it (None where no WAL was archived), and the newest timeline from it."""

    backup: Backup
    window: Window | None
    timeline: int | None = None
    named: bool = False
    """Whether somebody chose it, and so takes what it reaches."""


def of_newest_history(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that lead to the newest timeline of their cluster: the others are of a history that a restore has left."""
    newest: dict[str, int] = {}
    for each in candidates:
        newest[each.backup.system] = max(newest.get(each.backup.system, 0), each.timeline or 0)
    return [each for each in candidates if (each.timeline or 0) == newest[each.backup.system]]


def refuse_several_clusters(backups: Sequence[Backup], how: str = "--backup ID says where to begin") -> None:
    """Raise RestoreRefused where `backups`, usable ones that nobody chose among, are of more than one cluster.

    `how` says what chooses.
    """
    newest = {backup.system: backup for backup in backups}
    if len(newest) > 1:
        said = ", ".join(f"{backup.id} of {system}" for system, backup in sorted(newest.items()))
        raise RestoreRefused(
            f"there are backups of {len(newest)} clusters, and nothing says which one is meant: {said}",
            hint=f"{how}; stackctl backup show ID says of which cluster it is",
        )


def good_ones(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those whose files can be trusted and recovered from."""
    return [each for each in candidates if each.backup.kind is not Kind.LOGICAL and each.backup.status is Status.OK]


def choose(candidates: Sequence[Candidate], target: Target, *, named: bool = False) -> Candidate:
    """The newest good backup from which `target` can be reached, of `candidates`, oldest first.

    `named` is the one that the user named: then the end is where its own WAL ends, at a gap too.

    Raises RestoreRefused where the target is before or behind all of them, WalGap where it lies in a gap.
    """
    good = good_ones(candidates)
    if named and candidates:
        refuse_damaged(candidates[0].backup)
    if not good:
        raise RestoreRefused("there is no good backup to restore", hint="stackctl backup list")
    before = [each for each in good if _is_before(each.backup, target)]
    if not before:
        oldest = good[0].backup
        raise RestoreRefused(
            f"{target} is before the oldest backup, which reaches {spelled(oldest.finished_at)} ({oldest.wal_stop})",
            hint="a target must be later",
        )
    chosen = replace(before[-1], named=named)
    try:
        _refuse_out_of_reach(chosen, target, named)
    except WalGap as error:
        raise WalGap(f"{error}; {_reaching(good)}", hint=error.hint) from error
    return chosen


def refuse_damaged(backup: Backup, below: str = "") -> None:
    """Raise RestoreRefused where a backup is marked damaged, with what found it, when, and what clears the mark.

    `below` is the one that was named, where that is built on it.
    """
    if backup.status is not Status.DAMAGED:
        return
    verified, drilled = backup.verified_at, backup.drill_tried_at
    by_drill = backup.drill_failed or (drilled and backup.drill_failing and (verified is None or verified < drilled))
    found = "its verification found bytes that are not those of the backup"
    if by_drill:
        found = f"its drill found it broken at {backup.drill_failed or backup.drill_failing}"
    moment = drilled if by_drill else verified
    # What only a drill can find, another look at the bytes does not take back.
    clears = "drill" if backup.drill_failed else "verify"
    raise RestoreRefused(
        f"{backup.id}{f', which {below} is built on,' if below else ''} is marked damaged: {found}"
        + (f", on {spelled(moment)}" if moment else ""),
        hint=f"stackctl backup {clears} {backup.id} clears that where it is right again; or leave out --backup",
    )


def _reaching(good: Sequence[Candidate]) -> str:
    """What can be recovered, from the newest backups on."""
    windows = [each.window for each in good if each.window is not None]
    whole = [window for window in windows if window.end >= window.begin][-_TOLD:]
    said = ", ".join(f"{window.begin} to {window.end} from {window.backup}" for window in whole)
    return f"recovery reaches {said}" if said else "recovery reaches nothing"


def _is_before(backup: Backup, target: Target) -> bool:
    if target.time is not None:
        return backup.finished_at <= target.time
    if target.position is not None and backup.wal_stop is not None:
        return backup.wal_stop <= target.position
    return True


def refuse_later(target: Target, reach: Window, last: datetime | None) -> None:
    """Raise where `target` is a time behind the `last` commit that is archived, at which recovery could not stop."""
    if target.time is None or last is None or target.time < last:
        return
    moment = str(Target(time=last))
    if reach.gap is not None:
        raise WalGap(
            f"the archive lacks {reach.gap.name}, and the last commit before it is of {moment}, not behind {target}",
            hint="an earlier target, or a backup behind the gap; stackctl wal status shows what each reaches",
        )
    raise RestoreRefused(
        f"{target} is not before the last archived commit, which is of {moment}", hint="--to latest takes all there is"
    )


def ended_early(chosen: Candidate, target: Target, reached: Lsn) -> str:
    """That recovery to the end stopped before the WAL does, in one sentence; empty where it did not.

    What is damaged in the archive stops recovery with an error. In the tail no checksum of a whole file tells, and
    recovery takes the first record that is not sound for the end; as it does where a server archived such a record.
    """
    reach = chosen.window
    if target != Target() or reach is None or reached.value + _RECORD >= reach.end.value:
        return ""
    return f"recovery ended at {reached}, and the WAL goes on to {reach.end}: what is behind it is damaged"


def refuse_early(chosen: Candidate, target: Target, reached: Lsn) -> None:
    """Raise Damaged where recovery to the end stopped before the WAL does, and nobody named the backup.

    Of plain files that is no more than a warning: what was received may end anywhere.
    """
    early = ended_early(chosen, target, reached)
    if early and not chosen.named and chosen.backup.engine != NATIVE:
        raise Damaged(early, hint=f"--backup {chosen.backup.id} takes what is before it; stackctl wal verify")


def _refuse_out_of_reach(chosen: Candidate, target: Target, named: bool) -> None:
    reach = chosen.window
    wanted = target.time is not None or target.name is not None or target.position is not None
    if reach is None or reach.end < reach.begin:
        if wanted:
            raise WalGap(
                f"{target} needs WAL behind {chosen.backup.id}, and none is archived",
                hint="--to latest, without --backup",
            )
        if reach is not None and chosen.backup.engine != NATIVE:
            raise WalGap(
                f"the archive lacks WAL of the time of {chosen.backup.id}, without which it is of no use",
                hint="restore another backup with --backup; stackctl wal status shows what each reaches",
            )
        return
    if reach.gap is not None and not wanted and not named:
        raise WalGap(
            f"the archive lacks {reach.gap.name}, so recovery from {chosen.backup.id} ends at {reach.end}",
            hint=f"--backup {chosen.backup.id} takes what is before the gap",
        )
    # No record begins at the end.
    if target.position is not None and target.position >= reach.end:
        raise _beyond(target.position, reach)


def _beyond(position: Lsn, reach: Window) -> RestoreRefused | WalGap:
    if reach.gap is not None:
        return WalGap(
            f"the archive lacks {reach.gap.name}, so recovery ends at {reach.end}, before {position}",
            hint="an earlier target, or a backup behind the gap; stackctl wal status shows what each reaches",
        )
    return RestoreRefused(
        f"the archived WAL ends at {reach.end}, before {position}", hint="--to latest takes all there is"
    )
