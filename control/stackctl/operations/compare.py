"""`stackctl size --compare`: our values beside those that other tuners give for the same machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.errors import UsageError
from stackctl.operations.result import Block, Line, Table
from stackctl.sizing.catalog import Catalog, Entry
from stackctl.sizing.model import Parameter, Sizing
from stackctl.sizing.peers import PEERS
from stackctl.units import MIB, Bytes, human, pg_size

OURS = "stackctl"
_REST = "Set by others only"
_BACKEND = 10 * MIB


@dataclass(frozen=True)
class Row:
    """One parameter: its default and each column's value, None where the column leaves it at the default."""

    name: str
    topic: str
    default: str | None
    ours: str | None
    peers: Mapping[str, str | None]


@dataclass(frozen=True)
class Use:
    """What the settings of one column could use of the server's memory, and the sum that says so."""

    peer: str
    worst_case: Bytes
    formula: str


@dataclass(frozen=True)
class Comparison:
    """All rows, and the memory of each column; ours is first."""

    postgres: int
    limit: Bytes
    peers: Sequence[str]
    rows: Sequence[Row]
    memory: Sequence[Use]


def peers_named(text: str) -> tuple[str, ...]:
    """The peers in a list with commas, each once. Raises UsageError for a name that is none."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError("--compare names no tuner", hint=f"known are {', '.join(PEERS)}")
    for name in names:
        if name not in PEERS:
            raise UsageError(f"--compare {name!r} is not one of {', '.join(PEERS)}", hint=_hint(name))
    return names


def _hint(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), PEERS, 1)
    return f"did you mean {near[0]}?" if near else "write --compare pgtune,stock, for example"


def with_peers(sizing: Sizing, catalog: Catalog, names: Sequence[str]) -> Comparison:
    """Our sizing beside `names`, which must be known."""
    given = {name: PEERS[name](sizing.profile) for name in names}
    ours = {parameter.name: parameter for parameter in sizing.parameters}
    everything = dict.fromkeys([*ours, *sorted({each for values in given.values() for each in values} - set(ours))])
    rows = [_row(name, ours.get(name), given, catalog) for name in everything]
    proof = Use(OURS, sizing.memory.worst_case, "the worst case of the memory proof")
    uses = [proof, *(simple_use(name, values, catalog) for name, values in given.items())]
    return Comparison(catalog.major, sizing.memory.limit, names, rows, uses)


def _row(name: str, ours: Parameter | None, given: Mapping[str, Mapping[str, str]], catalog: Catalog) -> Row:
    entry = catalog.entries.get(name)
    values = {peer: _spelled(entry, all_[name]) if name in all_ else None for peer, all_ in given.items()}
    mine = _spelled(entry, ours.value) if ours else None
    return Row(name, ours.topic if ours else _REST, entry.default if entry else None, mine, values)


def _spelled(entry: Entry | None, value: str) -> str:
    """The value in the spelling of ours, so that equal sizes look equal: 8192MB is 8GB, 100 milliseconds are 100ms."""
    if entry is None or not entry.unit:
        return value
    try:
        number = entry.number(value)
        if entry.memory:
            return pg_size(int(number)) if number > 0 else value
        return entry.spell_millis(int(number)) if number > 0 and number == int(number) else value
    except ValueError:
        # A pin that the server reads in its own way.
        return value


def simple_use(peer: str, values: Mapping[str, str], catalog: Catalog) -> Use:
    """What `values` allow by the simple model: one operation in each connection that the server takes.

    shared_buffers + max_connections x (10 MB + work_mem x hash_mem_multiplier) + autovacuum's workers.
    """

    def number(name: str) -> float:
        entry = catalog.entries[name]
        return entry.number(values.get(name, entry.boot))

    buffers, connections, work_mem = number("shared_buffers"), number("max_connections"), number("work_mem")
    multiplier, workers = number("hash_mem_multiplier"), number("autovacuum_max_workers")
    vacuum = number("autovacuum_work_mem")
    vacuum = vacuum if vacuum >= 0 else number("maintenance_work_mem")
    worst = buffers + connections * (_BACKEND + work_mem * max(multiplier, 1.0)) + workers * vacuum
    formula = (
        f"{pg_size(int(buffers))} + {connections:g} x (10MB + {pg_size(int(work_mem))} x {multiplier:g})"
        f" + {workers:g} x {pg_size(int(vacuum))}"
    )
    return Use(peer, Bytes(int(worst)), formula)


def data(comparison: Comparison) -> dict[str, Any]:
    """The `compare` key of the `size` document."""
    return {
        "peers": list(comparison.peers),
        "parameters": [
            {"name": row.name, "default": row.default, OURS: row.ours, "peers": dict(row.peers)}
            for row in comparison.rows
        ],
        "memory": [
            {"peer": use.peer, "worst_case_bytes": use.worst_case, "limit_bytes": comparison.limit}
            for use in comparison.memory
        ],
    }


def blocks(comparison: Comparison) -> list[Block]:
    """What a person reads: one table for each topic, then the memory of each column."""
    note = f"(value): not set, PostgreSQL's default; -: unknown to PostgreSQL {comparison.postgres}"
    topics = dict.fromkeys(row.topic for row in comparison.rows)
    tables = [_topic(comparison, topic) for topic in topics]
    return [Line(note, "dim"), *tables, *_memory(comparison)]


def _topic(comparison: Comparison, topic: str) -> Table:
    rows = [
        [row.name, *(_shown(value, row.default) for value in (row.ours, *row.peers.values()))]
        for row in comparison.rows
        if row.topic == topic and {row.ours, *row.peers.values()} - {None, row.default}
    ]
    return Table(["parameter", OURS, *comparison.peers], rows, topic, keys=2)


def _shown(value: str | None, default: str | None) -> str:
    if value is not None:
        return value or "''"
    return "-" if default is None else f"({default})" if default else "('')"


def _times(use: Use, comparison: Comparison) -> str:
    times = use.worst_case / comparison.limit if comparison.limit else 0
    return f", {times:.1f} times the limit" if times > 1 else ""


def _memory(comparison: Comparison) -> Iterable[Block]:
    limit = human(comparison.limit)
    rows = [
        [use.peer, f"up to {human(use.worst_case)} of {limit}{_times(use, comparison)}", use.formula]
        for use in comparison.memory
    ]
    yield Table(["settings of", "memory", "by"], rows, "Memory of PostgreSQL")
    yield Line(
        "The others' sums are a simple model: shared_buffers, one operation in each of max_connections, autovacuum. "
        "The proof of stackctl counts more items, and the connections that its roles may open.",
        "dim",
    )
