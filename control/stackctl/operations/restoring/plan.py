"""What a restore will do, and whether it can: found out before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stackctl.backup.estimate import Room, Run, by_drills, expected_seconds, needed_bytes
from stackctl.backup.model import Backup, spelled
from stackctl.backup.named_point import Points, nobody_knows
from stackctl.backup.protocol import BackupEngine, Stored
from stackctl.backup.restore_plan import Candidate, choose, refuse_damaged
from stackctl.backup.retention import ancestors, restorable
from stackctl.backup.target import Target, target
from stackctl.backup.wal_name import SEGMENT_SIZE, Lsn, segment_of
from stackctl.engine.base import Note
from stackctl.errors import EngineFailed, RestoreRefused, UsageError
from stackctl.operations.backup import find
from stackctl.operations.candidates import candidates, leading_to, present_candidates
from stackctl.operations.restoring.present import Present, present_data
from stackctl.operations.restoring.rooms import rooms
from stackctl.operations.restoring.runs import measured
from stackctl.operations.result import Line
from stackctl.operations.stack import Prepared
from stackctl.units import Bytes, counted, human


@dataclass(frozen=True)
class Asked:
    """What the user asked for: where to, from which backup, along which timeline, of which cluster."""

    to: str
    backup: str | None = None
    timeline: int | None = None
    cluster: str | None = None


class After(StrEnum):
    """What becomes of the present data."""

    KEPT = "the present data is kept; stackctl restore --undo goes back to it"
    NONE = "there is no data now, so there will be nothing to go back to"
    UNTOUCHED = "the stack and its data are not touched"


@dataclass(frozen=True)
class Plan:
    """A restore. `last` is the last commit that it may hold; `seconds` is what it will take, None before any ran."""

    goal: Target
    chosen: Candidate
    chain: Sequence[Backup]
    wal_files: int
    size: int
    needed: int
    rooms: Sequence[Room]
    seconds: float | None
    last: datetime | None
    made: datetime
    after: After

    @property
    def kept(self) -> bool:
        """Whether there will be data to go back to."""
        return self.after is After.KEPT

    @property
    def timeline(self) -> int | None:
        """The history to follow."""
        return self.chosen.window.timeline if self.chosen.window else self.chosen.backup.timeline

    def as_data(self) -> dict[str, Any]:
        """The plan for `--json`."""
        return {
            "backup": self.chosen.backup.id,
            "chain": [backup.id for backup in self.chain],
            "target": str(self.goal),
            "timeline": self.timeline,
            "wal_files": self.wal_files,
            "expected_seconds": None if self.seconds is None else round(self.seconds, 1),
            "rooms": [asdict(room) for room in self.rooms],
            "lost_after": spelled(self.last) if self.last else None,
            "keeps_present_data": self.after is not After.NONE,
        }

    def lines(self) -> list[str]:
        """The plan for people, one line for each topic."""
        chain = " + ".join(backup.id for backup in self.chain)
        return [
            f"target: {_both(self.goal)}",
            f"from: {chain}, then up to {counted(self.wal_files, 'file')} of WAL along timeline {self.timeline}",
            f"lost: {self._lost()}",
            *(f"disk: {human(Bytes(r.needed))} in {r.path}, {human(Bytes(r.free))} are free" for r in self.rooms),
            "time: not measured yet"
            if self.seconds is None
            else f"time: about {self.seconds:.0f} s, as earlier restores or drills took",
            self.after.value,
        ]

    def shown(self) -> list[Line]:
        """The plan alone, with whether it fits."""
        full = [room.path for room in self.rooms if room.needed > room.free]
        verdict = f"It does not fit: {', '.join(full)} has not the room." if full else "Nothing was changed."
        return [*map(Line, self.lines()), Line(verdict, "bad" if full else "good")]

    def _lost(self) -> str:
        if self.last is None:
            return f"what was committed after {self.goal}" if self.goal != Target() else "what was not archived"
        minutes = (self.made - self.last).total_seconds() / 60
        return f"what was committed after {_moment(self.last)}, {counted(round(minutes, 1), 'minute')} ago"


def refuse_other_engine(prepared: Prepared) -> None:
    """Raise RestoreRefused where the data is on another engine than the stack is to run on."""
    state = prepared.opened.state
    if state is not None and state.engine != prepared.choice.engine:
        raise RestoreRefused(
            f"the data is on the {state.engine} engine, and stackctl.yaml says {prepared.choice.engine}",
            hint="take it out, or let stackctl up move to the other engine first",
        )


def make_plan(prepared: Prepared, backups: BackupEngine, asked: Asked, note: Note, *, reading: bool = True) -> Plan:
    """Choose, and refuse what cannot be. Raises RestoreRefused, WalGap, Damaged or UsageError.

    Without `reading`, which needs PostgreSQL's programs, nobody knows what is in the archived WAL.
    """
    goal, engine = target(asked.to), prepared.engine
    here = present_data(engine, prepared.state.generations.current)
    stored = backups.stored()
    chosen = _chosen(stored, goal, asked, here, backups.points(stored, note) if reading else nobody_knows)
    _refuse_version(chosen.backup, prepared)
    place, runs = engine.data_place(), measured(prepared.opened.project.private)
    last = last_kept(backups if reading else None, stored, chosen, goal, note)
    plan = planned(stored, goal, chosen, last, runs)
    places = rooms(backups.workplace(), place, plan.needed, copies=engine.places().copies())
    return replace(plan, rooms=places, after=After.KEPT if here.there else After.NONE)


def planned(stored: Stored, goal: Target, chosen: Candidate, last: datetime | None, runs: Sequence[Run]) -> Plan:
    """The plan for what was chosen, before it is known where it goes; `last` is the last commit that it may hold."""
    backups_there = stored.backups()
    by_id = {backup.id: backup for backup in backups_there}
    chain = [*reversed(ancestors(chosen.backup, by_id)), chosen.backup]
    for each in chain[:-1]:
        refuse_damaged(each, chosen.backup.id)
    files, size = _wal(chosen, goal), stored.built_bytes(chain)
    needed = needed_bytes(size, files, stored.wal_size(chosen, files))
    seconds = expected_seconds(runs, size, files) if runs else by_drills(backups_there, size)
    return Plan(goal, chosen, chain, files, size, needed, (), seconds, last, datetime.now(UTC), After.UNTOUCHED)


def refuse_other(shown: Plan, now: Plan) -> None:
    """Raise RestoreRefused where the restore is not the one any more that was `shown`; more WAL makes it no other."""
    parts = [(" + ".join(each.id for each in plan.chain), plan.timeline, _end(plan)) for plan in (shown, now)]
    (chain, timeline, end), (new_chain, new_timeline, new_end) = parts
    if chain != new_chain:
        different = f"it would begin with {new_chain}, and not with {chain}"
    elif timeline != new_timeline:
        different = f"it would follow timeline {new_timeline}, and not {timeline}"
    elif new_end < end:
        different = f"the WAL behind {new_end} is not there any more"
    else:
        return
    raise RestoreRefused(
        f"the backups are not as they were when the plan was shown: {different}",
        hint="nothing was changed; stackctl restore shows the new plan",
    )


def _end(plan: Plan) -> Lsn:
    """Where the WAL ends that the restore may read."""
    return plan.chosen.window.end if plan.chosen.window else Lsn(0)


def refuse_full(plan: Plan) -> None:
    """Raise EngineFailed where the candidate does not fit."""
    refuse_full_rooms(plan.rooms)


def refuse_full_rooms(rooms: Sequence[Room], least: str = "") -> None:
    """Raise EngineFailed for the first that lacks room; `least` says so where more may be needed than is asked for."""
    for room in rooms:
        if room.needed > room.free:
            raise EngineFailed(
                f"the restored copy needs {least}{human(Bytes(room.needed))} in {room.path}, "
                f"and {human(Bytes(room.free))} are free there",
                hint="free some space; nothing was changed",
                code="disk_full",
            )


def _chosen(stored: Stored, goal: Target, asked: Asked, here: Present, points: Points) -> Candidate:
    wanted = asked.cluster or here.system
    if here.there and wanted is None:
        raise RestoreRefused(
            "the control file of the present data cannot be read, so that nobody knows of which cluster it is",
            hint="--cluster IDENTIFIER says whose data is to take its place: stackctl backup show ID has it",
        )
    if asked.backup:
        backup = find(stored, asked.backup)
        _refuse_other_cluster(backup, wanted, asked)
        backups = [backup]
    else:
        every = restorable(list(stored.backups()))
        backups = [backup for backup in every if wanted in (None, backup.system)]
        if every and not backups:
            _refuse_other_cluster(every[-1], wanted, asked)
    followed = asked.timeline or asked.backup
    found = candidates(stored, backups, asked.timeline) if followed else present_candidates(stored, backups)
    if asked.timeline is not None:
        found = [each for each in found if each.window is not None and each.window.timeline == asked.timeline]
        if backups and not found:
            raise RestoreRefused(
                f"no backup leads to timeline {asked.timeline}", hint="stackctl wal status shows what each reaches"
            )
    return choose(found, goal, named=True) if asked.backup else leading_to(found, goal, points)


def _refuse_other_cluster(backup: Backup, wanted: str | None, asked: Asked) -> None:
    if wanted in (None, backup.system):
        return
    if asked.cluster:
        raise UsageError(f"no backup is of cluster {asked.cluster}", hint="stackctl backup show ID says of which it is")
    raise RestoreRefused(
        f"{backup.id} is of another cluster ({backup.system}) than the data of this stack ({wanted})",
        hint=f"--cluster {backup.system} says that its data is to take the place of the present data",
    )


def _refuse_version(backup: Backup, prepared: Prepared) -> None:
    mine = prepared.opened.settings.profile.postgres
    if backup.postgres != mine:
        raise RestoreRefused(
            f"{backup.id} is of PostgreSQL {backup.postgres}, and the stack runs {mine}",
            hint=f"restore it with --into, or into a project with --pg {backup.postgres}",
        )


def last_kept(
    backups: BackupEngine | None, stored: Stored, chosen: Candidate, goal: Target, note: Note
) -> datetime | None:
    """The last commit that will be there, as far as it is known before; None reads no WAL. Raises RestoreRefused."""
    if chosen.window is None or (goal.time is None and goal != Target()):
        return None
    last = backups.last_commit(stored, chosen, goal, note) if backups else None
    return goal.time or last


def _wal(chosen: Candidate, goal: Target) -> int:
    """Archived files from the backup's start to the target, at most."""
    backup, reach = chosen.backup, chosen.window
    if reach is None or backup.wal_start is None:
        return 0
    end = min(reach.end, goal.position) if goal.position else reach.end
    return max(0, -(-end.value // SEGMENT_SIZE) - segment_of(0, backup.wal_start).number)


def _both(goal: Target) -> str:
    return _moment(goal.time) if goal.time else str(goal)


def _moment(moment: datetime) -> str:
    """In UTC and as the clock on the wall has it."""
    local = moment.astimezone()
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({local:%Y-%m-%d %H:%M:%S %Z})"
