"""A server on a copy of the data, on this machine, as the account."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine import throwaway
from stackctl.engine.runner import Completed, Runner, SystemUser
from stackctl.errors import EngineFailed


@dataclass(frozen=True)
class EmbeddedThrowaway(throwaway.Reached):
    """A running server; `place` holds its socket, its pg_hba.conf and its log."""

    programs: Path
    runner: Runner
    user: SystemUser | None
    data: Path
    place: Path
    end_seconds: int = throwaway.END_SECONDS

    def run(self, program: str, *arguments: str, check: bool = True, timeout: float = 60) -> Completed:
        """A client program over the socket."""
        login = {"PGHOST": str(self.place), "PGPORT": "5432", "PGUSER": "postgres"}
        return self._run(program, *arguments, check=check, timeout=timeout, env=login)

    def log(self) -> str:
        """What the server wrote."""
        path = self.place / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, settings: Mapping[str, str], timeout: float) -> None:
        """Start and wait until it takes connections."""
        words = shlex.join(throwaway.options(settings))
        place = ("-D", str(self.data), "-l", str(self.place / "log"))
        try:
            self._run("pg_ctl", *place, "-w", "-t", str(int(timeout)), "-o", words, "start", timeout=timeout + 30)
        except EngineFailed as error:
            raise throwaway.not_started(self.log()) from error
        # `pg_ctl` is content with a server that still replays WAL.
        self.wait(timeout)

    def alive(self) -> bool:
        """Whether there is a postmaster."""
        return self._run("pg_ctl", "-D", str(self.data), "status", check=False, timeout=60).returncode == 0

    def stop(self) -> None:
        """Stop it cleanly; at once where somebody does not want to wait for that.

        Raises EngineFailed where it did not end in time, or had ended before.
        """
        try:
            done = self._stop("fast", self.end_seconds)
            if done.returncode != 0:
                raise throwaway.not_ended(self.log(), done.stderr)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Stop it at once, where it runs; what it had not written yet is lost."""
        self._stop("immediate", 300)

    def _stop(self, mode: str, seconds: int) -> Completed:
        words = ("-D", str(self.data), "-w", "-t", str(seconds), "stop", "-m", mode)
        return self._run("pg_ctl", *words, check=False, timeout=seconds + 30)

    def _run(
        self, program: str, *words: str, check: bool = True, timeout: float, env: Mapping[str, str] | None = None
    ) -> Completed:
        return self.runner.run(
            [str(self.programs / program), *words],
            user=self.user,
            cwd=self.place,
            env={"LC_ALL": "C.UTF-8", **(env or {})},
            clean=True,
            check=check,
            timeout=timeout,
            quiet=True,
        )


@contextmanager
def serve(
    programs: Path, runner: Runner, user: SystemUser | None, data: Path, wanted: Mapping[str, str], timeout: float
) -> Iterator[EmbeddedThrowaway]:
    """A server on `data` for as long as the context lasts.

    It is stopped cleanly, or at once where an error or a signal ends the context: nobody uses such a copy.
    """
    # A socket's path must be short, wherever the copy is.
    place = Path(tempfile.mkdtemp(prefix="stackctl-copy-"))
    try:
        hba = throwaway.write_hba(place)
        if user is not None:
            shutil.chown(place, user.uid, user.gid)
        server = EmbeddedThrowaway(programs, runner, user, data, place)
        try:
            server.start(throwaway.settings(hba, place, wanted), timeout)
            yield server
        except BaseException:
            server.drop()
            raise
        server.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)
