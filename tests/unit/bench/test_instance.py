"""What a throwaway server says of itself, and what is sent to it before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench_rooms import Room
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.pgbench import PATIENT
from stackctl.engine.runner import Completed
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


@dataclass
class Listening(Room):
    """Remembers what was run."""

    ran: list[tuple[str, ...]] = field(default_factory=list)

    def run(
        self, program: str, *words: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> Completed:
        self.ran.append((program, *words))
        return super().run(program, *words, check=check, timeout=timeout, input=input)

    def sent(self) -> list[str]:
        """The first word of each statement, in their order."""
        return [words[-1].split()[0] for words in self.ran if words[0] == "psql"]


def test_what_is_measured_is_vacuumed_as_an_autovacuum_of_one_of_both_would_count_as_its_work() -> None:
    room = Listening("room", Path("/nowhere"))
    instance = Instance(room, Contender("stock", {}, {}), 17)
    assert instance.fill_large(2**30) == 2**20
    assert room.sent()[-3:] == ["VACUUM", "GRANT", "CHECKPOINT"]
    room.ran.clear()
    instance.load(Path("/dump"))
    assert room.sent()[-3:] == ["VACUUM", "ALTER", "CHECKPOINT"]


def test_a_limit_on_statements_is_none_for_what_is_only_made_ready() -> None:
    room = Listening("room", Path("/nowhere"))
    instance = Instance(room, Contender("x.conf", {"statement_timeout": "30s"}, {}), 17)
    instance.fill(100)
    instance.fill_large(2**30)
    patient = [PATIENT in words for words in room.ran if words[0] in ("psql", "pgbench")]
    assert "statement_timeout=0" in PATIENT
    assert (all(patient), len(patient)) == (True, 12)
