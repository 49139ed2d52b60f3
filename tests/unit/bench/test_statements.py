"""Values for statements: what psql is told of them, and what is said of a statement that cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.replay import Seen
from stackctl.bench.statements import replayed
from stackctl.engine.runner import Completed, failed

BY_TOKEN = Seen("SELECT id FROM sessions WHERE token = $1 -- by hand", 30)
PLAN = [
    {
        "Plan": {
            "Node Type": "Seq Scan",
            "Relation Name": "sessions",
            "Schema": "public",
            "Alias": "sessions",
            "Filter": "(sessions.token = $1)",
        }
    }
]


class Psql:
    """A room whose psql knows one plan and the `values` of one column, and refuses those of `refusals`."""

    socket = data = Path("/room")

    def __init__(self, values: list[str], refusals: dict[str, str] | None = None) -> None:
        self._values, self._refusals = values, refusals or {}
        self.words: list[str] = []
        self.asked: list[str] = []

    def run(self, *argv: str, input: str = "", **_: object) -> Completed:
        self.words += argv
        self.asked.append(input)
        for value, said in self._refusals.items():
            if value in input:
                raise failed(Completed(argv, 3, "", said))
        if "EXPLAIN" in input:
            return Completed(argv, 0, '["text"]\n' + json.dumps(PLAN), "")
        return Completed(argv, 0, json.dumps([{"1": f"'{value}'"} for value in self._values]), "")


def on(room: Any) -> Instance:
    return Instance(room, Contender("stock", {}, {}, 0), 17)


def test_no_value_of_a_row_is_in_a_command_line() -> None:
    """Everybody on the machine can read that."""
    room = Psql(["abc123"])
    found = replayed([BY_TOKEN], on(room))
    assert found.left_out == {}
    assert "token = ('abc123'::text)" in found.script
    assert any("abc123" in each for each in room.asked)
    assert not any("abc123" in word or "token" in word for word in room.words)


def test_what_one_value_makes_fail_is_asked_with_the_others() -> None:
    """pgbench ends a client whose statement fails, and the work of the others is then more than it was."""
    room = Psql(["1.2.3.4", "none"], {"'none'": "ERROR:  22P02\n"})
    found = replayed([BY_TOKEN], on(room))
    assert (found.statements, found.left_out) == (1, {})
    assert found.script.count("'1.2.3.4'") == 4
    assert "none" not in found.script
    tried = [each for each in room.asked if "statement_timeout" in each]
    assert len(tried) == 2, "each value once"


def test_what_takes_too_long_with_one_value_is_left_out() -> None:
    room = Psql(["short", "long"], {"'long'": "ERROR:  57014\n"})
    assert replayed([BY_TOKEN], on(room)).left_out == {BY_TOKEN.text: "it took more than 30 s"}


def test_a_statement_ends_after_its_comment_and_a_command_of_psql_with_its_line() -> None:
    room = Psql([])
    on(room).session(r"\o /dev/null", "SELECT 1; ", "SELECT 2 -- two")
    assert room.asked == ["\\o /dev/null\nSELECT 1\n;\nSELECT 2 -- two\n;\n"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ERROR:  22P02\n", "PostgreSQL refused it, InvalidTextRepresentation (SQLSTATE 22P02)"),
        ("psql:<stdin>:4: ERROR:  25006\n", "PostgreSQL refused it, ReadOnlySqlTransaction (SQLSTATE 25006)"),
        ("ERROR:  XX9Z9\n", "PostgreSQL refused it, SQLSTATE XX9Z9"),
        ("ERROR:  57014\n", "it took more than 30 s"),
        ('ERROR:  invalid input syntax for type integer: "abc123"\n', "the server gave no answer"),
    ],
)
def test_a_refusal_is_told_without_what_is_in_the_rows(said: str, reason: str) -> None:
    room = Psql(["abc123"], {"abc123": said})
    found = replayed([BY_TOKEN], on(room))
    assert (found.statements, found.left_out) == (0, {BY_TOKEN.text: reason})
    assert room.asked[-1].startswith("\\set VERBOSITY sqlstate\n")
