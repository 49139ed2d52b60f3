"""The only place that starts processes. Commands are argument lists, echoed so that a person can paste them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackctl.errors import EngineFailed, NoEngine, TimedOut

# After its error, a program may go on to say how it cleans up.
_ERROR = re.compile(r"\b(error|fatal|panic): ", re.IGNORECASE)
# What pg_basebackup says last where its receiver of WAL ended, which has said before why.
_CONSEQUENCE = "background process terminated unexpectedly"
Beside = Callable[[int], AbstractContextManager[None]]
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def _nothing(_pid: int) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Completed:
    """A command that ended: what it was, its exit status and its output."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class SystemUser:
    """An account that a command runs as when stackctl itself is root."""

    name: str
    uid: int
    gid: int


class Runner:
    """Runs commands to their end. `echo` is given each command line that changes something."""

    def __init__(self, echo: Callable[[str], None] = lambda _line: None) -> None:
        self._echo = echo

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str | None = None,
        timeout: float | None = None,
        check: bool = True,
        user: SystemUser | None = None,
        clean: bool = False,
        quiet: bool = False,
        beside: Beside = _nothing,
    ) -> Completed:
        """Run `argv` and wait. `env` is added to this process's environment; `quiet` leaves the echo out.

        `clean`, as any other `user`, gets none of the operator's own variables, such as PGHOST or GUNICORN_CMD_ARGS.
        `beside` makes a context from the number of the process, which lasts as long as it runs.
        Raises NoEngine where the program is missing, TimedOut after `timeout` seconds, and EngineFailed for a non-zero
        exit status unless `check` is False.
        """
        if not quiet:
            self._echo(shlex.join(argv))
        try:
            process = subprocess.Popen(
                argv,
                env=_environment(env, user, clean),
                cwd=cwd,
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                errors="replace",
                **_identity(user),
            )
            done = _ended(process, argv, input, timeout, beside)
        except FileNotFoundError as error:
            raise NoEngine(f"{argv[0]} is not installed", hint="stackctl doctor lists what is missing") from error
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"{shlex.join(argv)} took more than {timeout:.0f} s", hint="run it by hand") from error
        return _checked(done, check)

    def stream(self, argv: Sequence[str]) -> Iterator[str]:
        """Lines of `argv`'s output as they come; the process ends with the iteration."""
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    yield line.rstrip("\n")
            finally:
                process.terminate()

    @contextmanager
    def afterwards(self, argv: Sequence[str], *, user: SystemUser | None = None) -> Iterator[None]:
        """Start `argv`, which waits for the end of its input: that of the context, or of this process, however it ends.

        At the end of the context it is waited for. In a session of its own, no signal from a terminal ends it before.
        """
        # No other program of ours inherits an end of the pipe, and so keeps it open: Python closes it for them.
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(None, user, True),
            start_new_session=True,
            **_identity(user),
        ) as process:
            try:
                yield
            finally:
                assert process.stdin is not None, "it was asked for"  # noqa: S101
                process.stdin.close()
                process.wait()

    def attend(self, argv: Sequence[str], each: Callable[[], None]) -> int:
        """Run `argv` with our own output to its end and give back its exit status; it is not echoed.

        `each` is called about twice a second meanwhile. Where we are ended, so is it, and it is waited for.
        """
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
            try:
                while True:
                    with suppress(subprocess.TimeoutExpired):
                        return process.wait(0.5)
                    each()
            except BaseException:
                process.terminate()
                # On its own way out Popen waits a quarter of a second for it, and no longer.
                process.wait()
                raise


def _ended(
    process: subprocess.Popen[str], argv: Sequence[str], input: str | None, timeout: float | None, beside: Beside
) -> Completed:
    """Wait for its end; it does not outlive an error of ours."""
    with process:
        try:
            with beside(process.pid):
                stdout, stderr = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return Completed(tuple(argv), process.returncode, stdout, stderr)


def _checked(done: Completed, check: bool) -> Completed:
    if check and done.returncode != 0:
        raise failed(done)
    return done


def failed(done: Completed) -> EngineFailed:
    """The error for a command that ended badly: the last line that calls itself an error says why, else the last."""
    lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    told = [line for line in errors if _CONSEQUENCE not in line] or errors or lines
    reason = told[-1].strip() if told else f"exit status {done.returncode}"
    return EngineFailed(
        f"{shlex.join(done.argv[:6])}: {reason}",
        hint="run that command by hand to see all of its output",
    )


def _environment(extra: Mapping[str, str] | None, user: SystemUser | None, clean: bool) -> dict[str, str]:
    base = dict(os.environ)
    if clean or user is not None:
        base = {key: base[key] for key in _PASSED_ON if key in base}
    if user is not None:
        base |= {"HOME": "/nonexistent", "USER": user.name, "LOGNAME": user.name}
    return base | dict(extra or {})


def _identity(user: SystemUser | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": [], "umask": 0o077}
