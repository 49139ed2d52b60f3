"""PostgreSQL's programs on this machine, run as the account that owns the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.engine.base import Share, Throwaway
from stackctl.engine.embedded import processes
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.place import LOOPBACK
from stackctl.engine.embedded.programs import Server
from stackctl.engine.embedded.stop_and_go import slowed
from stackctl.engine.embedded.throwaway import serve
from stackctl.engine.ownership import give
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import EngineFailed, ProfileError
from stackctl.units import Bytes


@dataclass(frozen=True)
class EmbeddedPrograms:
    """The programs beside the server of one home; `passfile` holds the password of the role backup."""

    server: Server
    home: Home
    runner: Runner
    port: int
    passfile: Path
    share: Share | None = None

    def run(
        self,
        program: str,
        *arguments: str,
        folders: Sequence[Path] = (),
        check: bool = True,
        timeout: float = 60,
        quiet: bool = False,
    ) -> Completed:
        """Run `program` to its end; `folders` are where they are."""
        return self.runner.run(
            [*self._started(program), *arguments],
            user=self.home.user,
            cwd=self.home.work,
            env=self._environment(),
            clean=True,
            check=check,
            timeout=timeout,
            beside=self._beside,
            quiet=quiet,
        )

    def _started(self, program: str) -> tuple[str, ...]:
        return (self.server.program(program),)

    def _environment(self) -> dict[str, str]:
        return {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PGPASSFILE": str(self.passfile)}

    def _beside(self, pid: int) -> AbstractContextManager[None]:
        return slowed(pid, self.share) if self.share else nullcontext()

    def gentle(self, memory: Bytes) -> EmbeddedPrograms:
        """Itself: processes inherit what bounds this one."""
        return self

    def paced(self, share: Share) -> EmbeddedPrograms:
        """Stopped and let go again many times a second."""
        return replace(self, share=share)

    def with_repository(self) -> EmbeddedPrograms:
        """There is no pgBackRest among them."""
        raise without_pgbackrest()

    def login(self) -> tuple[str, ...]:
        """Over TCP on loopback."""
        return ("--host", LOOPBACK, "--port", str(self.port), "--username", "backup", "--no-password")

    def claim(self, folder: Path) -> None:
        """Make it, and as root give it to the account."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(folder, self.home.user)

    def own(self, path: Path) -> None:
        """As root, give it to the account."""
        give(path, self.home.user)

    def serve(
        self, data: Path, settings: Mapping[str, str], folders: Sequence[Path], timeout: float
    ) -> AbstractContextManager[Throwaway]:
        """A server on `data`, as the account."""
        self._refuse_tablespaces(data)
        return serve(self.server.folder, self.runner, self.home.user, data, settings, timeout)

    def _refuse_tablespaces(self, data: Path) -> None:
        """WAL names the folders of tablespaces as they are here: a copy would write into those of the stack."""
        replays = any((data / name).exists() for name in ("recovery.signal", "backup_label"))
        folder = self.home.data(self.server.major) / "pg_tblspc"
        found = [path for path in folder.iterdir() if path.is_symlink()] if replays and folder.is_dir() else []
        if found:
            raise EngineFailed(
                f"the database has a tablespace in {found[0].readlink()}, into which a copy beside it would write",
                hint="move what is in it (ALTER TABLE ... SET TABLESPACE pg_default), and drop it; nothing was started",
            )

    def end_strays(self, folders: Sequence[Path]) -> None:
        """Processes that have one of the folders in their command line, or work in it."""
        processes.end_all(processes.at_work_in(folders))

    def end_orphans(self) -> bool:
        """They are found by their folders."""
        return False

    def at_hand(self) -> bool:
        """Whether the account has them, and a folder to work in."""
        return Path(self.server.program("postgres")).exists() and self.home.work.is_dir()

    def passes(self, folder: Path) -> bool:
        """Asked as the account: only the kernel knows all of the rules."""
        argv = ["test", "-x", str(folder)]
        return self.runner.run(argv, user=self.home.user, cwd=Path("/"), check=False, quiet=True).returncode == 0

    def group(self) -> int:
        """As root, the account's."""
        return -1 if self.home.user is None else self.home.user.gid


def without_pgbackrest() -> ProfileError:
    """The error for the backup engine that this one does not have."""
    return ProfileError(
        "the embedded engine does not run pgbackrest",
        hint="backup.engine: native, with a folder as the repository; or --engine docker --images debian",
    )
