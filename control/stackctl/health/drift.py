"""Drift: what holds beside the profile and is not stackctl's to change, and what waits for a restart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackctl.health.running import FileLine, Running, same
from stackctl.sizing.catalog import ENGINE_PARAMETERS, Catalog, Entry
from stackctl.sizing.mistakes import dangerous_value

ALTER_SYSTEM = "ALTER SYSTEM"
RELOAD, RESTART, RECONNECT = "reload", "restart", "reconnect"
# What the memory proof multiplies and adds up: more of any of them is more memory.
_OF_THE_PROOF = frozenset(
    [
        "autovacuum_max_workers",
        "autovacuum_work_mem",
        "hash_mem_multiplier",
        "logical_decoding_work_mem",
        "maintenance_work_mem",
        "max_connections",
        "max_locks_per_transaction",
        "max_parallel_workers",
        "max_parallel_workers_per_gather",
        "max_pred_locks_per_transaction",
        "max_prepared_transactions",
        "max_wal_senders",
        "max_worker_processes",
        "shared_buffers",
        "temp_buffers",
        "wal_buffers",
        "work_mem",
    ]
)
# Sources of a value that a line of a file wins over.
_FROM_FILES = frozenset(["default", "environment variable", "configuration file"])
# Its value may hold a password.
_SECRET = frozenset(["primary_conninfo"])

Values = Mapping[str, str]


@dataclass(frozen=True)
class Drift:
    """A value that somebody set beside the profile.

    `wanted` is the profile's value, or the default. `action` is what the parameter needs to change, `fix` the line for
    psql that takes the value back. `waits` is `reload` or `restart` where the value is not in force yet. `hides` says
    that the profile's own value is about to change, without effect; `above_proof`, that the value is memory which the
    proof did not count. `danger` is what a value does that would be refused as a pin.
    """

    name: str
    value: str
    wanted: str
    source: str
    action: str
    fix: str
    as_profile: bool = False
    waits: str = ""
    hides: bool = False
    above_proof: bool = False
    danger: str = ""


@dataclass(frozen=True)
class Pending:
    """A parameter that has a new value in the files, and the old one until the server restarts."""

    name: str
    old: str
    new: str
    by_alter_system: bool


def find_drift(running: Running, wanted: Values, roles: Mapping[str, Values] | None, catalog: Catalog) -> list[Drift]:
    """All values beside the profile. `roles` is what provisioning has set; None where nobody knows."""
    aimed = _aims(running, wanted, catalog)
    refused = {line.name for line in running.refused}
    altered = [line for name, line in sorted(running.altered.items()) if name not in refused]
    return [
        *(_altered(line, running, aimed, catalog) for line in altered),
        *_on_command_line(running, wanted, aimed, catalog),
        *(_of_roles(running, roles, aimed, catalog) if roles is not None else ()),
    ]


def find_pending(running: Running, catalog: Catalog) -> list[Pending]:
    """What waits for a restart, by name."""
    found = []
    for name, setting in sorted(running.settings.items()):
        if not setting.pending:
            continue
        entry, line = catalog.entries.get(name), running.altered.get(name) or running.written.get(name)
        new = line.value if line else entry.boot if entry else ""
        found.append(Pending(name, _spell(entry, setting.value), _spell(entry, new), name in running.altered))
    return found


def _aims(running: Running, wanted: Values, catalog: Catalog) -> dict[str, str]:
    """What each parameter should be: by the profile, by the engine's own lines, else by default."""
    defaults = {name: entry.boot for name, entry in catalog.entries.items()}
    engine = {name: line.value for name, line in running.written.items() if name in ENGINE_PARAMETERS}
    return {**defaults, **engine, **wanted}


def _altered(line: FileLine, running: Running, aimed: Values, catalog: Catalog) -> Drift:
    name, entry = line.name, catalog.entries.get(line.name)
    setting, aim = running.settings.get(name), aimed.get(name, "")
    restart = entry.restart if entry else bool(setting and setting.restart)
    there = setting is None or same(entry, setting.value, line.value) or setting.source not in _FROM_FILES
    waits = "" if there else RESTART if restart else RELOAD
    fix = f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();"
    if restart and not waits and not same(entry, line.value, aim):
        fix = f"ALTER SYSTEM RESET {name}; -- then stackctl up, which restarts PostgreSQL"
    before = running.written.get(name)
    return Drift(
        name,
        _shown(name, entry, line.value),
        _shown(name, entry, aim),
        ALTER_SYSTEM,
        RESTART if restart else RELOAD,
        fix,
        as_profile=same(entry, line.value, aim),
        waits=waits,
        hides=not same(entry, before.value if before else entry.boot if entry else "", aim),
        above_proof=_above(name, line.value, aimed, catalog),
        danger=(dangerous_value(entry, line.value) or "") if entry else "",
    )


def _on_command_line(running: Running, wanted: Values, aimed: Values, catalog: Catalog) -> Iterator[Drift]:
    for name, value in sorted(wanted.items()):
        setting, entry = running.settings.get(name), catalog.entries.get(name)
        if setting is None or setting.source != "command line" or name in running.altered:
            continue
        if not same(entry, setting.value, value):
            shown = _shown(name, entry, setting.value), _shown(name, entry, value)
            fix = f"start the server without {name} on its command line"
            above = _above(name, setting.value, aimed, catalog)
            yield Drift(name, *shown, "the command line", RESTART, fix, above_proof=above)


def _of_roles(running: Running, roles: Mapping[str, Values], aimed: Values, catalog: Catalog) -> Iterator[Drift]:
    for each in running.roles:
        entry, ours = catalog.entries.get(each.name), roles.get(each.role, {}) if not each.database else {}
        if each.name in ours and same(entry, each.value, ours[each.name]):
            continue
        aim = ours.get(each.name, aimed.get(each.name, ""))
        fix = f"ALTER {each.target} RESET {each.name};"
        if each.name in ours:
            fix = f"ALTER {each.target} SET {each.name} = '{ours[each.name]}'; -- as up does when it provisions"
        yield Drift(
            each.name,
            _shown(each.name, entry, each.value),
            _shown(each.name, entry, aim),
            f"ALTER {each.target}",
            RECONNECT,
            fix,
            as_profile=same(entry, each.value, aim),
            above_proof=_above(each.name, each.value, {**aimed, each.name: aim}, catalog),
        )


def _above(name: str, value: str, aimed: Values, catalog: Catalog) -> bool:
    """Whether a value that the memory proof counts with is larger than the sized one."""
    entry = catalog.entries.get(name)
    if entry is None or name not in _OF_THE_PROOF:
        return False
    try:
        return _amount(name, value, aimed, entry) > _amount(name, aimed[name], aimed, entry)
    except (KeyError, ValueError):
        return False


def _amount(name: str, value: str, aimed: Values, entry: Entry) -> float:
    if name == "autovacuum_work_mem" and value == "-1":
        return entry.number(aimed["maintenance_work_mem"])
    return entry.number(value)


def _shown(name: str, entry: Entry | None, value: str) -> str:
    return "(not shown)" if name in _SECRET and value else _spell(entry, value)


def _spell(entry: Entry | None, value: str) -> str:
    return entry.spell(value) if entry else value
