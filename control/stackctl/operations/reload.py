"""Reload the running server, and see what it made of its files."""

from __future__ import annotations

import time
from collections.abc import Callable

from stackctl.engine.base import Engine
from stackctl.errors import EngineFailed, TimedOut, Unhealthy
from stackctl.health.probes import observe
from stackctl.health.running import Running
from stackctl.operations.changes import ssl_fault
from stackctl.operations.project import catalog_for
from stackctl.operations.stack import Prepared

LOADED = "SELECT extract(epoch FROM pg_conf_load_time()) AS at"
_SECONDS = 10.0
_LINES = 200


def reload_server(prepared: Prepared) -> None:
    """Reload, and log in anew. The server keeps the old value of a line it refuses, and says so only in its log."""
    ssl = _with_ssl(prepared)
    known, before = _log(prepared, ssl), prepared.engine.query(LOADED)
    prepared.engine.reload()
    _wait(lambda: prepared.engine.query(LOADED) != before)
    _refuse_lines(observe(prepared.engine))
    if fault := ssl_fault(known, _log(prepared, ssl)):
        raise EngineFailed(f"PostgreSQL does not use SSL: {fault}", hint="ssl_cert_file and ssl_key_file, or ssl=off")


def reload_back(engine: Engine) -> None:
    """Reload earlier files after those that failed, which may let nobody in."""
    before = _loaded(engine)
    engine.reload()
    _wait(lambda: _loaded(engine) not in (None, before))


def _loaded(engine: Engine) -> object:
    try:
        return engine.query(LOADED)
    except Unhealthy:
        return None


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise TimedOut("PostgreSQL does not reload its configuration", hint="stackctl logs postgres")
        time.sleep(0.1)


def _refuse_lines(running: Running) -> None:
    """Only those of the rendered file: `up` has no part in the lines of ALTER SYSTEM, and tells them."""
    refused = [line for line in running.refused if not line.by_alter_system]
    if refused:
        lines = "; ".join(f"{line.name} = {line.value}: {line.error}" for line in refused)
        raise EngineFailed(f"PostgreSQL refuses {lines}", hint="stackctl logs postgres says why; change the pin")


def _with_ssl(prepared: Prepared) -> bool:
    entry = catalog_for(prepared.sizing.profile.postgres).entries["ssl"]
    return any(each.name == "ssl" and entry.switched_on(each.value) for each in prepared.sizing.parameters)


def _log(prepared: Prepared, wanted: bool) -> list[str]:
    return list(prepared.engine.logs("postgres", _LINES)) if wanted else []
