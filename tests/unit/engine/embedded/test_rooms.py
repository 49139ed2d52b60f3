"""Rooms in folders of the database's account, which may put anything in the place of what is written or read there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from running_postgres import wait_until
from stackctl.bench.app import Gunicorn
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.pooler import running_pooler
from stackctl.bench.slices import Field
from stackctl.engine.embedded.processes import is_at_work
from stackctl.engine.embedded.programs import Server
from stackctl.engine.embedded.rooms import _CLEAN, EmbeddedRoom, EmbeddedRooms
from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import EngineFailed, Unhealthy
from stackctl.units import Bytes

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def rooms(tmp_path: Path) -> EmbeddedRooms:
    made = EmbeddedRooms(tmp_path, Server(Path("/nowhere"), 17, from_wheel=False), Runner(), None)
    made.scratch.mkdir()
    return made


@pytest.fixture
def room(rooms: EmbeddedRooms) -> EmbeddedRoom:
    found = EmbeddedRoom("ours", rooms.base / "ours", rooms.server, rooms.runner, None)
    found.data.mkdir(parents=True)
    return found


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def begin(*words: str, **how: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, **how))
        # The kernel shows its words a moment after it has begun.
        wait_until(psutil.Process(started[-1].pid).cmdline)
        return started[-1]

    yield begin
    for each in started:
        each.kill()
        each.communicate()


def test_the_poolers_file_is_not_written_through_a_link(rooms: EmbeddedRooms, room: EmbeddedRoom) -> None:
    """It would be made anew, and readable for all, wherever the link leads."""
    shadow = rooms.base / "shadow"
    shadow.write_text("root")
    shadow.chmod(0o640)
    ini = room.socket / "pgbouncer.ini"
    ini.symlink_to(shadow)
    instance = Instance(room, Contender("ours", {}, {}, 7), 17)
    nothing: Any = _NoPooler(rooms)
    with pytest.raises(EngineFailed, match="no pooler"), running_pooler(nothing, instance):
        pass
    assert (shadow.read_text(), shadow.stat().st_mode & 0o777) == ("root", 0o640)
    assert not ini.is_symlink()
    assert "default_pool_size = 7\n" in ini.read_text()
    assert ini.stat().st_mode & 0o777 == 0o600


class _NoPooler:
    """Rooms on a machine where PgBouncer does not start."""

    def __init__(self, rooms: EmbeddedRooms) -> None:
        self.write = rooms.write

    def pooler(self, *_: object) -> Any:
        raise EngineFailed("no pooler", hint="")


def test_a_script_is_not_written_through_a_link_that_leads_nowhere_yet(rooms: EmbeddedRooms) -> None:
    script = "SELECT 1;\n"
    there, job = rooms.scratch / f"script-{abs(hash(script))}.sql", rooms.base / "job"
    there.symlink_to(job)
    field = Field(rooms, 1, Bytes(1), Gunicorn(1, 1))
    assert field._file(script) == there
    assert not job.exists()
    assert there.read_text() == script
    written = there.stat().st_ino
    assert (field._file(script), there.stat().st_ino) == (there, written), "once is enough"


def test_what_a_log_leads_to_is_not_told(rooms: EmbeddedRooms, room: EmbeddedRoom) -> None:
    log, shadow = room.home / "log", rooms.base / "shadow"
    log.write_text("one\ntwo\n")
    assert room.log() == "one\ntwo"
    shadow.write_text("root")
    log.unlink()
    log.symlink_to(shadow)
    assert room.log() == ""


def test_only_a_server_on_the_rooms_data_is_killed(room: EmbeddedRoom, start: Start) -> None:
    """Its number is out of a file that names another process."""
    other = start("cat", cwd=room.data)
    (room.data / "postmaster.pid").write_text(f"{other.pid}\n/elsewhere\n")
    with pytest.raises(Unhealthy, match="is another process"):
        room.kill()
    assert other.poll() is None
    server = start("sh", "-c", "read -r word", "-D", str(room.data))
    (room.data / "postmaster.pid").write_text(f"{server.pid}\n{room.data}\n")
    room.kill()
    assert not psutil.pid_exists(server.pid)


def test_only_a_pooler_with_the_rooms_file_is_killed(
    rooms: EmbeddedRooms, room: EmbeddedRoom, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "pgbouncer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho PgBouncer 1.18.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    ini = room.socket / "pgbouncer.ini"
    other, pooler = start("cat", cwd="/"), start("sh", "-c", "read -r word", str(ini), cwd="/")
    for process in (other, pooler):
        with rooms.pooler(room, ini):
            ini.with_suffix(".pid").write_text(f"{process.pid}\n")
    assert other.poll() is None
    assert not psutil.pid_exists(pooler.pid)


def test_a_process_of_somebody_else_is_not_the_accounts(tmp_path: Path, start: Start) -> None:
    process = start("sh", "-c", "read -r word", str(tmp_path))
    account = SystemUser("postgres", os.geteuid() + 1, 1)
    assert is_at_work(process.pid, tmp_path, None)
    assert not is_at_work(process.pid, tmp_path, account)
    assert not is_at_work(-1, tmp_path, None)
    assert not is_at_work(10**30, tmp_path, None)


def test_nothing_copies_the_rows_of_a_stack_once_the_rooms_are_gone(tmp_path: Path, start: Start) -> None:
    """It is a child of the command, which may have been killed; what else names the folder is somebody else's."""
    program, base = tmp_path / "pg_dump", tmp_path / "rooms"
    program.write_text("#!/bin/sh\nread -r word\n")
    program.chmod(0o755)
    (base / "scratch").mkdir(parents=True)
    dump = str(base / "scratch" / "app.dump")
    with Runner().afterwards(["sh", "-c", _CLEAN, "sh", str(base)]):
        copies, elsewhere = (start(str(program), "--file", each) for each in (dump, f"{base}s/app.dump"))
        looks = start("sh", "-c", "read -r word", dump)
    assert copies.wait(5) == -15
    assert (elsewhere.poll(), looks.poll()) == (None, None)
    assert not base.exists()
