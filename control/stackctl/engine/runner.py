"""The only place that starts processes. Commands are argument lists, echoed so that a person can paste them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackctl.errors import EngineFailed, NoEngine, TimedOut

# After its error, a program may go on to say how it cleans up.
_ERROR = re.compile(r"\b(error|fatal|panic): ", re.IGNORECASE)
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


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
    ) -> Completed:
        """Run `argv` and wait. `env` is added to this process's environment; `quiet` leaves the echo out.

        `clean`, as any other `user`, gets none of the operator's own variables, such as PGHOST or GUNICORN_CMD_ARGS.
        Raises NoEngine where the program is missing, TimedOut after `timeout` seconds, and EngineFailed for a non-zero
        exit status unless `check` is False.
        """
        if not quiet:
            self._echo(shlex.join(argv))
        try:
            done = subprocess.run(
                argv,
                env=_environment(env, user, clean),
                cwd=cwd,
                input=input,
                stdin=subprocess.DEVNULL if input is None else None,
                capture_output=True,
                errors="replace",
                timeout=timeout,
                check=False,
                **_identity(user),
            )
        except FileNotFoundError as error:
            raise NoEngine(f"{argv[0]} is not installed", hint="stackctl doctor lists what is missing") from error
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"{shlex.join(argv)} took more than {timeout:.0f} s", hint="run it by hand") from error
        return _checked(Completed(tuple(argv), done.returncode, done.stdout, done.stderr), check)

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


def _checked(done: Completed, check: bool) -> Completed:
    if check and done.returncode != 0:
        raise failed(done)
    return done


def failed(done: Completed) -> EngineFailed:
    """The error for a command that ended badly: the last line that calls itself an error says why, else the last."""
    lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
    told = [line for line in lines if _ERROR.search(line)] or lines
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
