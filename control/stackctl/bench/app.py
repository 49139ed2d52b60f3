"""The reference app before a throwaway server, as a stack has it: gunicorn's workers, each with its pool."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stackctl import assets
from stackctl.bench import pgbench
from stackctl.bench.instance import CLIENT, Instance
from stackctl.engine.rooms import ADMINISTRATOR
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed

TOOLS = 5000
_READY_SECONDS, _START_SECONDS, _END_SECONDS = 30.0, 60.0, 10.0
_TABLES = f"""
INSERT INTO tools (name, description) SELECT 'tool ' || i, md5(i::text) FROM generate_series(1, {TOOLS}) AS i;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {CLIENT};
VACUUM ANALYZE tools
"""  # noqa: S608 - names of ours
# It goes when its input ends: with the context, or with this process, however that ends. $1 is gunicorn's own file.
_END = 'cat >/dev/null; [ -f "$1" ] && read -r number <"$1" && kill -s QUIT "$number"'


@dataclass(frozen=True)
class Gunicorn:
    """The app's processes, and the connections that each of them keeps."""

    workers: int
    pool: int


@contextmanager
def running_app(runner: Runner, instance: Instance, shape: Gunicorn) -> Iterator[Path]:
    """The app's socket, for as long as the context lasts; nobody else can enter the folder that it is in.

    It runs outside the server's limits, as clients do. Raises EngineFailed where it does not come.
    """
    place = instance.room.socket / "app"
    place.mkdir(exist_ok=True)
    _make_tables(runner, instance)
    door, mark = place / "door", place / "gunicorn.pid"
    for left in (door, mark):
        left.unlink(missing_ok=True)
    environ = {
        **_reach(instance, CLIENT),
        "BIND": f"unix:{door}",
        # Any that is free: nobody asks for the metrics.
        "METRICS_PORT": "0",
        "PROMETHEUS_MULTIPROC_DIR": str(place / "metrics"),
        "WEB_CONCURRENCY": str(shape.workers),
        "DB_POOL_SIZE": str(shape.pool),
        "DB_MAX_OVERFLOW": "0",
    }
    conf = str(assets.root() / "config" / "gunicorn" / "gunicorn.conf.py")
    words = ("-c", conf, "--daemon", "--pid", str(mark), "--log-file", str(place / "log"), "app.main:app")
    with runner.afterwards(["sh", "-c", _END, "sh", str(mark)]):
        _python(runner, environ, "gunicorn", *words)
        _wait(door, place / "log", instance.name)
        yield door
    _wait_for_its_end(mark)


def _make_tables(runner: Runner, instance: Instance) -> None:
    (found,) = instance.ask("SELECT to_regclass('public.tools') IS NOT NULL AS made")
    if not found["made"]:
        _python(runner, _reach(instance, ADMINISTRATOR), "app.migrate")
        instance.do(*_TABLES.strip().split(";\n"))


def _reach(instance: Instance, role: str) -> dict[str, str]:
    return {"DATABASE_URL": f"postgresql+psycopg://{role}@/{pgbench.DATABASE}?host={instance.room.socket}"}


def _python(runner: Runner, environ: dict[str, str], module: str, *words: str) -> None:
    """Run a module beside the app's, with no variable of the operator's own."""
    where = assets.root() / "stack" / "app"
    argv = [sys.executable, "-m", module, *words]
    runner.run(argv, env=environ, cwd=where, clean=True, quiet=True, timeout=_START_SECONDS)


def _wait(door: Path, log: Path, name: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _ready(door):
        if time.monotonic() > deadline:
            said = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
            raise EngineFailed(f"the app is not ready: {''.join(said) or 'no word'}", hint=f"it ran before {name}")
        time.sleep(0.1)


def _ready(door: Path) -> bool:
    connection = http.client.HTTPConnection("bench")
    with suppress(OSError, http.client.HTTPException), socket.socket(socket.AF_UNIX) as connection.sock:
        connection.sock.settimeout(_READY_SECONDS)
        connection.sock.connect(str(door))
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def _wait_for_its_end(mark: Path) -> None:
    """Gunicorn takes its file away as the last thing."""
    deadline = time.monotonic() + _END_SECONDS
    while mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
