"""What is sent to a throwaway server before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.pgbench import PATIENT
from stackctl.engine.runner import Completed


@dataclass
class Room:
    """Takes what is run, and does nothing."""

    name: str = "room"
    data: Path = Path("/data")
    socket: Path = Path("/socket")
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *words: str, **_how: object) -> Completed:
        self.ran.append(words)
        return Completed(words, 0, "", "")

    def log(self) -> str:
        return ""

    def sent(self) -> list[str]:
        """The first word of each statement, in their order."""
        return [words[-1].split()[0] for words in self.ran if words[0] == "psql"]


def test_what_is_measured_is_vacuumed_as_an_autovacuum_of_one_of_both_would_count_as_its_work() -> None:
    room = Room()
    instance = Instance(room, Contender("stock", {}, {}), 17)
    assert instance.fill_large(2**30) == 2**20
    assert room.sent()[-3:] == ["VACUUM", "GRANT", "CHECKPOINT"]
    room.ran.clear()
    instance.load(Path("/dump"))
    assert room.sent() == ["VACUUM", "ALTER", "CHECKPOINT"]


def test_a_limit_on_statements_is_none_for_what_is_only_made_ready() -> None:
    room = Room()
    instance = Instance(room, Contender("x.conf", {"statement_timeout": "30s"}, {}), 17)
    instance.fill(100)
    instance.fill_large(2**30)
    patient = [PATIENT in words for words in room.ran if words[0] in ("psql", "pgbench")]
    assert "statement_timeout=0" in PATIENT
    assert (all(patient), len(patient)) == (True, 12)
