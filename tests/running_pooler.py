"""PgBouncer of a running stack, as its clients, its console and its host see it."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg

from running_stack import Stack, docker, parent


def address(stack: Stack) -> tuple[str, int]:
    """Where a client on this host finds it; with Docker only the host has a way into the internal network."""
    if stack.engine == "embedded":
        return "127.0.0.1", stack.ports["pgbouncer"]
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", template, stack.container("pgbouncer")).out.strip(), 6432


def session(stack: Stack, role: str, *, database: str = "app", password: str | None = None) -> psycopg.Connection[Any]:
    """A session through the pooler, each statement a transaction of its own."""
    host, port = address(stack)
    secret = stack.secret(f"{role}_password") if password is None else password
    options: dict[str, Any] = {"dbname": database, "user": role, "password": secret, "connect_timeout": 10}
    return psycopg.connect(host=host, port=port, autocommit=True, prepare_threshold=None, **options)


def shown(stack: Stack, what: str) -> list[dict[str, Any]]:
    """Rows of `SHOW what` on its console, which knows the simple protocol only."""
    with session(stack, "monitor", database="pgbouncer") as console:
        result = console.pgconn.exec_(f"SHOW {what}".encode())
        names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
        return [
            {name: (result.get_value(row, column) or b"").decode() for column, name in enumerate(names)}
            for row in range(result.ntuples)
        ]


def pool_of_the_app(stack: Stack) -> dict[str, str]:
    (found,) = [row for row in shown(stack, "POOLS") if (row["database"], row["user"]) == ("app", "app")]
    return found


def version(stack: Stack) -> tuple[int, int]:
    """Its version, from the line that it logs when it is up."""
    (line,) = [line for line in log(stack).splitlines() if "process up: PgBouncer" in line][-1:]
    major, minor = line.split("PgBouncer ")[1].split(",")[0].split(".")[:2]
    return int(major), int(minor)


def log(stack: Stack) -> str:
    done = stack.run("logs", "pgbouncer", "--tail", "5000")
    assert done.code == 0, done.said
    return done.out


def process(stack: Stack) -> int:
    """The process id of PgBouncer itself; in a container it is the child of a small init."""
    if stack.engine == "embedded":
        (mine,) = [pid for pid, words in stack.processes().items() if words.split(" ")[0].endswith("/pgbouncer")]
        return mine
    first = int(docker("inspect", "--format", "{{.State.Pid}}", stack.container("pgbouncer")).out)
    (mine,) = [pid for pid in _everybody() if _parent(pid) == first]
    return mine


def restart(stack: Stack) -> None:
    """Stop it as an operator would, so that it comes back by itself or at once."""
    if stack.engine == "embedded":
        os.kill(process(stack), signal.SIGINT)
    else:
        assert docker("restart", stack.container("pgbouncer")).code == 0


def kill(stack: Stack) -> None:
    os.kill(process(stack), signal.SIGKILL)


class Traffic:
    """Clients of the API that read and write until they are stopped, and remember every answer."""

    def __init__(self, stack: Stack, clients: int) -> None:
        self.codes: Counter[int | str] = Counter()
        self.acknowledged: set[int] = set()
        self._stack = stack
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def _run(self, number: int) -> None:
        url = self._stack.address("app", "/tools")
        with httpx.Client(timeout=60) as client:
            for turn in itertools.count():
                if self._over.is_set():
                    return
                self._count(lambda turn=turn: self._ask(client, url, f"traffic {id(self)} {number} {turn}"))  # type: ignore[misc]

    def _ask(self, client: httpx.Client, url: str, name: str) -> int:
        answer = client.post(url, json={"name": name, "description": ""})
        if answer.status_code == 201:
            self.acknowledged.add(answer.json()["id"])
        self._count(lambda: client.get(url, params={"limit": 5}).status_code)
        return answer.status_code

    def _count(self, ask: Callable[[], int]) -> None:
        try:
            self.codes[ask()] += 1
        except httpx.TransportError as error:
            self.codes[type(error).__name__] += 1


def _everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return parent(pid)
    return 0
