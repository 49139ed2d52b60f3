"""What receive-wal keeps and what it lets go, on the oldest server that is supported."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import pytest

from e2e.stack.server_programs import identity, programs_of
from mutated import flip
from running_stack import eventually, free_ports
from stackctl.backup.tail import Tail
from stackctl.backup.tail_check import TailCheck
from stackctl.backup.wal_name import lsn
from stackctl.engine.base import Programs
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed

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
    def system(self) -> Path:
        """What was received of the server's cluster."""
        (found,) = (self.folder / "tail").iterdir()
        return found

    @property
    def tail(self) -> Tail:
        return Tail(self.system)

    def newest(self, whole: int) -> list[Path]:
        """So many files, the last of which is not whole."""
        return [each.path for _, each in sorted(self.tail.longest().items())][-whole:]

    @property
    def archive(self) -> Path:
        made = self.folder / "archive" / self.system.name
        made.mkdir(exist_ok=True)
        return made

    @property
    def stretches(self) -> list[str]:
        return sorted(path.name for path in self.system.iterdir())

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


@dataclass
class Reader:
    """The programs of the server, as the check runs them, and what happens before the first one."""

    programs: Path
    first: Callable[[], object] = lambda: None

    def run(self, program: str, *words: str, **_how: object) -> Completed:
        self.first()
        self.first = lambda: None
        argv = (str(self.programs / program), *words)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Completed(argv, done.returncode, done.stdout, done.stderr)

    def own(self, path: Path) -> None:
        """The test's own account reads it."""


@pytest.fixture
def received(receiver: Receiver) -> Iterator[Receiver]:
    """Two whole segments and a part of a third, of which nothing more comes."""
    fill = "SELECT pg_logical_emit_message(true, 'fill', repeat(md5(n::text), 40)) FROM generate_series(1, 26000) n"
    receiver.sql(fill, f"SELECT pg_logical_emit_message(true, 'large', '{'x' * 60_000}')")
    last = lsn(receiver.sql("SELECT pg_current_wal_flush_lsn()")).value
    # The last record may end in zeros.
    eventually(lambda: (end := receiver.tail.end()) and end[1].value > last - 16, 30, "all of it is received")
    process = receiver.process
    process.suspend()
    try:
        yield receiver
    finally:
        process.resume()


def damaged(receiver: Receiver, first: Callable[[], object] = lambda: None) -> list[str]:
    check = TailCheck(cast(Programs, Reader(receiver.programs, first)), receiver.folder / "run")
    return [Path(each.what).name for each in check.damaged(receiver.system.name, receiver.tail)]


def test_a_changed_byte_of_the_tail_is_found(received: Receiver) -> None:
    files = received.newest(2)
    partial = files[-1]
    end = len(partial.read_bytes().rstrip(b"\0"))
    assert damaged(received) == []
    chance = random.Random(11)
    places = [(path, place) for path in files for place in chance.sample(texts(path), 6)]
    # Heads of pages: the format, the timeline, the position; the cluster, and the first record of all.
    places += [(path, page + byte) for path in files for page in (0, 3 * 8192) for byte in (1, 5, 11)]
    places += [(files[0], 25), (partial, 25), (partial, end - 3), (partial, end + 5000)]
    for path, place in places:
        undo = flip(path, place, 0x40)
        assert undo is not None
        assert damaged(received) == [path.name], (path.name, place, end)
        undo()
    for path in files:
        content = path.read_bytes()
        path.write_bytes(random.Random(1).randbytes(len(content)))
        assert path.name in damaged(received)
        path.write_bytes(content)
    for length in (0, 8 * 2**20):
        with files[0].open("r+b") as file:
            content = file.read()
            file.truncate(length)
            assert files[0].name in damaged(received)
            file.seek(0)
            file.write(content)
    assert damaged(received) == []


def test_a_record_that_came_in_part_is_no_damage(received: Receiver) -> None:
    partial = received.newest(1)[0]
    content = partial.read_bytes()
    end = len(content.rstrip(b"\0"))
    chance, large = random.Random(11), content.rindex(b"x" * 50)
    cuts = [*chance.sample(range(end), 10), 3 * 8192, 3 * 8192 + 10, end - 30_000, large - large % 8192 + 40]
    for cut in cuts:
        partial.write_bytes(content[:cut].ljust(len(content), b"\0"))
        assert damaged(received) == [], (cut, end)
    partial.write_bytes(content)


def test_what_is_archived_while_the_tail_is_read_hides_nothing(received: Receiver) -> None:
    first, partial = received.newest(2)
    assert damaged(received, first.unlink) == []
    (place,) = random.Random(5).sample(texts(partial), 1)
    flip(partial, place, 0x40)
    older = received.newest(2)[0]
    assert damaged(received, older.unlink) == [partial.name]


class Killed(Reader):
    def run(self, program: str, *words: str, **_how: object) -> Completed:
        return Completed((program, *words), 137, "", "")


def test_a_reader_that_is_killed_says_nothing_of_the_tail(received: Receiver) -> None:
    check = TailCheck(cast(Programs, Killed(received.programs)), received.folder / "run")
    with pytest.raises(EngineFailed, match="pg_waldump ended with 137"):
        check.damaged(received.system.name, received.tail)


def texts(path: Path) -> list[int]:
    """Bytes of messages: those that fill up a record to eight have no checksum, and mean nothing."""
    return [found.start() + 8 for found in re.finditer(rb"[0-9a-f]{16}", path.read_bytes())]
