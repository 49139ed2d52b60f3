"""What a bench says of a workload that could not be measured."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.workloads import catalogue
from stackctl.engine.rooms import Limits
from stackctl.errors import EngineFailed
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench_ground import Ground
from stackctl.units import GIB, Bytes

LOST = EngineFailed("large: connection to server was lost", hint="see --verbose")
# As the postmaster writes it.
KILLED = "LOG:  client backend (PID 2045) was terminated by signal 9: Killed\n"


def instance(name: str, log: str) -> Instance:
    room: Any = SimpleNamespace(log=lambda: log)
    return Instance(room, Contender(name, {}, {}, 0), 17)


@pytest.mark.parametrize(
    ("log", "said", "hint"),
    [
        (KILLED, "the kernel killed a process of guide, as it does where memory is short: large: con", "2 GiB are"),
        ("", "large: connection to server was lost", "see --verbose"),
    ],
)
def test_a_server_that_had_too_little_memory_is_named_with_what_it_had(log: str, said: str, hint: str) -> None:
    def measure(_workload: Any) -> Any:
        raise LOST

    limits = Limits(Bytes(2 * GIB), Bytes(1), 1, DiskLimit())
    nothing: Any = None
    ground = Ground(nothing, nothing, limits, 1, 0, [], None, print)
    pair: Any = SimpleNamespace(ours=instance("guide", log), theirs=instance("stock", ""), measure=measure)
    with pytest.raises(EngineFailed, match=re.escape(said)):
        ground._measure(pair, [catalogue()["large"]], [])
    (problem,) = ground.problems.values()
    assert said in problem.message
    assert problem.hint.startswith(hint)
