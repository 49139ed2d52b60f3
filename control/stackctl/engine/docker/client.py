"""PostgreSQL's programs in containers of the database's image, each with just the folders that it needs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.engine.base import Share, Throwaway
from stackctl.engine.docker import orphans
from stackctl.engine.docker.containers import present
from stackctl.engine.docker.repository import writes
from stackctl.engine.docker.slow import cpus, slowed
from stackctl.engine.docker.throwaway import serve
from stackctl.engine.ownership import give
from stackctl.engine.runner import Completed, Runner, SystemUser
from stackctl.errors import ProfileError
from stackctl.units import Bytes

# The image's own account. An operator who is not root uses their own number: then the files are theirs.
DATABASE_USER = SystemUser("postgres", 999, 999)
_PASSFILE = "/run/pgpass"


def operator() -> SystemUser:
    """Who the programs run as: root cannot be, everybody else can."""
    return DATABASE_USER if os.geteuid() == 0 else SystemUser("operator", os.geteuid(), os.getegid())


def database_user() -> SystemUser | None:
    """Whom root gives what the database needs; nobody else can give anything."""
    return DATABASE_USER if os.geteuid() == 0 else None


@dataclass(frozen=True)
class DockerPrograms:
    """The programs of `image`, on the stack's `network`; `passfile` holds the password of the role backup.

    `project` is the name of its containers. `reach` is what they would mount to reach the
    repository of pgBackRest, over the network `way_out`; `repository` is what they do mount of it.
    """

    project: str
    image: str
    network: str
    runner: Runner
    passfile: Path
    limits: tuple[str, ...] = ()
    wrapper: tuple[str, ...] = ()
    share: Share | None = None
    reach: tuple[tuple[Path, str], ...] = ()
    repository: tuple[tuple[Path, str], ...] = ()
    way_out: str = "none"

    def run(
        self,
        program: str,
        *arguments: str,
        folders: Sequence[Path] = (),
        check: bool = True,
        timeout: float = 60,
        quiet: bool = False,
    ) -> Completed:
        """Run `program` to its end. Folders are mounted under the paths that they have here."""
        name = f"{self.project}-{program.replace('_', '-')}-{secrets.token_hex(4)}"
        try:
            slow = slowed(name, self.share, self.runner) if self.share else nullcontext()
            argv = self._argv(name, program, arguments, folders)
            with slow:
                return self.runner.run(argv, check=check, timeout=timeout, quiet=quiet)
        except BaseException:
            # Without its client the container would go on.
            self.runner.run(["docker", "rm", "--force", name], check=False, quiet=True, timeout=60)
            raise

    def _argv(self, name: str, program: str, arguments: Sequence[str], folders: Sequence[Path]) -> list[str]:
        login = ("--mount", bind(self.passfile, _PASSFILE), "--env", f"PGPASSFILE={_PASSFILE}")
        # Who reaches the repository does not log in.
        own = ("--rm", "--network", self._network(arguments), *(() if self.repository else login))
        user = DATABASE_USER if writes(self.repository, arguments) else operator()
        return [*self._start(name, own, folders, user), *self._entry(program), *arguments]

    def _entry(self, program: str) -> tuple[str, ...]:
        first, *others = *self.wrapper, program
        return ("--entrypoint", first, self.image, *others)

    def _start(self, name: str, own: Sequence[str], folders: Sequence[Path], user: SystemUser) -> list[str]:
        # The folder above is ours, and open to our group.
        group = () if user == operator() else ("--group-add", str(operator().gid))
        return [
            *("docker", "run", "--name", name, *orphans.labels(self.project), *own),
            *("--user", f"{user.uid}:{user.gid}", *group),
            *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"),  # noqa: S108
            *("--env", "LC_ALL=C.UTF-8", "--env", "TZ=UTC"),
            *self.limits,
            # Behind all others where a CPU is wanted by several, and never more of it than the share.
            *(("--cpu-shares", "128", "--cpus", cpus(self.share)) if self.share else ()),
            *(word for source, target in self.repository for word in ("--mount", bind(source, target))),
            *(word for folder in folders for word in ("--mount", bind(folder, str(folder)))),
        ]

    def _network(self, arguments: Sequence[str]) -> str:
        if self.repository:
            return self.way_out
        # The stack's own network is there only while the stack runs; who does not log in needs none.
        return self.network if "--host" in arguments else "none"

    def _outside(self) -> str:
        return self.way_out if self.repository else "none"

    def own(self, path: Path) -> None:
        """As root, give it to the account."""
        give(path, database_user())

    def serve(
        self, data: Path, settings: Mapping[str, str], folders: Sequence[Path], timeout: float
    ) -> AbstractContextManager[Throwaway]:
        """A container with a server on `data`."""
        name = f"{self.project}-copy-{secrets.token_hex(4)}"
        start = self._start(
            name, ("--detach", "--network", self._outside(), "--shm-size", "1g"), [data, *folders], operator()
        )
        return serve(start, (*self._entry("postgres"), "-D", str(data)), name, self.runner, settings, timeout)

    def gentle(self, memory: Bytes) -> DockerPrograms:
        """With limits of the kernel; without swap, as a limit that swaps slows down all others.

        Containers are no children of ours, so that they step back behind others at the disk by themselves.
        """
        most = str(memory)
        limits = ("--cpus", "1", "--cpu-shares", "128", "--memory", most, "--memory-swap", most)
        return replace(self, limits=limits, wrapper=("ionice", "-c", "3"))

    def paced(self, share: Share) -> DockerPrograms:
        """With a limit on the CPU that follows `share`: who may not run cannot copy."""
        return replace(self, share=share)

    def with_repository(self) -> DockerPrograms:
        """As it was asked for, by whoever made these."""
        if not self.reach:
            raise ProfileError("this project has no repository of pgbackrest", hint="backup.engine: pgbackrest")
        return replace(self, repository=self.reach)

    def login(self) -> tuple[str, ...]:
        """Over the stack's own network."""
        return ("--host", "postgres", "--port", "5432", "--username", "backup", "--no-password")

    def claim(self, folder: Path) -> None:
        """Make it, and as root give it to the image's account."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(folder, database_user())

    def end_strays(self, folders: Sequence[Path]) -> None:
        """Containers that have one of the folders, or the data in it, mounted."""
        for folder in (path for each in folders for path in (each, each / "data")):
            listed = ["docker", "ps", "--all", "--quiet", "--filter", f"volume={folder}"]
            if found := self.runner.run(listed, quiet=True, timeout=60).stdout.split():
                self.runner.run(["docker", "rm", "--force", *found], quiet=True, timeout=60)

    def end_orphans(self) -> bool:
        """Containers, and programs in the database's."""
        return orphans.end_orphans(self.project, self.runner)

    def at_hand(self) -> bool:
        """Whether the image is here."""
        return present(self.image)

    def passes(self, folder: Path) -> bool:
        """Yes: Docker mounts a folder from anywhere, and what lies above it is not in the way."""
        return folder.is_dir()

    def group(self) -> int:
        """As root, that of the image's account."""
        return DATABASE_USER.gid if os.geteuid() == 0 else -1


def bind(source: Path, target: str) -> str:
    """A folder of the host's as an option of `docker run`. Raises ProfileError for a path that it cannot take."""
    for path in (str(source), target):
        if "," in path or '"' in path:
            raise ProfileError(f"{path}: Docker cannot mount a path with a comma or a quote", hint="use another folder")
    return f"type=bind,source={source},target={target}"
