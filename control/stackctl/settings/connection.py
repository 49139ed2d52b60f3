"""Connection strings for people and reporting tools: pure, and never with a password."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from stackctl.errors import Problem
from stackctl.settings.values import Fault
from stackctl.sizing.catalog import Catalog

# Who may log in over the network; the superuser may not.
ROLES = ("report", "app", "monitor", "backup", "owner")
FORMATS = ("url", "dsn", "env")
# With one of these a session may take more than the memory proof counts.
MEMORY = ("work_mem", "hash_mem_multiplier", "temp_buffers", "maintenance_work_mem")
_NAME_BYTES = 63
# Seconds and probes after which a silent server is given up, as the app's own connections have them.
_KEEPALIVES = {"keepalives": "1", "keepalives_interval": "10", "keepalives_count": "3"}
_ENVIRONMENT = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
}
# Lists: in quotes, ALTER ROLE would take one for a single name.
_LISTS = ("search_path", "temp_tablespaces", "local_preload_libraries")


@dataclass(frozen=True)
class Connection:
    """Where to and as whom. `options` are PostgreSQL parameters of the session; a pooler does not pass them on."""

    role: str
    host: str
    port: int
    application_name: str
    connect_timeout_seconds: int = 10
    keepalives_idle_seconds: int = 30
    options: Mapping[str, str] = field(default_factory=dict)
    pooled: bool = False
    database: str = "app"

    def parameters(self) -> dict[str, str]:
        """Keywords of libpq with their values, not escaped."""
        found = {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": self.role,
            "application_name": self.application_name,
            "connect_timeout": str(self.connect_timeout_seconds),
            **_KEEPALIVES,
            "keepalives_idle": str(self.keepalives_idle_seconds),
        }
        if self.options and not self.pooled:
            found["options"] = " ".join(f"-c {name}={_escaped(value)}" for name, value in self.options.items())
        return found

    def url(self) -> str:
        """The URL form, each part percent-encoded."""
        named = self.parameters()
        host, port, database, user = (quote(named.pop(key), safe="") for key in ("host", "port", "dbname", "user"))
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in named.items())
        return f"postgresql://{user}@{host}:{port}/{database}?{query}"

    def dsn(self) -> str:
        """The form of keywords and values, each in quotes where it needs them."""
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.parameters().items())

    def environment(self) -> dict[str, str]:
        """Variables that libpq reads; it has none for keepalives."""
        return {_ENVIRONMENT[key]: value for key, value in self.parameters().items() if key in _ENVIRONMENT}

    def role_settings(self) -> list[str]:
        """What an administrator runs where the options cannot be sent: it holds for all new sessions of the role."""
        return [f"ALTER ROLE {self.role} SET {name} = {_literal(name, value)};" for name, value in self.options.items()]


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """Lines for a POSIX shell that export `variables`."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def application_name(text: str) -> str:
    """A name that the server shows as it is given. Raises Fault where it would be cut off or changed."""
    if not re.fullmatch(r"[ -~]+", text):
        raise Fault(f"{text!r} has characters that the server would replace", "use printable ASCII")
    if len(text) > _NAME_BYTES:
        raise Fault(f"{text!r} has more than {_NAME_BYTES} characters", "the server would cut it off: shorten it")
    return text


def option_fault(name: str, value: str, catalog: Catalog, origin: str) -> Problem | None:
    """What is wrong with setting `name` for a session at `origin`, None where a session of these roles may."""
    problem = catalog.check(name, value, origin)
    if problem is not None:
        return problem
    if "\r" in value:
        return Problem("bad_value", f"{origin}: {name}: a value is one line", "take the line break out")
    context = catalog.entries[name].context
    if context in ("user", "backend"):
        return None
    who = "only a superuser may set it" if context.startswith("superuser") else "it is a setting of the whole server"
    return Problem("bad_option", f"{origin}: {name}: {who}", "stackctl up --set sets it for the server")


def _escaped(value: str) -> str:
    """For `options`, which the server splits at spaces; a backslash keeps the next character."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w./:@-]+", value, re.ASCII):
        return value
    inner = re.sub(r"([\\'])", r"\\\1", value)
    return f"'{inner}'"


def _literal(name: str, value: str) -> str:
    parts = [part.strip().strip('"') for part in value.split(",")] if name in _LISTS else [value]
    doubled = [part.replace("'", "''") for part in parts]
    return ", ".join(f"'{part}'" for part in doubled)
