"""What a bench says of a workload that could not be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench_rooms import DIED, Room, Rooms, ended, printed
from profiles import sized
from stackctl.bench.contenders import Contender
from stackctl.bench.workloads import own_script
from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed, TimedOut
from stackctl.hardware.model import DiskLimit
from stackctl.operations import bench_ground
from stackctl.operations.bench import _measure
from stackctl.operations.bench_ground import Ground
from stackctl.operations.bench_notes import notes_of
from stackctl.operations.bench_report import Run
from stackctl.units import GIB, Bytes

# As the postmaster writes it, and as it refuses who comes too early then.
KILLED = "2026-11-23 22:10:05.101 UTC [7] LOG:  client backend (PID 2045) was terminated by signal 9: Killed"
EARLY = "2026-11-23 22:10:05.313 UTC [2051] FATAL:  the database system is in recovery mode"
FULL = '2026-11-23 22:10:05.002 UTC [31] PANIC:  could not write to file "pg_wal/xlogtemp.31": No space left on device'
DIVIDED = "2026-11-23 22:10:05.000 UTC [32] ERROR:  division by zero at character 8"
ABORTED = "pgbench: error: client 0 script 0 aborted in command 0 query 0: ERROR:  division by zero"


GUIDE = Contender("guide", {}, {}, 0)
WORK = [replace(own_script(name, f"SELECT '{name}';"), rounds=3, sampling=0) for name in ("first", "second", "third")]


def ground(scratch: Path, bench: Callable[[Room, str], Completed]) -> Ground:
    """Three workloads of three rounds each, on rooms where pgbench is `bench`."""
    limits, rooms = Limits(Bytes(2 * GIB), Bytes(1), 1, DiskLimit()), Rooms(scratch, bench)
    found: Any = rooms
    return Ground(sized(), found, limits, 1, 0, WORK, None, lambda _line: None)


def measured(found: Ground) -> list[tuple[str, int]]:
    """The workloads of the only contender, and how many rounds each has."""
    (compared,) = found.compared
    return [(each.workload.name, len(each.ours)) for each in compared.measured]


@pytest.mark.parametrize(
    ("lines", "kills", "said"),
    [
        (
            [KILLED, EARLY],
            None,
            "the kernel killed a process of guide, as it does where memory is short: first: pgb",
        ),
        ([EARLY], 1, "the kernel killed a process of guide, as it does where memory is short: first: pgb"),
        ([FULL, EARLY], 0, 'processing; the log of guide has: could not write to file "pg_wal/xlogtemp.31": No space'),
        ([EARLY], 0, "perhaps the backend died while processing"),
    ],
)
def test_what_the_server_knows_of_a_failure_is_told_of_that_one_alone(
    tmp_path: Path, lines: list[str], kills: int | None, said: str
) -> None:
    """Its clients see lost connections only; and what befell it once is no reason of what fails later."""

    def bench(room: Room, script: str) -> Completed:
        if room.name == "contender" and "first" in script:
            room.lines, room.kills = lines, kills
            return ended(2, "", DIED)
        if room.name == "contender" and "third" in script:
            room.lines.append(DIVIDED)
            return ended(2, "", ABORTED)
        return printed()

    found = ground(tmp_path, bench)
    assert _measure(found, [GUIDE])
    first, third = found.problems.values()
    assert said in first.message
    assert ("2 GiB are" in first.hint) == ("killed" in first.message)
    assert third.message == f"guide: third was not measured: {ABORTED}"


def test_work_after_a_crash_waits_until_the_server_has_read_its_wal(tmp_path: Path) -> None:
    """Else what comes next fails for what came before. A program that takes too long is an error of its work, too."""

    def bench(room: Room, script: str) -> Completed:
        if "first" in script:
            room.away = 2
            raise TimedOut("pgbench took more than 3600 s", hint="run it by hand")
        return printed()

    found = ground(tmp_path, bench)
    assert _measure(found, [GUIDE])
    assert measured(found) == [("second", 3), ("third", 3)]
    assert [each.message for each in found.problems.values()] == [
        "guide: first was not measured: pgbench took more than 3600 s"
    ]


def test_a_server_that_does_not_come_back_ends_its_contender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ground, "_RECOVERY_SECONDS", 0.0)

    def bench(room: Room, script: str) -> Completed:
        if "second" in script and room.name == "contender":
            room.away = 1000
            return ended(2, "", "pgbench: error: client 1 aborted")
        return printed()

    found = ground(tmp_path, bench)
    assert _measure(found, [GUIDE])
    assert measured(found) == [("first", 3)]
    assert [each.message for each in found.problems.values()] == [
        "guide: second was not measured: pgbench: error: client 1 aborted",
        "guide: the rest was not measured: the server of guide did not come back within 0 s",
    ]
    with pytest.raises(EngineFailed, match="second: pgbench"):
        _measure(replace(found, workloads=WORK[1:], compared=[]), [GUIDE])


def test_what_fails_behind_the_work_says_that_some_of_it_was_measured(tmp_path: Path) -> None:
    def full(_room: Any) -> None:
        raise EngineFailed("docker volume rm: the Engine is gone", hint="start it")

    found = ground(tmp_path, lambda _room, _script: printed())
    found.rooms.leave = full  # type: ignore[method-assign]
    assert _measure(found, [GUIDE])
    (problem,) = found.problems.values()
    assert problem.message == "guide: the rest was not measured: docker volume rm: the Engine is gone"


@pytest.mark.parametrize(
    ("broken", "ended", "rest"),
    [
        (KeyboardInterrupt(), "it was interrupted", []),
        (EngineFailed("pgbench: client 3 aborted", hint="look"), "pgbench: client 3 aborted", [("third", 3)]),
    ],
)
def test_rounds_that_were_finished_count_however_it_ends(
    tmp_path: Path, broken: BaseException, ended: str, rest: list[tuple[str, int]]
) -> None:
    """The first round warms up, the next two count, and the fourth is broken off."""
    runs = 0

    def bench(_room: Room, script: str) -> Completed:
        nonlocal runs
        runs += "second" in script
        if "second" in script and runs == 8:
            raise broken
        return printed()

    found = ground(tmp_path, bench)
    assert _measure(found, [GUIDE]) == bool(rest)
    assert measured(found) == [("first", 3), ("second", 2), *rest]
    problem = next(iter(found.problems.values()))
    assert (problem.code, problem.message) == ("cut", f"guide: second ended after 2 of 3 rounds: {ended}")
    told = notes_of(Run(found.limits, "", 1, 0, datetime.now(UTC), 1, found.compared), [])
    assert "cut" not in {each.code for each in told}, "it is told once"


def test_each_contender_that_cannot_do_some_work_is_named(tmp_path: Path) -> None:
    """Two of them fail with the same words."""
    failed = ended(1, "", "pgbench: error: no")
    found = ground(tmp_path, lambda _room, script: failed if "second" in script else printed())
    assert _measure(found, [GUIDE, replace(GUIDE, name="pgtune")])
    assert [each.message for each in found.problems.values()] == [
        "guide: second was not measured: pgbench: error: no",
        "pgtune: second was not measured: pgbench: error: no",
    ]
