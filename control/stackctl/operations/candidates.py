"""How far recovery reaches from each backup."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.backup.gaps import own_segments
from stackctl.backup.model import Backup
from stackctl.backup.named_point import Points, leading
from stackctl.backup.protocol import Stored
from stackctl.backup.restore_plan import Candidate, choose, of_newest_history
from stackctl.backup.tail import reachable
from stackctl.backup.target import Target
from stackctl.backup.wal_name import Lsn
from stackctl.backup.windows import newest_timeline, window
from stackctl.errors import Damaged
from stackctl.settings.pgbackrest import NATIVE


def candidates(stored: Stored, chosen: Sequence[Backup], timeline: int | None = None) -> list[Candidate]:
    """Each backup with its reach along `timeline`, which is None for the newest of each.

    Raises Damaged where its history cannot be read.
    """
    found = []
    for backup in chosen:
        archive = stored.archive(backup.system)
        try:
            wal = reachable(archive, stored.tails().get(backup.system))
        except ValueError as error:
            raise Damaged(f"{archive.place}: {error}", hint="stackctl wal verify names the file") from error
        reach, newest = None, backup.timeline
        there, histories = {*wal.segments, *wal.ends}, wal.histories
        if there and backup.timeline is not None:
            newest = timeline or newest_timeline(histories, there, backup.timeline, backup.wal_stop or Lsn(0))
            # Recovery finds in plain files what the archive lacks of their own time; pgBackRest's hold no WAL.
            own = own_segments(backup) if backup.engine == NATIVE else frozenset()
            reach = window(backup, wal.segments | own, histories, newest, wal.ends)
        found.append(Candidate(backup, reach, newest))
    return found


def leading_to(found: Sequence[Candidate], goal: Target, points: Points) -> Candidate:
    """The newest of `found` that leads to `goal`; for a name, by a look into the WAL, where the engine has it at hand.

    Raises RestoreRefused or WalGap where none does.
    """
    if goal.name is not None and (chosen := leading(found, goal, points)):
        return chosen
    return choose(found, goal)


def present_candidates(stored: Stored, chosen: Sequence[Backup]) -> list[Candidate]:
    """As `candidates`, without those of a history that was left: nobody means them who does not name them."""
    return of_newest_history(candidates(stored, chosen))
