"""What receive-wal keeps and what it lets go, on the oldest server that is supported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from e2e.stack.server_programs import identity, programs_of
from running_stack import eventually, free_ports

SCRIPT = Path(__file__).resolve().parents[3] / "config" / "postgres" / "receive-wal"
BOUND = 3
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "fsync": "off",
}


@dataclass(frozen=True)
class Receiver:
    """A server, and the script that receives from it into `folder`/tail."""

    folder: Path
    programs: Path
    port: int
    script: subprocess.Popen[bytes]

    def sql(self, *statements: str) -> str:
        words = [word for statement in statements for word in ("-c", statement)]
        login = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "app"]
        argv = [str(self.programs / "psql"), "-XAtq", *login, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def segments(self, count: int, *then: str) -> None:
        """Write and end so many segments."""
        for _ in range(count):
            self.sql("SELECT pg_logical_emit_message(false, 'fill', 'x')", "SELECT pg_switch_wal()", *then)

    def kept(self) -> list[str]:
        """Whole segments in the tail."""
        return sorted(path.name for path in self.files() if "." not in path.name)

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "tail").rglob("*") if path.is_file()]

    @property
    def archive(self) -> Path:
        (system,) = (self.folder / "tail").iterdir()
        made = self.folder / "archive" / system.name
        made.mkdir(exist_ok=True)
        return made

    @property
    def stretches(self) -> list[str]:
        return sorted(path.name for path in next((self.folder / "tail").iterdir()).iterdir())

    @property
    def receiving(self) -> bool:
        return (self.folder / "run" / "receiving").exists()

    @property
    def process(self) -> psutil.Process:
        """pg_receivewal."""
        (found,) = (each for each in psutil.Process(self.script.pid).children() if each.name() == "pg_receivewal")
        return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account owns, and can reach."""
    made = Path(tempfile.mkdtemp(prefix="receive-", dir="/var/tmp"))
    for path in (made, *(made / each for each in ("tail", "archive", "run"))):
        path.mkdir(exist_ok=True)
        shutil.chown(path, identity()[1])
    shutil.copy(SCRIPT, made)
    (made / "receive-wal").chmod(0o755)
    (made / "password").write_text("of nobody")
    yield made
    shutil.rmtree(made)


@contextmanager
def server(folder: Path, programs: Path, port: int) -> Iterator[None]:
    options = " ".join(f"-c {key}='{value}'" for key, value in {**SETTINGS, "port": port}.items())
    run(folder, programs, "initdb", "-U", "postgres", "-A", "trust", "-N")
    run(folder, programs, "pg_ctl", "-l", "log", "-w", "-o", options, "start")
    try:
        yield
    finally:
        run(folder, programs, "pg_ctl", "-m", "immediate", "stop")


def run(folder: Path, programs: Path, *words: str) -> None:
    who = identity()[0]
    argv = [str(programs / words[0]), "-D", "data", *words[1:]]
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL, **who)


@pytest.fixture
def receiver(folder: Path) -> Iterator[Receiver]:
    programs, (port,) = programs_of(folder, 15), free_ports(1)
    where = {"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "backup"}
    argv = ["sh", "receive-wal", "tail", "archive", "password", "run", str(BOUND)]
    with server(folder, programs, port), (folder / "said").open("wb") as said:
        psql = [str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-q"]
        roles = ("-c", "CREATE DATABASE app", "-c", "CREATE ROLE backup LOGIN REPLICATION")
        subprocess.run([*psql, *roles], check=True)
        script = subprocess.Popen(argv, cwd=folder, env=where, stderr=said, stdout=said, **identity()[0])
        made = Receiver(folder, programs, port, script)
        try:
            eventually(lambda: made.receiving, 30, "WAL is received")
            yield made
        finally:
            script.terminate()
            assert script.wait(30) == 0
            assert not list((folder / "run").iterdir()), "the password stays behind"


def test_what_leaves_the_tail_and_what_stays(receiver: Receiver) -> None:
    said = receiver.folder / "said"
    receiver.segments(BOUND + 2)
    eventually(lambda: said.read_text().count("is dropped from the tail") == 2, 30, "the oldest are dropped")
    assert len(receiver.kept()) == BOUND
    first, second, third = receiver.kept()

    sum_of = subprocess.run(["cksum"], input=content(receiver, first), capture_output=True, check=True).stdout.split()
    (receiver.archive / f"{first}-{b'-'.join(sum_of).decode()}").touch()
    (receiver.archive / f"{second}-1-16777216").touch()
    eventually(lambda: first not in receiver.kept(), 30, "what is archived leaves the tail")
    assert receiver.kept() == [second, third], "other bytes in the archive are no reason"

    (receiver.archive / "archived.txt").write_text(f"before {third} expired\n")
    eventually(lambda: receiver.kept() == [third], 30, "what no backup needs leaves the tail")

    os.kill(receiver.process.pid, signal.SIGSTOP)
    receiver.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
    receiver.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'", "SELECT pg_reload_conf()")
    # Only a checkpoint looks how far back a slot is.
    receiver.segments(8, "CHECKPOINT")
    lost = ("CHECKPOINT", "SELECT wal_status FROM pg_replication_slots")
    eventually(lambda: receiver.sql(*lost) == "lost", 30, "the slot is given up")
    os.kill(receiver.process.pid, signal.SIGCONT)
    eventually(lambda: "00000001.000002" in receiver.stretches, 30, "it begins anew")
    eventually(lambda: receiver.sql("SELECT wal_status FROM pg_replication_slots") == "reserved", 30, "with a new slot")
    assert said.read_text().count("gave up the slot") == 1


def content(receiver: Receiver, name: str) -> bytes:
    return next(path for path in receiver.files() if path.name == name).read_bytes()


def test_it_goes_on_in_the_file_it_was_writing_when_the_server_is_back(receiver: Receiver) -> None:
    before = receiver.process.pid
    run(receiver.folder, receiver.programs, "pg_ctl", "-m", "immediate", "-w", "restart", "-l", "log")
    eventually(lambda: running(receiver) not in (None, before) and receiver.receiving, 30, "it is received again")
    receiver.sql("SELECT pg_logical_emit_message(true, 'mark', 'of after the restart')")
    eventually(lambda: b"of after the restart" in b"".join(map(Path.read_bytes, receiver.files())), 30, "it is there")
    assert receiver.stretches == ["00000001.000001"]


def running(receiver: Receiver) -> int | None:
    try:
        return receiver.process.pid
    except (ValueError, psutil.NoSuchProcess):
        return None
