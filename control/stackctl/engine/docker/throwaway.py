"""A server on a copy of the data, in a container without a network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine import throwaway
from stackctl.engine.runner import Completed, Runner

SOCKET = Path("/tmp")  # noqa: S108 - a tmpfs of the container
_CLEAN = "exited 0"
_HBA = Path("/etc/stackctl-copy/pg_hba.conf")


@dataclass(frozen=True)
class DockerThrowaway(throwaway.Reached):
    """A running container with the server."""

    name: str
    runner: Runner

    def run(self, program: str, *arguments: str, check: bool = True, timeout: float = 60) -> Completed:
        """A client program inside the container."""
        login = ("--env", f"PGHOST={SOCKET}", "--env", "PGUSER=postgres")
        argv = ["docker", "exec", *login, self.name, program, *arguments]
        return self.runner.run(argv, check=check, timeout=timeout, quiet=True)

    def log(self) -> str:
        """What the server wrote."""
        done = self.runner.run(["docker", "logs", self.name], check=False, quiet=True, timeout=60)
        return done.stdout + done.stderr

    def alive(self) -> bool:
        """Whether the container runs."""
        state = ["docker", "inspect", "--format", "{{.State.Running}}", self.name]
        return self.runner.run(state, check=False, quiet=True, timeout=60).stdout.strip() == "true"

    def stop(self) -> None:
        """Stop it cleanly and remove the container, also where somebody does not want to wait for the first.

        Raises EngineFailed where it did not end in time, or had ended before.
        """
        try:
            most = throwaway.END_SECONDS
            clean = ["docker", "stop", "--signal", "INT", "--time", str(most), self.name]
            self.runner.run(clean, check=False, quiet=True, timeout=most + 30)
            # It is content with a server that it had to kill.
            if (ended := self._state()) != _CLEAN:
                raise throwaway.not_ended(self.log(), f"its container is {ended}")
        finally:
            self.drop()

    def _state(self) -> str:
        """Whether it runs, and its exit status; Docker's words where it does not know."""
        asked = ["docker", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", self.name]
        done = self.runner.run(asked, check=False, quiet=True, timeout=60)
        return (done.stdout or done.stderr).strip()

    def drop(self) -> None:
        """Remove the container at once; what the server had not written yet is lost."""
        self.runner.run(["docker", "rm", "--force", self.name], check=False, quiet=True, timeout=60)


@contextmanager
def serve(
    start: Sequence[str], words: Sequence[str], name: str, runner: Runner, wanted: Mapping[str, str], timeout: float
) -> Iterator[DockerThrowaway]:
    """A server for as long as the context lasts: `start` is `docker run` with its options, `words` what it runs.

    It is stopped cleanly, or dropped where an error or a signal ends the context: nobody uses such a copy.
    """
    with tempfile.TemporaryDirectory(prefix="stackctl-copy-") as place:
        Path(place).chmod(0o755)
        hba = throwaway.write_hba(Path(place))
        mount = ("--mount", f"type=bind,source={hba},target={_HBA},readonly")
        server = DockerThrowaway(name, runner)
        options = throwaway.options(throwaway.settings(_HBA, SOCKET, wanted))
        try:
            runner.run([*start, *mount, *words, *options], quiet=True, timeout=60)
            server.wait(timeout)
            yield server
        except BaseException:
            server.drop()
            raise
        server.stop()
