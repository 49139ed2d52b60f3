"""Build the data that is to take the place of the present data, and prove it, while the stack runs on."""

from __future__ import annotations

import time
from dataclasses import dataclass

from stackctl.backup.inspection import check_pages
from stackctl.backup.proof import Proof, prove
from stackctl.backup.protocol import BackupEngine
from stackctl.backup.restore import Replay, Restored
from stackctl.backup.restore_plan import refuse_early
from stackctl.engine.base import Note, Throwaway
from stackctl.engine.generation import DataPlaces
from stackctl.operations.restoring.plan import Plan


@dataclass(frozen=True)
class Built:
    """A candidate in its place, what was found in it, and how long its parts took, in seconds."""

    restored: Restored
    proof: Proof
    copy_seconds: float
    replay_seconds: float


def build_candidate(backups: BackupEngine, places: DataPlaces, plan: Plan, generation: int, note: Note) -> Built:
    """Copy, recover, check, and put it in the place of `generation`. Raises StackError; the stack is not touched."""
    began = time.monotonic()
    found: list[tuple[float, Proof]] = []

    def inspect(server: Throwaway) -> None:
        reached = time.monotonic()
        note("reading its tables and checking their structure")
        found.append((reached, prove(server)))

    backup = plan.chosen.backup
    with backups.workshop(None, note) as workshop:
        data = workshop.build(backup)
        started = time.monotonic()
        # Also to the end of the backup by recovery: only that gives the copy a timeline of its own.
        how = Replay(plan.timeline, live=True, inspect=inspect)
        restored = workshop.replay(backup, data, plan.goal, how)
        refuse_early(plan.chosen, plan.goal, restored.reached)
        note("checking every page")
        check_pages(workshop.programs, data)
        places.install(data, generation, note)
    reached, proof = found[0]
    replaying = reached - started
    return Built(restored, proof, time.monotonic() - began - replaying, replaying)
