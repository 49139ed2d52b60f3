"""The application as its users meet it: a migrated database and a real gunicorn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from running_postgres import Postgres, free_port

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "stack" / "app"


def migrate(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.migrate"]
    return subprocess.run(
        command,
        cwd=APP,
        env=dict(os.environ) | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass
class Database:
    """One database and the environment that leads the application to it."""

    postgres: Postgres
    name: str
    password_file: Path

    def environ(self, role: str = "app") -> dict[str, str]:
        url = f"postgresql+psycopg://{role}@127.0.0.1:{self.postgres.port}/{self.name}"
        return {"DATABASE_URL": url, "DB_PASSWORD_FILE": str(self.password_file)}

    def execute(self, sql: str) -> list[Any]:
        return self.postgres.execute(sql, self.name)


@contextmanager
def locked_table(database: Database) -> Iterator[None]:
    """Make every statement on the table wait."""
    with database.postgres.connect(database.name) as connection, connection.transaction():
        connection.execute("LOCK TABLE tools IN ACCESS EXCLUSIVE MODE")
        yield


@dataclass
class Served:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    url: str
    metrics_url: str
    directory: Path
    log_file: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have the labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in httpx.get(self.metrics_url).text.splitlines() if not line.startswith("#")]
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found if all(w in line for w in wanted))

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def ready(self) -> bool:
        return self.client.get("/readyz").status_code == 200

    def end(self) -> None:
        """Kill what still runs, the master first: it would start new workers."""
        self.client.close()
        if self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            self.process.wait()
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


Serve = Callable[..., Served]


def start(directory: Path, number: int, workers: int, environ: dict[str, str]) -> Served:
    """Start gunicorn on free ports with files below `directory`; wait for nothing."""
    port, metrics_port = free_port(), free_port()
    log, metrics = directory / f"gunicorn-{number}.log", directory / "metrics"
    own = {
        "BIND": f"127.0.0.1:{port}",
        "METRICS_PORT": str(metrics_port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "WEB_CONCURRENCY": str(workers),
        "GUNICORN_KEEPALIVE": "1",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "config/gunicorn/gunicorn.conf.py")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "app.main:app"],
            cwd=APP,
            env=dict(os.environ) | own | environ,
            stdout=output,
            stderr=output,
        )
    url, metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
    return Served(process, url, metrics_url, metrics, log)
