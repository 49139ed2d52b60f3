"""Statements that a server has seen, made into a script that asks them again: values come from the tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

_PARAMETER = re.compile(r"\$(\d+)")
# The first rows, as many as a page of a list has; and a character that stands in few names.
_BOUND = {"LIMIT": "'50'", "FETCH FIRST": "'50'", "FETCH NEXT": "'50'", "OFFSET": "'0'", "ESCAPE": "'/'"}
_NAME = r'"?([\w ]+?)"?'
# As EXPLAIN (VERBOSE) writes a condition: (tools.id = $1), (t.id = ANY ($1)), ((t.name)::text ~~* ($2 || $3)). What a
# function made of a column is none.
_COLUMN = rf"(?<!\w)(?<!\w\()(?<!\w\(\(){_NAME}\.{_NAME}\)*(?:::[\w ]+(?:\(\d+\))?)?\)*"
_CONDITION = re.compile(rf"{_COLUMN} (=|<>|<=|>=|<|>|~~\*|~~) (ANY )?(.+?)(?= AND | OR |$)")
# All that may stand on the other side: a parameter, or a piece of a pattern, in brackets and with casts. What is
# reckoned from a parameter tells nothing of its values.
_CAST = r'::[\w". ]+(?:\(\d+(?:,\d+)?\))?(?:\[\])*'
_PIECE = re.compile(rf"[(\s]*(?:\$(\d+)|'(?:[^']|'')*')[)\s]*(?:{_CAST}[)\s]*)*")
_CONDITIONS = ("Index Cond", "Recheck Cond", "Filter", "Hash Cond", "Merge Cond", "Join Filter", "One-Time Filter")
# A run of fewer transactions than this may well never come to a call that is one of so many.
_MANY = 10_000


@dataclass(frozen=True)
class Seen:
    """A statement as pg_stat_statements keeps it, with a `$n` for each of its values, and how often it was called."""

    text: str
    calls: int

    @property
    def parameters(self) -> int:
        """How many values it has."""
        return max((int(found) for found in _PARAMETER.findall(self.text)), default=0)


class Part(StrEnum):
    """A piece of a pattern: what is searched for, or what may stand beside it."""

    WORD = "word"
    WILDCARD = "wildcard"


@dataclass(frozen=True)
class Column:
    """What a parameter is compared with: a column of a relation, by which name the query knows that, and how.

    Of a pattern that is put together `part` says which piece it is; a pattern in one piece has none.
    """

    schema: str
    relation: str
    alias: str
    column: str
    operator: str
    many: bool = False
    part: Part | None = None


def bound(seen: Seen) -> dict[int, str]:
    """Values of parameters that say how many rows there may be: as many as a page of a list has."""
    found = {}
    for words, value in _BOUND.items():
        for match in re.finditer(rf"\b{words}\s+\(?\$(\d+)", seen.text, re.IGNORECASE):
            found[int(match[1])] = value
    return found


def columns(plan: Mapping[str, Any]) -> dict[int, Column]:
    """What each parameter of a generic plan is compared with, by its number; without those that nobody can tell."""
    nodes = list(_nodes(plan))
    relations = {
        node["Alias"]: (node.get("Schema", "public"), node["Relation Name"])
        for node in nodes
        if "Relation Name" in node
    }
    found: dict[int, Column] = {}
    for node in nodes:
        for key in _CONDITIONS:
            for alias, column, operator, many, other in _CONDITION.findall(node.get(key, "")):
                if alias not in relations:
                    continue
                base = Column(*relations[alias], alias, column, operator, bool(many))
                for number, part in _parts(operator, other):
                    found.setdefault(number, replace(base, part=part))
    return found


def _parts(operator: str, other: str) -> list[tuple[int, Part | None]]:
    """The parameters on the other side of an operator: one alone, or the pieces of a pattern."""
    searches = operator.startswith("~~")
    pattern = other.removeprefix("like_escape(").partition(", ")[0] if other.startswith("like_escape(") else other
    found = [_PIECE.fullmatch(piece) for piece in (pattern.split(" || ") if searches else [pattern])]
    # Of what is reckoned from parameters nobody knows how it is like the column.
    numbers = [int(match[1]) for match in found if match and match[1]] if all(found) else []
    if searches and len(numbers) > 1:
        word = 1 if len(numbers) > 2 else 0
        return [(each, Part.WORD if place == word else Part.WILDCARD) for place, each in enumerate(numbers)]
    return [(each, None) for each in numbers]


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


def filled(seen: Seen, values: Mapping[int, str], types: Sequence[str]) -> str:
    """The statement with values, each a literal, in the place of its parameters."""
    return _PARAMETER.sub(lambda match: f"({values[int(match[1])]}::{types[int(match[1]) - 1]})", seen.text)


def script(asked: Mapping[Seen, Sequence[str]]) -> str:
    """A script for pgbench: each transaction is one statement, as often as it was called, with values by chance.

    Raises ValueError for none.
    """
    calls = sum(seen.calls for seen in asked)
    if not calls:
        raise ValueError("a script needs a statement that was called")
    # As many sides as there were calls: rounded to fewer, what was called seldom would be asked never.
    lines, upto = [rf"\set dice random(1, {calls})"], 0
    for number, (seen, variants) in enumerate(asked.items()):
        upto += seen.calls
        last = number == len(asked) - 1
        lines.append(r"\else" if last and number else rf"\{'elif' if number else 'if'} :dice <= {upto}")
        lines.append(rf"\set variant random(1, {len(variants)})")
        for place, text in enumerate(variants, 1):
            lines += [rf"\if :variant = {place}", f"{text.strip().rstrip(';')};", r"\endif"]
    return "\n".join([*lines, r"\endif", ""])


def rare(asked: Collection[Seen]) -> dict[str, int]:
    """Statements that a run may never come to, and how many calls of others each of theirs was one of."""
    calls = sum(seen.calls for seen in asked)
    return {seen.text: calls // seen.calls for seen in asked if seen.calls * _MANY < calls}
