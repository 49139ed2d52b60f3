"""The schedule as cron would run it, on both engines."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from running_stack import Stack

SCHEDULE = {"full": "15 2 * * 0", "verify": "0 4 * * 6", "expire": "0 5 * * *"}


@pytest.fixture(scope="module")
def scheduled(stack: Stack) -> Iterator[Stack]:
    """The stack with a schedule in its file."""
    before = (stack.folder / "stackctl.yaml").read_text()
    stack.write(backup={"schedule": SCHEDULE})
    yield stack
    (stack.folder / "stackctl.yaml").write_text(before)


def test_each_line_of_the_crontab_does_its_work(scheduled: Stack) -> None:
    done = scheduled.run("backup", "schedule", "--crontab")
    assert done.code == 0, done.said
    lines = [line for line in done.out.splitlines() if not line.startswith("#")]
    assert [line.split(" ", 5)[:5] for line in lines] == [SCHEDULE[job].split() for job in SCHEDULE]
    known = {backup["id"] for backup in scheduled.run("backup", "list", "--json").data["backups"]}
    for line in lines:
        # What cron gives a job: a shell, a short path, and the home folder to be in.
        command = line.split(" ", 5)[5].replace("\\%", "%")
        ran = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": "/root", "SHELL": "/bin/sh"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stderr
    backups = scheduled.run("backup", "list", "--json").data["backups"]
    (new,) = (backup for backup in backups if backup["id"] not in known)
    assert (new["kind"], new["status"]) == ("full", "ok")
    # None was there before the first slot that is over, so none can be late.
    states = {job["job"]: job["state"] for job in scheduled.run("backup", "schedule", "--json").data["jobs"]}
    assert states == {"full": "done", "verify": "done", "expire": "not recorded"}


def test_health_says_that_all_is_done(scheduled: Stack) -> None:
    done = scheduled.run("health", "--json")
    (check,) = (check for check in done.data["checks"] if check["id"] == "backup_schedule")
    assert check["status"] == "ok"


def test_no_schedule(stack: Stack) -> None:
    stack.write()
    done = stack.run("backup", "schedule")
    assert done.code == 10
    assert "backup.schedule" in done.said
