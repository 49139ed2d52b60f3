"""PostgreSQL and gunicorn processes that stay up while their slices of load alternate."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "stack" / "app"
SQL = """
CREATE ROLE app LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
INSERT INTO tools (name, description)
    SELECT 'tool ' || i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 5000) AS i;
VACUUM ANALYZE tools
"""
START_SECONDS = 60.0


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(family: list[psutil.Process]) -> float:
    """User and system time of processes and of their children that ended, in seconds."""
    total = 0.0
    for process in family:
        # The time of one that ended meanwhile is its parent's now.
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


class Postgres:
    """A throwaway cluster below /var/tmp with the app's tables; root's runs as nobody."""

    def __init__(self, programs: Path, folder: Path, conf: str, cpu: str) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self._place: dict[str, Any] = {"cwd": folder}
        folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            self._place |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody")
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-N", "--locale=C", "--encoding=UTF8")
        with (folder / "data/postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(conf)
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self.run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", where, cpu=cpu)
        self._fill()

    def run(self, program: str, *argv: str, cpu: str = "") -> str:
        """What one of PostgreSQL's programs says, which must succeed."""
        command = [*(["taskset", "-c", cpu] if cpu else []), str(self.programs / program), *argv]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **self._place)
        return str(done.stdout)

    def url(self, role: str) -> str:
        """Where the app finds it."""
        return f"postgresql+psycopg://{role}@127.0.0.1:{self.port}/postgres"

    def _fill(self) -> None:
        environ = os.environ | {"DATABASE_URL": self.url("postgres")}
        subprocess.run([sys.executable, "-m", "app.migrate"], cwd=APP, env=environ, check=True, capture_output=True)
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as session:
            for statement in SQL.split(";"):
                session.execute(statement.encode())

    def pgbench(self, script: str, clients: int, seconds: float, cpu: str) -> float:
        """Transactions each second of a script with prepared statements, connecting not counted."""
        file = self.folder / "query.sql"
        file.write_text(script)
        argv = ["-n", "-M", "prepared", "-f", str(file), "-c", str(clients), "-T", str(max(1, round(seconds)))]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "app", "postgres"]
        said = self.run("pgbench", *argv, *where, cpu=cpu)
        return float(re.findall(r"tps = ([\d.]+) \(without", said)[0])

    def family(self) -> list[psutil.Process]:
        """The server and its processes."""
        main = psutil.Process(int((self.folder / "data/postmaster.pid").read_text().split()[0]))
        return [main, *main.children()]

    def stop(self) -> None:
        """End it."""
        self.run("pg_ctl", "stop", "-D", "data", "-m", "immediate")


class App:
    """A gunicorn as a stack starts it, with its own environment."""

    def __init__(self, folder: Path, environ: Mapping[str, str], workers: int, cpu: str, module: str = "app.main:app"):
        self.port, self.workers = free_port(), workers
        folder.mkdir()
        own = {"BIND": f"127.0.0.1:{self.port}", "METRICS_PORT": str(free_port()), "WEB_CONCURRENCY": str(workers)}
        own |= {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"), "GUNICORN_KEEPALIVE": "30"}
        own |= {"PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "config/gunicorn/gunicorn.conf.py"), module]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            pinned = ["taskset", "-c", cpu, *command] if cpu else command
            self._process = subprocess.Popen(pinned, cwd=APP, env=os.environ | own | environ, stdout=log, stderr=log)
        self._wait()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.url("/readyz"), timeout=5):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        sys.exit("the app did not become ready:\n" + "\n".join(self.log.read_text().splitlines()[-5:]))

    def family(self) -> list[psutil.Process]:
        """The workers; the master does nothing meanwhile."""
        return psutil.Process(self._process.pid).children()

    def memory(self) -> list[tuple[float, float]]:
        """Resident and proportional memory of each worker, in MB (10^6 bytes)."""
        infos = [process.memory_full_info() for process in self.family()]
        return [(info.rss / 1e6, info.pss / 1e6) for info in infos]

    def stop(self) -> None:
        """End it without waiting for its clients."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
