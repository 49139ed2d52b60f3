"""A server on a copy, really started: how it ends, and what PostgreSQL's programs say of what it leaves."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from e2e.stack.server_programs import identity, place, programs_of
from stackctl.backup.inspection import check_pages
from stackctl.backup.restore import Replay, ask_for_recovery, run_to
from stackctl.backup.target import Target
from stackctl.engine import throwaway
from stackctl.engine.base import Throwaway
from stackctl.engine.embedded.throwaway import EmbeddedThrowaway, serve
from stackctl.engine.runner import Completed, Runner, SystemUser
from stackctl.errors import Damaged, DamagedCopy, EngineFailed

__all__ = ["place"]


@dataclass(frozen=True)
class Local:
    """PostgreSQL's programs as the account, as an engine runs them."""

    folder: Path
    user: SystemUser | None

    def run(self, program: str, *words: str, check: bool = True, **_: object) -> Completed:
        argv = [str(self.folder / program), *words]
        return Runner().run(argv, user=self.user, cwd=Path("/"), env={"LC_ALL": "C.UTF-8"}, clean=True, check=check)

    def serve(
        self, data: Path, settings: Mapping[str, str], _folders: object, timeout: float
    ) -> AbstractContextManager[EmbeddedThrowaway]:
        return serve(self.folder, Runner(), self.user, data, settings, timeout)

    def own(self, path: Path) -> None:
        if self.user:
            shutil.chown(path, self.user.uid, self.user.gid)


@pytest.fixture
def local(place: Path) -> Local:
    user = None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(identity()[1])
        user = SystemUser(nobody.pw_name, nobody.pw_uid, nobody.pw_gid)
    return Local(programs_of(place, 18), user)


@pytest.fixture
def server(local: Local) -> Iterator[EmbeddedThrowaway]:
    """One that runs, with a table in it; whatever a test does to it, nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="throwaway-", dir="/var/tmp"))
    folder.chmod(0o755)
    data, socket = folder / "data", folder / "socket"
    for path in (data, socket):
        path.mkdir(mode=0o700)
        local.own(path)
    local.run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-k")
    made = EmbeddedThrowaway(local.folder, Runner(), local.user, data, socket)
    try:
        made.start(throwaway.settings(throwaway.write_hba(folder), socket, {"shared_buffers": "16MB"}), 60)
        made.run("psql", "-XAtq", "-c", "CREATE TABLE t AS SELECT generate_series(1, 5000) i")
        yield made
    finally:
        made.drop()
        shutil.rmtree(folder)


def postmaster(server: EmbeddedThrowaway) -> psutil.Process:
    return psutil.Process(int((server.data / "postmaster.pid").read_text().splitlines()[0]))


def file_of_t(server: EmbeddedThrowaway) -> Path:
    return server.data / server.run("psql", "-XAtq", "-c", "SELECT pg_relation_filepath('t')").stdout.strip()


def test_a_page_is_damaged_or_the_server_was_not_shut_down(server: EmbeddedThrowaway, local: Local) -> None:
    table = file_of_t(server)
    with pytest.raises(EngineFailed, match="cluster must be shut down"):
        check_pages(local, server.data)  # type: ignore[arg-type]
    server.stop()
    check_pages(local, server.data)  # type: ignore[arg-type]
    good = table.read_bytes()
    table.write_bytes(good[:8000] + bytes([good[8000] ^ 1]) + good[8001:])
    with pytest.raises(Damaged, match=r'checksum verification failed in file ".*", block 0'):
        check_pages(local, server.data)  # type: ignore[arg-type]
    table.write_bytes(good[:-100])
    with pytest.raises(Damaged, match="read 8092 of 8192"):
        check_pages(local, server.data)  # type: ignore[arg-type]


def test_a_server_that_does_not_end_in_time_is_an_error_and_is_ended(server: EmbeddedThrowaway) -> None:
    """Its last checkpoint hangs, as on a disk that hangs."""
    (checkpointer,) = (each for each in postmaster(server).children() if "checkpointer" in " ".join(each.cmdline()))
    checkpointer.send_signal(signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="did not end cleanly: server does not shut down"):
        replace(server, end_seconds=2).stop()
    assert not server.alive()


def test_a_server_that_died_before_is_an_error(server: EmbeddedThrowaway) -> None:
    """As where the kernel killed it for want of memory."""
    main = postmaster(server)
    for each in (main, *main.children()):
        each.kill()
    with pytest.raises(EngineFailed, match="did not end cleanly"):
        replace(server, end_seconds=20).stop()


def backed_up(server: EmbeddedThrowaway, local: Local) -> Path:
    """A copy of the running server, by its own program."""
    copy = server.data.with_name("copy")
    hba = server.data.with_name("pg_hba.conf")
    hba.write_text(hba.read_text() + "local replication postgres trust\n")
    server.run("psql", "-XAtq", "-c", "SELECT pg_reload_conf()")
    copy.mkdir(mode=0o700)
    local.own(copy)
    server.run("pg_basebackup", "--pgdata", str(copy), "--checkpoint=fast")
    return copy


def prepared(local: Local, data: Path, settings: Mapping[str, str], goal: Target | None) -> list[str]:
    """The transactions that are prepared in a copy, once it is recovered as a drill does it."""
    found: list[str] = []

    def inspect(copy: Throwaway) -> None:
        found.extend(row["gid"] for row in copy.query("SELECT gid FROM pg_prepared_xacts"))

    how = Replay(settings={"max_connections": "20", "shared_buffers": "16MB"}, inspect=inspect)
    run_to(local, data, settings, [], goal, lambda _: None, how)  # type: ignore[arg-type]
    return found


def test_a_copy_comes_back_with_its_prepared_transactions(server: EmbeddedThrowaway, local: Local) -> None:
    """The server that wrote them was given room for them after its backup."""
    copy = backed_up(server, local)
    server.stop()
    more = {"max_prepared_transactions": "3", "max_connections": "30", "fsync": "off"}
    server.start(throwaway.settings(server.data.with_name("pg_hba.conf"), server.place, more), 60)
    server.run("psql", "-XAtq", "-c", "BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'paid'")
    server.drop()
    shutil.copytree(server.data / "pg_wal", server.data.with_name("archive"), ignore_dangling_symlinks=True)
    server.data.with_name("archive").chmod(0o755)
    for each in server.data.with_name("archive").iterdir():
        each.chmod(0o755)
    ask_for_recovery(copy)
    local.own(copy / "recovery.signal")
    command = {"restore_command": f"cp {server.data.with_name('archive')}/%f %p", "recovery_target_action": "promote"}
    assert prepared(local, copy, command, Target()) == ["paid"]
    assert prepared(local, copy, {}, None) == ["paid"], "as its control file asks for"


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def starting(local: Local, data: Path, **settings: str) -> None:
    run_to(local, data, {"shared_buffers": "16MB", **settings}, [], None, lambda _: None)  # type: ignore[arg-type]


def test_a_copy_that_does_not_start_is_damaged_where_the_server_says_so(
    server: EmbeddedThrowaway, local: Local
) -> None:
    """What the machine lacks says nothing of it."""
    copy = backed_up(server, local)
    with pytest.raises(EngineFailed, match="could not map anonymous shared memory"):
        starting(local, copy, shared_buffers="8000GB")
    (segment,) = (copy / "pg_wal").glob("0*")
    wal = segment.rename(copy.parent / "segment")
    with pytest.raises(DamagedCopy, match="could not locate required checkpoint record") as lacking:
        starting(local, copy)
    assert lacking.value.exit_code == 41
    wal.rename(segment)
    control = copy / "global" / "pg_control"
    flip(control, 100)
    with pytest.raises(DamagedCopy, match="incorrect checksum in control file"):
        starting(local, copy)
    flip(control, 100)
    control.rename(copy.parent / "control")
    with pytest.raises(DamagedCopy, match=r"pg_control\": No such file or directory"):
        starting(local, copy)
    (copy.parent / "control").rename(control)
    starting(local, copy)
    for each in (copy / "pg_wal").glob("0*"):
        each.write_bytes(bytes(each.stat().st_size))
    with pytest.raises(DamagedCopy, match="could not locate a valid checkpoint record"):
        starting(local, copy)
