"""`stackctl connect`: the connection string of a role, and how to come by its password."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from stackctl.engine.embedded.place import LOOPBACK
from stackctl.errors import NoEngine, Problem, ProfileError, UsageError
from stackctl.hardware.model import Pooler
from stackctl.operations.project import Opened, catalog_for, open_project
from stackctl.operations.result import Request, Result
from stackctl.operations.state import State
from stackctl.settings.connection import (
    FORMATS,
    MEMORY,
    ROLES,
    Connection,
    application_name,
    option_fault,
    shell_lines,
)
from stackctl.settings.values import Fault, nearest
from stackctl.sizing.catalog import Catalog
from stackctl.sizing.plan import pool_settings

# Service and port inside the containers' network.
_DIRECT, _POOLED = ("postgres", 5432), ("pgbouncer", 6432)


@dataclass(frozen=True)
class Asked:
    """What the command line asked for."""

    role: str
    application_name: str | None
    statement_timeout: str | None
    options: Sequence[str]
    format: str


@dataclass(frozen=True)
class Connecting:
    """The result with the lines of the chosen format, and what to know beside them."""

    result: Result
    lines: Sequence[str]
    remarks: Sequence[str]


def connect_command(request: Request, asked: Asked) -> Connecting:
    """Build the string; it asks no server. Raises UsageError for an unknown role or format, ProfileError for an option.

    Raises NoEngine where nothing was brought up yet.
    """
    _check_words(asked)
    opened = open_project(request)
    if opened.state is None:
        raise NoEngine(f"nothing was brought up in {opened.project.folder} yet", hint="stackctl up")
    connection = _connection(opened, opened.state, asked)
    secret = str(opened.project.secrets / f"{asked.role}_password")
    lines = {
        "url": [connection.url()],
        "dsn": [connection.dsn()],
        "env": [*shell_lines(connection.environment()), f'export PGPASSWORD="$(cat {shlex.quote(secret)})"'],
    }
    remarks = _remarks(opened, connection, secret)
    warnings = (*opened.settings.warnings, *_uncounted(connection))
    return Connecting(Result(_data(connection, secret, remarks), [], warnings), lines[asked.format], remarks)


def _check_words(asked: Asked) -> None:
    if asked.role not in ROLES:
        raise UsageError(f"no role {asked.role!r} that connects over the network", hint=nearest(asked.role, ROLES))
    if asked.format not in FORMATS:
        raise UsageError(f"--format {asked.format}: no such format", hint=nearest(asked.format, FORMATS))


def _connection(opened: Opened, state: State, asked: Asked) -> Connection:
    catalog = catalog_for(opened.settings.profile.postgres)
    pool = pool_settings(opened.settings.pins, 0)
    options, problems = _options(asked, catalog)
    try:
        name = application_name(asked.application_name if asked.application_name is not None else asked.role)
    except Fault as fault:
        problems.append(Problem("bad_value", f"--application-name: {fault}", fault.hint))
    if problems:
        raise ProfileError.of(problems)
    # The pooler is the app's; what others do needs a session that is theirs.
    pooled = asked.role == "app" and opened.settings.profile.pooler is Pooler.PGBOUNCER
    service, port = _POOLED if pooled else _DIRECT
    host, port = (LOOPBACK, state.ports.get(service, port)) if state.engine == "embedded" else (service, port)
    times = (pool.connect_timeout_seconds, pool.keepalives_idle_seconds)
    return Connection(asked.role, host, port, name, *times, options, pooled)


def _options(asked: Asked, catalog: Catalog) -> tuple[dict[str, str], list[Problem]]:
    """The options by the parameters' own names, and what is wrong with them."""
    given = [("--option", text) for text in asked.options]
    if asked.statement_timeout is not None:
        given.append(("--statement-timeout", f"statement_timeout={asked.statement_timeout}"))
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for flag, text in given:
        written, equals, value = text.partition("=")
        name, value = catalog.spelled(written.strip()), value.strip()
        if not equals:
            hint = "write --option work_mem=16MB, for example"
            problems.append(Problem("bad_option", f"{flag} {text}: not of the form NAME=VALUE", hint))
        elif found.get(name, value) != value:
            raise UsageError(f"{name} is given twice, as {found[name]} and {value}", hint="give it once")
        elif problem := option_fault(name, value, catalog, flag):
            problems.append(problem)
        else:
            found[name] = value
    return found, problems


def _remarks(opened: Opened, connection: Connection, secret: str) -> list[str]:
    """How to come by the password, and on Docker by the server."""
    out = [f"password: in {secret}"]
    if connection.pooled and connection.options:
        statements = " ".join(connection.role_settings())
        out.append(f"a pooler passes no options on; as the administrator, for all sessions of the role: {statements}")
    if connection.host == LOOPBACK:
        return out
    name = opened.project.name
    inside = replace(connection, host=LOOPBACK, port=_DIRECT[1], pooled=False).url()
    command = f"docker exec -it -e PGPASSWORD {name}-{_DIRECT[0]}-1 psql {shlex.quote(inside)}"
    return [
        *out,
        f"{connection.host} is a name on the containers' network {name}_database; on this host no port is published",
        f'from this host: PGPASSWORD="$(cat {shlex.quote(secret)})" {command}',
    ]


def _uncounted(connection: Connection) -> list[Problem]:
    names = [name for name in MEMORY if name in connection.options]
    if not names:
        return []
    hint = "report.work_mem in stackctl.yaml is, for all sessions of the role report"
    return [Problem("memory_proof", f"{', '.join(names)} of a single session is not in the memory proof", hint)]


def _data(connection: Connection, secret: str, remarks: Sequence[str]) -> dict[str, Any]:
    return {
        "role": connection.role,
        "host": connection.host,
        "port": connection.port,
        "database": connection.database,
        "application_name": connection.application_name,
        "options": dict(connection.options),
        "role_settings": connection.role_settings() if connection.pooled else [],
        "url": connection.url(),
        "dsn": connection.dsn(),
        "environment": connection.environment(),
        "password_file": secret,
        "remarks": list(remarks),
    }
