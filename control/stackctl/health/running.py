"""What a running server says of its settings: values in force, lines of its files, settings of roles. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.sizing.catalog import Entry
from stackctl.sizing.wal import RECEIVER

# One query, so that a server that hangs is waited for once. The files come first: to read them marks what waits for a
# restart, also where the server was not told to reload yet.
RUNNING = f"""
SELECT (SELECT json_agg(json_build_object('name', name, 'value', setting, 'error', error, 'file', sourcefile,
                                          'line', sourceline) ORDER BY seqno)
        FROM pg_file_settings) AS lines,
       (SELECT json_agg(json_build_object('name', name, 'value', setting, 'source', source,
                                          'pending', pending_restart, 'restart', context = 'postmaster'))
        FROM pg_settings) AS settings,
       (SELECT json_agg(json_build_object('role', rolname, 'database', datname, 'text', text) ORDER BY 1, 2, text)
        FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS text
        LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase) AS roles,
       EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{RECEIVER}') AS slot
"""  # noqa: S608 - a name of ours
_AUTO_FILE = "postgresql.auto.conf"
# What the session that asks has for itself, or the server worked out: the files decide for all others.
_NOT_OF_FILES = frozenset(
    ["override", "global", "database", "user", "database user", "client", "interactive", "session"]
)


@dataclass(frozen=True)
class Setting:
    """One row of `pg_settings`, `value` in the server's own unit."""

    name: str
    value: str
    source: str
    pending: bool = False
    restart: bool = False


@dataclass(frozen=True)
class FileLine:
    """One line of a configuration file as it is on the disk now, and what is wrong with it."""

    name: str
    value: str
    file: str = ""
    number: int = 0
    error: str = ""

    @property
    def by_alter_system(self) -> bool:
        """Whether ALTER SYSTEM wrote it; such lines win over the rendered file."""
        return self.file.endswith(_AUTO_FILE)


@dataclass(frozen=True)
class RoleSetting:
    """A value that ALTER ROLE or ALTER DATABASE gives to new sessions; empty names mean all roles, all databases."""

    role: str
    database: str
    name: str
    value: str

    @property
    def target(self) -> str:
        """What ALTER is followed by."""
        if not self.role:
            return f"DATABASE {self.database}"
        return f"ROLE {self.role} IN DATABASE {self.database}" if self.database else f"ROLE {self.role}"


@dataclass(frozen=True)
class Running:
    """Settings by name; lines of the rendered file and of ALTER SYSTEM by name; lines with an error; role settings.

    `slot` says that there is one for the receiver of WAL.
    """

    settings: Mapping[str, Setting]
    written: Mapping[str, FileLine]
    altered: Mapping[str, FileLine]
    refused: Sequence[FileLine] = ()
    roles: Sequence[RoleSetting] = ()
    slot: bool = False

    def of_files(self, name: str) -> str | None:
        """The value that the files and the command line give, whatever this session has; None where there is none."""
        setting = self.settings.get(name)
        if setting is not None and setting.source in _NOT_OF_FILES and name in self.written:
            return self.written[name].value
        return setting.value if setting else None


def running_of(row: Mapping[str, Any]) -> Running:
    """The row that RUNNING gives."""
    settings = {each["name"]: Setting(**each) for each in row["settings"] or ()}
    # The files keep the spelling of whoever wrote them.
    known = {name.lower(): name for name in settings}
    found = [_line(each, known) for each in row["lines"] or () if each["name"]]
    waiting = {name for name, setting in settings.items() if setting.pending}
    return Running(
        settings=settings,
        written={line.name: line for line in found if not line.by_alter_system},
        altered={line.name: line for line in found if line.by_alter_system},
        refused=[line for line in found if line.error and line.name not in waiting],
        roles=[_role(each) for each in row["roles"] or ()],
        slot=bool(row.get("slot")),
    )


def same(entry: Entry | None, first: str, second: str) -> bool:
    """Whether two spellings are one value to the server."""
    if entry is None:
        return first == second
    if entry.kind in ("integer", "real"):
        try:
            return abs(entry.number(first) - entry.number(second)) < 1e-9
        except ValueError:
            return False
    if entry.kind == "bool":
        return _truth(first) == _truth(second)
    return first.lower() == second.lower() if entry.kind == "enum" else first == second


def _line(found: Mapping[str, Any], known: Mapping[str, str]) -> FileLine:
    name = known.get(found["name"].lower(), found["name"])
    return FileLine(name, found["value"] or "", found["file"] or "", found["line"] or 0, found["error"] or "")


def _role(found: Mapping[str, Any]) -> RoleSetting:
    name, _, value = found["text"].partition("=")
    return RoleSetting(found["role"] or "", found["database"] or "", name, value)


def _truth(text: str) -> bool:
    return text.lower() in ("on", "true", "yes", "1")
