"""What a throwaway server says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench_rooms import Room
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.errors import EngineFailed

FULL = "2026-11-23 22:10:05.002 UTC [31] FATAL:  sorry, too many clients already"
# As PostgreSQL 17 writes it.
TOO_MUCH = "2026-11-23 22:11:07.412 UTC [40] FATAL:  could not map anonymous shared memory: Cannot allocate memory"
HINT = "2026-11-23 22:11:07.412 UTC [40] HINT:  This error usually means that PostgreSQL's request"
CHECKPOINT = "2026-11-23 22:11:08.000 UTC [41] LOG:  redo starts at 0/1F2A3B8"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([TOO_MUCH, HINT], "does not start: could not map anonymous shared memory: Cannot allocate memory"),
        ([CHECKPOINT], f"does not start: {CHECKPOINT}"),
    ],
)
def test_a_server_that_does_not_start_is_told_with_its_reason(lines: list[str], said: str) -> None:
    """What its log had before, as of a storm, is none; without an error, the last line says how far it came."""
    room = Room("contender", Path("/nowhere"), lines=[FULL], unstarted=lines)
    with pytest.raises(EngineFailed) as refused:
        Instance(room, Contender("guide", {}, {}), 17).start()
    assert str(refused.value) == f"with the settings of guide the server {said}"
    assert "--verbose" not in refused.value.hint
