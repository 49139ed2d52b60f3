"""What bringing the stack up would change: files, parameters of the running server, services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackctl.health.drift import Drift, Pending
from stackctl.health.running import FileLine, Running, same
from stackctl.render.write import FileChange
from stackctl.sizing.catalog import ENGINE_PARAMETERS, Catalog
from stackctl.sizing.model import Parameter
from stackctl.sizing.wal import RECEIVER

_RESTARTED_FOR = {
    "gunicorn": "app",
    "app": "app",
    "pgbouncer": "pgbouncer",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana": "grafana",
    "scheduler": "scheduler",
    "observer": "observer",
}
_RECEIVE = "postgres/receive-wal"
# By who runs: the server at a reload, the observer at each look.
_READ_AGAIN = frozenset(["postgres/postgresql.conf", "observer/expected.json"])


@dataclass(frozen=True)
class ParameterChange:
    """A parameter of the running server that will be different, and whether that needs a restart."""

    name: str
    old: str
    new: str
    restart: bool


@dataclass(frozen=True)
class Changes:
    """All that would change; false where the stack already is as `up` would make it.

    `slot` says that the receiver's is dropped, as nobody reads it any more. `drift`, `pending` and `refused` are told
    and left as they are.
    """

    files: Sequence[FileChange]
    parameters: Sequence[ParameterChange]
    services: Sequence[str]
    running: bool
    drift: Sequence[Drift] = ()
    pending: Sequence[Pending] = ()
    refused: Sequence[FileLine] = ()
    slot: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.parameters or self.services or self.slot)


def parameter_changes(wanted: Iterable[Parameter], running: Running, catalog: Catalog) -> list[ParameterChange]:
    """Compare the sizing with the running server, in PostgreSQL's own units.

    What ALTER SYSTEM or the server's command line sets is left out: no file that `up` writes wins over them.
    """
    changes, named = [], set()
    for parameter in wanted:
        named.add(parameter.name)
        entry, old = catalog.entries[parameter.name], running.of_files(parameter.name)
        if _fixed(running, parameter.name) or (old is not None and same(entry, old, parameter.value)):
            continue
        shown = "unset" if old is None else entry.spell(old)
        changes.append(ParameterChange(parameter.name, shown, parameter.value, entry.restart))
    for name, setting in running.settings.items():
        entry_or_none = catalog.entries.get(name)
        if entry_or_none is None or name in named | ENGINE_PARAMETERS or _fixed(running, name):
            continue
        if setting.source == "configuration file" and not same(entry_or_none, setting.value, entry_or_none.boot):
            old = entry_or_none.spell(setting.value)
            changes.append(ParameterChange(name, old, entry_or_none.default, entry_or_none.restart))
    return changes


def _fixed(running: Running, name: str) -> bool:
    return name in running.altered or (name in running.settings and running.settings[name].source == "command line")


def restarted_services(files: Sequence[FileChange], parameters: Iterable[ParameterChange]) -> list[str]:
    """Running services whose files changed and that read them only at their start."""
    others = [change.path.split("/")[0] for change in files if change.path not in _READ_AGAIN]
    services = {_RESTARTED_FOR[top] for top in others if top in _RESTARTED_FOR}
    if any(change.path == _RECEIVE for change in files):
        services.add("receiver")
    if any(change.restart for change in parameters):
        services.add("postgres")
    return sorted(services)


def reload_needed(changes: Changes) -> bool:
    """Whether the server must read its files again, without a restart."""
    if "postgres" in changes.services:
        return False
    touched = any(change.path.startswith("postgres/pg_") for change in changes.files)
    # An interrupted run leaves files that are right and a server that has not read them.
    waiting = any(not change.restart for change in changes.parameters)
    return touched or waiting or any(change.path == "postgres/postgresql.conf" for change in changes.files)


def reload_suffices(changes: Changes) -> bool:
    """Whether nothing but a reload is to be done: no service to start, no role to provision, no file of the engine."""
    others = [change.path for change in changes.files if change.path not in _READ_AGAIN]
    return changes.running and reload_needed(changes) and not changes.services and not others


def frees_commits(changes: Changes) -> bool:
    """Whether commits wait for a receiver now, and shall not any more."""
    mine = (change for change in changes.parameters if change.name == "synchronous_standby_names")
    return changes.running and any(RECEIVER not in change.new for change in mine)


def ssl_fault(known: Sequence[str], log: Sequence[str]) -> str:
    """What keeps SSL off after a reload, empty where nothing does. `known` is the log before, both end with the newest.

    The server only logs it, and shows `ssl` as on; the next start would fail.
    """
    last = len(log) - log[::-1].index(known[-1]) if known and known[-1] in log else 0
    fresh = [line.split("LOG:", 1)[-1].strip() for line in log[last:] if "LOG:" in line]
    if not any("SSL configuration was not reloaded" in line for line in fresh):
        return ""
    return next((line for line in fresh if "certificate" in line or "private key" in line), "see its log")
