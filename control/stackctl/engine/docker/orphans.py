"""What goes on in containers although the run of ours that started it was killed: found by the name of that run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed

# Every container of ours has them, and every program that is started beside the server the variable.
_PROJECT, _RUN = "stackctl.project", "stackctl.run"
_VARIABLE = "STACKCTL_RUN"
# Workers inherit the variable. What ends meanwhile cannot be read any more.
_FIND = f"grep -asoz '^{_VARIABLE}=.*' /proc/[0-9]*/environ | tr '\\0' '\\n'"
# It lets go of its locks when it is asked to end, which takes it a second or two.
_END = """
for it; do kill -s TERM "$it"; done 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
    left=; for it; do kill -0 "$it" && left=1; done 2>/dev/null
    [ "$left" ] || exit 0
    sleep 1
done
for it; do kill -s KILL "$it"; done 2>/dev/null
exit 0
"""
# A container that is being removed is listed for a while.
_TRIES, _PAUSE = 50, 0.2
_ROUNDS = 3


def this_run() -> str:
    """The name of this process, which no other one had since the machine started."""
    return f"{os.getpid()}.{_started(os.getpid())}"


def labels(project: str) -> tuple[str, ...]:
    """Options of `docker run` that say whose container it is."""
    return ("--label", f"{_PROJECT}={project}", "--label", f"{_RUN}={this_run()}")


def marked() -> str:
    """The variable, with its value, for a program that is started beside the server."""
    return f"{_VARIABLE}={this_run()}"


def end_orphans(project: str, runner: Runner) -> bool:
    """End what killed runs left in containers of the project; whether there was any.

    Raises EngineFailed where it stays.
    """
    containers, programs = _end_containers(project, runner), end_programs(project, runner)
    return containers or programs


def _end_containers(project: str, runner: Runner) -> bool:
    for turn in range(_TRIES):
        if not (left := _orphaned(project, runner)):
            return turn > 0
        runner.run(["docker", "rm", "--force", *left], check=False, quiet=True, timeout=60)
        time.sleep(_PAUSE)
    raise EngineFailed(f"a killed run left containers that stay: {', '.join(left)}", hint="docker rm --force them")


def _orphaned(project: str, runner: Runner) -> list[str]:
    listed = runner.run(
        [
            *("docker", "ps", "--all", "--filter", f"label={_PROJECT}={project}"),
            *("--format", f'{{{{.ID}}}} {{{{.Label "{_RUN}"}}}}'),
        ],
        quiet=True,
        timeout=60,
    )
    pairs = (line.partition(" ") for line in listed.stdout.splitlines())
    return [container for container, _, run in pairs if not _goes_on(run)]


def end_programs(project: str, runner: Runner, *, mine: bool = False) -> bool:
    """End those of killed runs, or `mine`, in the database's container, where that runs; whether there was any.

    Raises EngineFailed where one stays.
    """
    wanted = (f"label=com.docker.compose.project={project}", "label=com.docker.compose.service=postgres")
    listed = ["docker", "ps", "--quiet", "--filter", "status=running"]
    listed += [word for label in wanted for word in ("--filter", label)]
    found = False
    for container in runner.run(listed, quiet=True, timeout=60).stdout.split():
        found = _end_in(container, runner, mine=mine) or found
    return found


def _end_in(container: str, runner: Runner, *, mine: bool) -> bool:
    for turn in range(_ROUNDS):
        if not (left := _left(container, runner, mine=mine)):
            return turn > 0
        # Meanwhile it may start another one, as may the Engine one that it was asked for before the run was killed.
        runner.run(["docker", "exec", container, "sh", "-c", _END, "sh", *left], timeout=60)
    if not (left := _left(container, runner, mine=mine)):
        return True
    raise EngineFailed(
        f"what a run started in the database's container goes on without it: process {', '.join(left)}",
        hint="stackctl down and up end it",
    )


def _left(container: str, runner: Runner, *, mine: bool) -> list[str]:
    """The numbers of such processes, as the container counts them."""
    done = runner.run(["docker", "exec", container, "sh", "-c", _FIND], quiet=True, timeout=60)
    pairs = (line.partition(f"/environ:{_VARIABLE}=") for line in done.stdout.splitlines())
    return [
        place.removeprefix("/proc/") for place, _, run in pairs if (run == this_run() if mine else not _goes_on(run))
    ]


def _goes_on(run: str) -> bool:
    number, _, started = run.partition(".")
    return number.isdigit() and _started(int(number)) == started


def _started(process: int) -> str | None:
    """When it was started, in ticks since the machine was; None where it is no more, or only not asked for yet."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
