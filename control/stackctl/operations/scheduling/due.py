"""Which work on backups is due now, and how long to wait after a failure. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.backup.considered import AHEAD, past
from stackctl.backup.model import Backup, Kind, Status
from stackctl.settings.schedule import COMMANDS, Job

HEAL, FULL = "heal", "full"
_LOCKED = 44
# What was found, was found: looking again finds the same.
_FINDINGS: Mapping[str, frozenset[int]] = {"verify": frozenset({41, 43}), "drill": frozenset({41})}
_LOCKED_SECONDS, _FIRST_SECONDS, _MOST_SECONDS = 60.0, 60.0, 3600.0
_NEEDS_ACCEPTED = (FULL, "incremental", HEAL)
# As after the data was lost: a backup of the empty database that a start made would pass for one of the data.
_NEEDS_SAME_DATA = (*_NEEDS_ACCEPTED, "logical", "expire")
# Their records say it; what the scheduler remembers of them would outlive a backup that was lost.
_RECORDED = (FULL, "incremental", "logical")


@dataclass(frozen=True)
class Known:
    """What the decision rests on: records of backups, gaps without a good backup behind them, the past of the loop.

    `done` is when a job was last done, `seen` when it was first scheduled. `undecided` is a restored copy that was not
    accepted. `unhealed` says of gaps that are not in `gaps` why a backup does not heal them now. `lost` is the
    cluster that ran before, where another runs now that has no good backup and it has.
    """

    backups: Sequence[Backup] = ()
    gaps: Sequence[str] = ()
    undecided: bool = False
    done: Mapping[str, datetime] = field(default_factory=dict)
    seen: Mapping[str, datetime] = field(default_factory=dict)
    unhealed: str = ""
    lost: str = ""

    @property
    def holds(self) -> str:
        """What holds work up, as a sentence; empty where nothing does."""
        undecided = "a restored copy waits for a decision: no backup is taken" if self.undecided else ""
        lost = (
            f"the data that runs is not that of cluster {self.lost}, which ran before and has backups: until somebody "
            "takes one of it, none is taken and none expires. If it is right: stackctl backup; if the data of before "
            f"was lost: stackctl restore --cluster {self.lost}"
        )
        return "; ".join(each for each in (undecided, lost if self.lost else "", self.unhealed) if each)


@dataclass(frozen=True)
class Failure:
    """How often a job ended badly since it last ended well, and its last exit code."""

    times: int
    code: int

    @property
    def seconds(self) -> float:
        """Until it is tried again: each minute while another run is at work, else longer each time, up to an hour."""
        if self.code == _LOCKED:
            return _LOCKED_SECONDS
        return min(_FIRST_SECONDS * float(2 ** min(self.times - 1, 10)), _MOST_SECONDS)


@dataclass(frozen=True)
class Task:
    """One command to run now: its words behind `stackctl`, and why."""

    name: str
    words: tuple[str, ...]
    why: str


def tasks(jobs: Sequence[Job], known: Known, now: datetime) -> list[Task]:
    """All that is due at `now`, which has the zone of the machine, in the order in which it is to be done."""
    found: list[Task] = []
    for job in jobs:
        slot = job.last_before(now)
        if slot > _since(job, known, now):
            found.append(Task(job.name, job.command, f"due since {slot:%Y-%m-%d %H:%M}"))
    # A full backup that is due heals as well.
    if known.gaps and FULL not in {task.name for task in found}:
        found.insert(0, Task(HEAL, COMMANDS[FULL], f"the archive lacks {known.gaps[-1]}"))
    refused = (*(_NEEDS_ACCEPTED if known.undecided else ()), *(_NEEDS_SAME_DATA if known.lost else ()))
    return [task for task in found if task.name not in refused]


def ended_well(name: str, code: int) -> bool:
    """Whether a job is over with this exit code: done, or with a finding that is recorded."""
    return code == 0 or code in _FINDINGS.get(name, ())


def done_at(job: Job, backups: Sequence[Backup]) -> datetime | None:
    """When the work of a job was last done, as the records of the backups say; None where they do not."""
    if job.name == "expire":
        return None
    if job.name == "verify":
        # It reads all of them; each is verified also when it is taken.
        read = [backup.verified_at for backup in backups]
        return None if None in read else min((moment for moment in read if moment is not None), default=None)
    if job.name == "drill":
        moments = [backup.drilled_at for backup in backups]
    else:
        # A full backup is as good as an incremental one.
        kinds = {Kind(job.name), Kind.FULL} if job.name == "incremental" else {Kind(job.name)}
        moments = [each.finished_at for each in backups if each.kind in kinds and each.status is Status.OK]
    return max((moment for moment in moments if moment is not None), default=None)


def _since(job: Job, known: Known, now: datetime) -> datetime:
    """The moment from which on the times of a job count: when it was last done, or else could have been first."""
    backups = past(known.backups, now)
    done = [moment for moment in (done_at(job, backups), _remembered(job, known)) if moment and moment <= now + AHEAD]
    if done:
        return max(done)
    return min([backup.started_at for backup in backups] + [known.seen.get(job.name, now)])


def _remembered(job: Job, known: Known) -> datetime | None:
    return None if job.name in _RECORDED else known.done.get(job.name)
