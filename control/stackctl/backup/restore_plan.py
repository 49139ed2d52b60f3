"""Which backup leads to a target, and whether the WAL reaches it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.target import Target
from stackctl.backup.wal_name import Lsn
from stackctl.backup.windows import Window
from stackctl.errors import RestoreRefused, WalGap


@dataclass(frozen=True)
class Candidate:
    """A backup and how far recovery reaches from it; None where no WAL was archived."""

    backup: Backup
    window: Window | None


def choose(candidates: Sequence[Candidate], target: Target) -> Candidate:
    """The newest good backup from which `target` can be reached, of `candidates`, oldest first.

    Raises RestoreRefused where the target is before or behind all of them, WalGap where it lies in a gap.
    """
    good = [each for each in candidates if each.backup.kind is not Kind.LOGICAL and each.backup.status is Status.OK]
    if not good:
        raise RestoreRefused("there is no good backup to restore", hint="stackctl backup list")
    before = [each for each in good if _is_before(each.backup, target)]
    if not before:
        oldest = good[0].backup
        raise RestoreRefused(
            f"{target} is before the oldest backup, which reaches {spelled(oldest.finished_at)} ({oldest.wal_stop})",
            hint="a target must be later",
        )
    chosen = before[-1]
    _refuse_out_of_reach(chosen, target)
    return chosen


def _is_before(backup: Backup, target: Target) -> bool:
    if target.time is not None:
        return backup.finished_at <= target.time
    if target.position is not None and backup.wal_stop is not None:
        return backup.wal_stop <= target.position
    return True


def _refuse_out_of_reach(chosen: Candidate, target: Target) -> None:
    reach = chosen.window
    wanted = target.time is not None or target.name is not None or target.position is not None
    if reach is None or reach.end < reach.begin:
        if wanted:
            raise WalGap(
                f"{target} needs WAL behind {chosen.backup.id}, and none is archived",
                hint="--to latest, without --backup",
            )
        return
    if target.position is not None and target.position > reach.end:
        raise _beyond(target.position, reach)


def _beyond(position: Lsn, reach: Window) -> RestoreRefused | WalGap:
    if reach.gap is not None:
        return WalGap(
            f"the archive lacks {reach.gap.name}, so recovery ends at {reach.end}, before {position}",
            hint=f"--to lsn:{reach.end} at most; a backup behind the gap reaches further",
        )
    return RestoreRefused(
        f"the archived WAL ends at {reach.end}, before {position}", hint="--to latest takes all there is"
    )
