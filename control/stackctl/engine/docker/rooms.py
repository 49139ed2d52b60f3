"""Rooms of the Docker engine: containers with the limits that a stack's database has, and one more for the clients."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.docker import orphans
from stackctl.engine.docker.client import DATABASE_USER, bind, database_user, operator
from stackctl.engine.docker.disk import held_disk
from stackctl.engine.docker.place import data_folder
from stackctl.engine.ownership import give
from stackctl.engine.rooms import ADMINISTRATOR, WRITE, Limits, Room
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import ImageUnavailable, Unhealthy
from stackctl.hardware.usage import CGROUP_FILES, Usage, of_cgroup
from stackctl.images.public import data_mount

_PORT = "5432"
_LINES = "10000"
# The first process waits for whoever ends, as the server's own parent is gone.
_IDLE = ("-c", "while :; do sleep 1; done")
# A large one is not gone at once, and as long as its number is taken none starts on the same data.
_KILL = """
read -r server <"$1/postmaster.pid"
kill -s KILL -- -1
for turn in $(seq 600); do kill -0 "$server" || exit 0; sleep 0.1; done 2>/dev/null
"""
_FILE = re.compile(r"^==> (.+) <==$", re.MULTILINE)
# What the Engine was asked for before a killed run ended may come after it. $1 is the label, $2 a folder: what copies a
# user's rows into that is a container of the stack's, and would go on.
_CLEAN = """
ours() { docker ps --all --quiet --filter "label=$1"; docker ps --all --quiet --filter "volume=$2"; }
cat >/dev/null
for round in 1 2 3; do
    ours "$1" "$2" | sort -u | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter "label=$1" | xargs -r docker volume rm
    sleep 1
    left="$(ours "$1" "$2")$(docker volume ls --quiet --filter "label=$1")"
    [ "$left" ] || break
done
rm -rf "$2"
"""


@dataclass(frozen=True)
class DockerRoom:
    """One container; its data is in a volume, its socket in a folder that the clients see too."""

    name: str
    container: str
    data: Path
    socket: Path
    runner: Runner

    def run(
        self, program: str, *arguments: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> Completed:
        """Inside the container."""
        login = ("--env", f"PGHOST={self.socket}", "--env", f"PGPORT={_PORT}", "--env", f"PGUSER={ADMINISTRATOR}")
        reads = () if input is None else ("--interactive",)
        argv = ["docker", "exec", *reads, "--env", "LC_ALL=C.UTF-8", *login, self.container, program, *arguments]
        return self.runner.run(argv, input=input, check=check, timeout=timeout, quiet=True)

    def kill(self) -> None:
        """SIGKILL for all in the container but its first process, which the kernel spares; the server is gone then."""
        self.run("sh", "-c", _KILL, "sh", str(self.data), check=False, timeout=90)

    def usage(self) -> Usage:
        """The container's cgroup."""
        text = self.run("tail", "-n", "+1", "-v", *CGROUP_FILES, check=False).stdout
        pieces = _FILE.split(text)[1:]
        found = of_cgroup({path: content.strip() for path, content in zip(pieces[::2], pieces[1::2], strict=True)})
        if found is None:
            raise Unhealthy(
                f"the container of {self.name} does not see a cgroup of its own",
                hint="Docker's default namespace for cgroups shows it; see dockerd --default-cgroupns-mode",
            )
        return found

    def log(self) -> str:
        """The file that pg_ctl writes."""
        return self.run("tail", "-n", _LINES, str(self.socket / "log"), check=False).stdout


@dataclass(frozen=True)
class DockerRooms:
    """Containers of one image with one label, without a network."""

    project: str
    image: str
    postgres: int
    label: str
    scratch: Path
    runner: Runner
    pooler_image: str = ""
    limited: str = "memory and CPUs by the containers' limits"

    def room(self, name: str, limits: Limits) -> Room:
        """A container and a volume."""
        place = self.scratch / name
        place.mkdir()
        _share(place)
        container = f"{self._token}-{name}"
        self.runner.run(["docker", "volume", "create", "--label", self.label, container], quiet=True, timeout=60)
        mount = f"type=volume,source={container},target={data_mount(self.postgres)}"
        most = str(limits.memory)
        self._start(
            container,
            *("--mount", mount, "--shm-size", str(limits.shared)),
            *("--memory", most, "--memory-swap", most, "--cpus", f"{limits.cpus:g}"),
            *self._disk(limits),
        )
        data = Path(data_folder(self.postgres))
        room = DockerRoom(name, container, data, place, self.runner)
        room.run("mkdir", "-p", "-m", "0700", str(data))
        return room

    def write(self, path: Path, text: str) -> None:
        """In the container of the clients, where links lead nowhere else."""
        argv = ["docker", "exec", "--interactive", f"{self._token}-clients", "sh", "-c", WRITE, "sh", str(path)]
        self.runner.run(argv, input=text, quiet=True, timeout=60)

    def leave(self, room: Room) -> None:
        """Remove the container, the volume, and the folder of the socket."""
        container = f"{self._token}-{room.name}"
        self.runner.run(["docker", "rm", "--force", "--volumes", container], quiet=True, timeout=120)
        self.runner.run(["docker", "volume", "rm", container], quiet=True, timeout=120)
        shutil.rmtree(room.socket)

    @contextmanager
    def pooler(self, room: Room, ini: Path) -> Iterator[None]:
        """A container of its own."""
        if not self.pooler_image:
            raise ImageUnavailable("there is no image of PgBouncer", hint="see why above; --images debian builds one")
        name = f"{self._token}-pooler"
        self._start(name, image=self.pooler_image, command=("pgbouncer", str(ini)))
        try:
            yield
        finally:
            self.runner.run(["docker", "rm", "--force", name], quiet=True, timeout=60)

    def client(self, room: Room, program: str, *arguments: str, timeout: float) -> Completed:
        """In the container of the clients."""
        login = ("--env", f"PGHOST={room.socket}", "--env", f"PGPORT={_PORT}", "--env", f"PGUSER={ADMINISTRATOR}")
        words = [
            "docker",
            "exec",
            "--workdir",
            str(self.scratch),
            *login,
            f"{self._token}-clients",
            program,
            *arguments,
        ]
        return self.runner.run(words, check=False, timeout=timeout, quiet=True)

    @property
    def _token(self) -> str:
        return self.label.partition("=")[2]

    def start_clients(self) -> None:
        """A container without limits."""
        self._start(f"{self._token}-clients")

    def _start(self, name: str, *options: str, image: str = "", command: Sequence[str] = ("sh", *_IDLE)) -> None:
        argv = [
            *("docker", "run", "--detach", "--name", name, "--label", self.label, *orphans.labels(self.project)),
            *("--network", "none", "--user", f"{DATABASE_USER.uid}:{DATABASE_USER.gid}"),
            *("--group-add", str(operator().gid), "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--mount", bind(self.scratch, str(self.scratch)), *options),
            *("--entrypoint", command[0], image or self.image, *command[1:]),
        ]
        self.runner.run(argv, quiet=True, timeout=120)

    def _disk(self, limits: Limits) -> list[str]:
        held, words = held_disk(limits.disk), []
        for kind, key in (("iops", "iops"), ("bps", "rate")):
            if held and held[key]:
                value = f"{held['device']}:{held[key]}"
                words += [f"--device-read-{kind}", value, f"--device-write-{kind}", value]
        return words


def _share(folder: Path) -> None:
    """Let the account of the image in, and nobody else: by its own number for root, by our group for others."""
    folder.chmod(0o770)
    give(folder, database_user())


@contextmanager
def docker_rooms(
    runner: Runner, project: str, image: str, postgres: int, pooler_image: str = ""
) -> Iterator[DockerRooms]:
    """Rooms for as long as the context lasts; `image` must be there, and that of the pooler where one is needed."""
    token = f"stackctl-bench-{secrets.token_hex(4)}"
    scratch = Path(tempfile.mkdtemp(prefix=f"{token}-"))
    _share(scratch)
    label = f"stackctl.bench={token}"
    with runner.afterwards(["sh", "-c", _CLEAN, "sh", label, str(scratch)]):
        rooms = DockerRooms(project, image, postgres, label, scratch, runner, pooler_image)
        rooms.start_clients()
        yield rooms
