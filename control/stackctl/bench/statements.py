"""Values for statements that were seen, out of the tables of a throwaway server that holds a copy of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import errors

from stackctl.bench import replay
from stackctl.bench.instance import CLIENT, Instance
from stackctl.bench.replay import Column, Part, Seen
from stackctl.errors import EngineFailed, StackError, TimedOut

_VARIANTS = 8
_LONGEST_MS = 30_000
# PostgreSQL's words may have values of the user's rows in them, or of the statement; the number of the error has none.
_NUMBER_ONLY = r"\set VERBOSITY sqlstate"
_SQLSTATE = re.compile(r"(?:ERROR|FATAL): +([0-9A-Z]{5})$", re.MULTILINE)
_TOOK_TOO_LONG = "57014"


@dataclass(frozen=True)
class Replayed:
    """A script for pgbench, how many statements it asks, and why each of the others is not among them.

    `rare` are those that it asks so seldom that a run may never come to them: each is one of so many calls.
    """

    script: str
    statements: int
    left_out: Mapping[str, str]
    rare: Mapping[str, int]


def replayed(seen: Sequence[Seen], instance: Instance) -> Replayed:
    """Statements with values, each tried once with all of its own. The script is empty where none can be asked."""
    asked: dict[Seen, list[str]] = {}
    left_out: dict[str, str] = {}
    for each in seen:
        try:
            asked[each] = _answered(_variants(each, instance), instance)
        except _Unknown as error:
            left_out[each.text] = str(error)
        except (EngineFailed, TimedOut) as error:
            left_out[each.text] = _refusal(error)
    return Replayed(replay.script(asked) if asked else "", len(asked), left_out, replay.rare(asked))


def _answered(variants: Sequence[str], instance: Instance) -> list[str]:
    """Those that the server answers: one that fails would end a client of pgbench.

    Raises EngineFailed, TimedOut where none is, or where one takes too long.
    """
    refused: dict[str, StackError] = {}
    for text in dict.fromkeys(variants):
        try:
            # Its rows go nowhere, as they may be secrets of the user's.
            limit = f"SET statement_timeout = {_LONGEST_MS}"
            instance.session(_NUMBER_ONLY, limit, r"\o /dev/null", text, role=CLIENT)
        except EngineFailed as error:
            if _sqlstate(error) == _TOOK_TOO_LONG:
                raise
            refused[text] = error
    if len(refused) == len(set(variants)):
        raise next(iter(refused.values()))
    return [text for text in variants if text not in refused]


def _sqlstate(error: StackError) -> str | None:
    found = _SQLSTATE.search(str(error))
    return found[1] if found else None


def _refusal(error: StackError) -> str:
    number = _sqlstate(error)
    if number is None:
        return "the server gave no answer"
    if number == _TOOK_TOO_LONG:
        return f"it took more than {_LONGEST_MS // 1000} s"
    try:
        return f"PostgreSQL refused it, {errors.lookup(number).__name__} (SQLSTATE {number})"
    except KeyError:
        return f"PostgreSQL refused it, SQLSTATE {number}"


class _Unknown(Exception):
    """A parameter whose values nobody can tell."""


def _variants(seen: Seen, instance: Instance) -> list[str]:
    if not seen.parameters:
        return [seen.text]
    types, compared = _prepared(seen, instance)
    bound = replay.bound(seen)
    missing = [f"${number}" for number in range(1, seen.parameters + 1) if number not in {**compared, **bound}]
    if missing:
        raise _Unknown(f"{', '.join(missing)}: no column tells what values there are")
    rows = _rows({number: each for number, each in compared.items() if number not in bound}, instance)
    return [replay.filled(seen, {**row, **bound}, types) for row in rows]


def _prepared(seen: Seen, instance: Instance) -> tuple[list[str], dict[int, Column]]:
    """The types of its parameters, and what each is compared with in a plan that knows no values."""
    nothing = ", ".join(["NULL"] * seen.parameters)
    said = instance.session(
        _NUMBER_ONLY,
        "SET plan_cache_mode = force_generic_plan",
        f"PREPARE seen AS {seen.text}",
        "SELECT to_json(parameter_types::text[]) FROM pg_prepared_statements WHERE name = 'seen'",
        f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE seen({nothing})",
        role=CLIENT,
    )
    types, _, plan = said.strip().partition("\n")
    return json.loads(types), replay.columns(json.loads(plan)[0]["Plan"])


def _rows(compared: Mapping[int, Column], instance: Instance) -> list[dict[int, str]]:
    """Literals for the parameters, those of one relation from one row: conditions on two of its columns then meet."""
    rows: list[dict[int, str]] = [{} for _ in range(_VARIANTS)]
    for alias in dict.fromkeys((each.schema, each.relation, each.alias) for each in compared.values()):
        mine = {n: each for n, each in compared.items() if (each.schema, each.relation, each.alias) == alias}
        found = instance.ask(_sample(alias[0], alias[1], mine), CLIENT)
        if not found:
            raise _Unknown(f"{alias[1]} has no rows to take values from")
        for place, row in enumerate(rows):
            row.update({int(number): str(value) for number, value in found[place % len(found)].items()})
    return rows


def _sample(schema: str, relation: str, compared: Mapping[int, Column]) -> str:
    wanted = ", ".join(f'{_literal(each)} AS "{number}"' for number, each in compared.items())
    chosen = f'SELECT * FROM "{schema}"."{relation}" ORDER BY random() LIMIT {_VARIANTS}'  # noqa: S608 - PostgreSQL's words
    return f"SELECT {wanted} FROM ({chosen}) r"  # noqa: S608 - names are PostgreSQL's own


def _literal(each: Column) -> str:
    name = f'r."{each.column}"'
    if each.many:
        return f"quote_nullable((array_agg({name}) OVER ())::text)"
    if each.part is Part.WILDCARD:
        return "quote_literal('%')"
    if each.operator.startswith("~~"):
        # A search for a part of what is there.
        searched = f"left({name}::text, 3)"
        return f"quote_nullable({searched})" if each.part else f"quote_nullable('%' || {searched} || '%')"
    return f"quote_nullable({name}::text)"
