"""The reference app before a throwaway server, as a stack has it: gunicorn's workers, each with its pool."""

from __future__ import annotations

import http.client
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stackctl import assets
from stackctl.bench import pgbench
from stackctl.bench.instance import CLIENT, Instance
from stackctl.engine.rooms import ADMINISTRATOR
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed
from stackctl.units import MIB, Bytes

TOOLS = 5000
# What a worker takes under load, measured: 84 to 90 MB.
WORKER_MEMORY = Bytes(100 * MIB)
_READY_SECONDS, _MIGRATE_SECONDS = 30.0, 60.0
# Each may run again where one before failed; the last right is what says that all is there.
_TABLES = f"""
INSERT INTO tools (name, description)
SELECT 'tool ' || i, md5(i::text) FROM generate_series(1, {TOOLS}) AS i WHERE NOT EXISTS (SELECT FROM tools);
VACUUM ANALYZE tools;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {CLIENT}
"""  # noqa: S608 - names of ours
_MADE = f"SELECT has_table_privilege('{CLIENT}', to_regclass('public.tools'), 'UPDATE') AS made"
# $1 is the app's folder, the rest starts it. It goes when the input ends: with the context, or with this process,
# however that ends; and nothing of it is there once this has ended.
_UNTIL_THE_END = """
place=$1; shift
"$@" >/dev/null 2>&1 &
cat >/dev/null
kill -s QUIT $!
wait
rm -rf "$place"
"""


@dataclass(frozen=True)
class Gunicorn:
    """The app's processes, and the connections that each of them keeps."""

    workers: int
    pool: int


@contextmanager
def running_app(runner: Runner, instance: Instance, shape: Gunicorn) -> Iterator[Path]:
    """The app's socket, for as long as the context lasts; nobody else can enter the folder that it is in.

    It runs as whoever runs this, outside the server's limits, as clients do. Raises EngineFailed where it is not ready.
    """
    _make_tables(runner, instance)
    # Not in the room, where the database's account could lead root astray.
    place = Path(tempfile.mkdtemp(prefix="stackctl-bench-app-"))
    door, log = place / "door", place / "log"
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
    where = ("--chdir", str(_home()), "--log-file", str(log), "app.main:app")
    gunicorn = (sys.executable, "-m", "gunicorn", "-c", conf, *where)
    variables = [f"{name}={value}" for name, value in environ.items()]
    with runner.afterwards(["sh", "-c", _UNTIL_THE_END, "sh", str(place), "env", *variables, *gunicorn]):
        _wait(door, log, instance.name)
        yield door


def _make_tables(runner: Runner, instance: Instance) -> None:
    (found,) = instance.ask(_MADE)
    if found["made"]:
        return
    argv = [sys.executable, "-m", "app.migrate"]
    environ = _reach(instance, ADMINISTRATOR)
    runner.run(argv, env=environ, cwd=_home(), clean=True, quiet=True, timeout=_MIGRATE_SECONDS)
    instance.do(*_TABLES.strip().split(";\n"))


def _home() -> Path:
    return assets.root() / "stack" / "app"


def _reach(instance: Instance, role: str) -> Mapping[str, str]:
    place = quote(str(instance.room.socket), safe="")
    # Nothing of ours stays beside the app's files.
    once = {"PYTHONDONTWRITEBYTECODE": "1"}
    return {"DATABASE_URL": f"postgresql+psycopg://{role}@/{pgbench.DATABASE}?host={place}", **once}


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
