"""What bringing the stack up would change: files, parameters of the running server, services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.render.write import FileChange
from stackctl.sizing.catalog import ENGINE_PARAMETERS, Catalog, Entry
from stackctl.sizing.model import Parameter

RUNNING_SETTINGS = "SELECT name, setting, source, pending_restart FROM pg_settings"
_RESTARTED_FOR = {
    "gunicorn": "app",
    "app": "app",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana": "grafana",
}


@dataclass(frozen=True)
class ParameterChange:
    """A parameter of the running server that will be different, and whether that needs a restart."""

    name: str
    old: str
    new: str
    restart: bool


@dataclass(frozen=True)
class Changes:
    """All that would change; empty where the stack already is as it should be."""

    files: Sequence[FileChange]
    parameters: Sequence[ParameterChange]
    services: Sequence[str]
    running: bool

    def __bool__(self) -> bool:
        return bool(self.files or self.parameters or self.services)


def parameter_changes(
    wanted: Iterable[Parameter], rows: Sequence[Mapping[str, Any]], catalog: Catalog
) -> list[ParameterChange]:
    """Compare the sizing with `pg_settings` of the running server, in PostgreSQL's own units."""
    running = {row["name"]: row for row in rows}
    changes, named = [], set()
    for parameter in wanted:
        named.add(parameter.name)
        entry = catalog.entries[parameter.name]
        old = running.get(parameter.name, {}).get("setting")
        if old is None or not same(entry, old, parameter.value):
            shown = "unset" if old is None else entry.spell(old)
            changes.append(ParameterChange(parameter.name, shown, parameter.value, entry.restart))
    for name, row in running.items():
        entry_or_none = catalog.entries.get(name)
        if entry_or_none is None or name in named | ENGINE_PARAMETERS or row["source"] != "configuration file":
            continue
        if not same(entry_or_none, row["setting"], entry_or_none.boot):
            old = entry_or_none.spell(row["setting"])
            changes.append(ParameterChange(name, old, entry_or_none.default, entry_or_none.restart))
    return changes


def same(entry: Entry, first: str, second: str) -> bool:
    """Whether two spellings are one value to the server."""
    if entry.kind in ("integer", "real"):
        try:
            return abs(entry.number(first) - entry.number(second)) < 1e-9
        except ValueError:
            return False
    if entry.kind == "bool":
        return _truth(first) == _truth(second)
    return first.lower() == second.lower() if entry.kind == "enum" else first == second


def restarted_services(files: Iterable[FileChange], parameters: Iterable[ParameterChange]) -> list[str]:
    """Running services whose files changed and that read them only at their start."""
    services = {_RESTARTED_FOR[top] for change in files if (top := change.path.split("/")[0]) in _RESTARTED_FOR}
    if any(change.restart for change in parameters):
        services.add("postgres")
    return sorted(services)


def reload_needed(changes: Changes) -> bool:
    """Whether the server must read its files again, without a restart."""
    touched = any(change.path.startswith("postgres/pg_") for change in changes.files)
    # An interrupted run leaves files that are right and a server that has not read them.
    waiting = any(not change.restart for change in changes.parameters)
    return touched or waiting or any(change.path == "postgres/postgresql.conf" for change in changes.files)


def _truth(text: str) -> bool:
    return text.lower() in ("on", "true", "yes", "1")
