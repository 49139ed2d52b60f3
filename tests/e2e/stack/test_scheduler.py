"""The stack's own scheduler on both engines: missed times made up for, faults in its work, gaps healed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from broken_archive import archived, give_up, write
from missed_schedule import YEARLY, backups, caught_up, remember_nothing_done, told
from running_stack import Stack, docker, eventually

ROLES = ("backup", "monitor")


@pytest.fixture(scope="module")
def scheduled(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a schedule whose times it missed for years, and made up for."""
    made = Stack(tmp_path_factory.mktemp(f"scheduled-{engine}"), engine)
    remember_nothing_done(made)
    made.write(backup={"schedule": YEARLY})
    try:
        made.up()
        caught_up(made)
        yield made
        made.write()
        made.up()
        assert "scheduler" not in states(made)
    finally:
        made.remove()


def forget_backups(stack: Stack) -> None:
    for each in (repository(stack) / "backups").glob("*"):
        shutil.rmtree(each)


def repository(stack: Stack) -> Path:
    return Path(stack.run("backup", "status", "--json").data["repository"])


def states(stack: Stack) -> dict[str, str]:
    return {each["name"]: each["health"] for each in stack.run("status", "--json").data["services"]}


def good(stack: Stack) -> list[str]:
    return [each["id"] for each in backups(stack) if each["status"] == "ok" and each["kind"] == "full"]


def processes(stack: Stack) -> dict[int, str]:
    """Those of the scheduler, by id on this machine."""
    if stack.engine == "docker":
        lines = docker("top", stack.container("scheduler"), "-eo", "pid,args").out.splitlines()[1:]
        return {int(pid): words for pid, words in (line.strip().split(" ", 1) for line in lines)}
    mark = f"STACKCTL_HOME={stack.private / 'scheduler'}"
    found = {}
    for each in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if mark in Path(f"/proc/{each.pid}/environ").read_text(errors="replace").split("\0"):
                found[each.pid] = " ".join(each.cmdline())
    return found


def of(stack: Stack, words: str) -> int:
    """The one process of the scheduler whose command line ends with these words."""
    (pid,) = (pid for pid, line in processes(stack).items() if line.endswith(words) and "docker-init" not in line)
    return pid


def test_what_was_missed_is_done_once_and_in_order(scheduled: Stack) -> None:
    assert len(backups(scheduled)) == 1
    shown = scheduled.run("backup", "schedule", "--json").data
    assert shown["scheduler"] == "running"
    assert {job["job"]: job["state"] for job in shown["jobs"]} == dict.fromkeys(YEARLY, "done")
    wanted = [[name, *words] for name in YEARLY for words in (["begins,", "due"], ["ended", "with"])]
    # What was done is recorded a moment before its end is told.
    eventually(lambda: len(told(scheduled)) >= len(wanted), 30, "the end of the last one is told")
    assert [words[:3] for words in told(scheduled)] == wanted
    assert scheduled.run("plan").code == 0
    assert states(scheduled)["scheduler"] == "healthy"


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_the_container_reaches_the_repository_and_little_else(scheduled: Stack) -> None:
    (found,) = json.loads(docker("inspect", scheduled.container("scheduler")).out)
    mounts = {mount["Destination"]: mount["RW"] for mount in found["Mounts"]}
    writable = {str(repository(scheduled)), "/srv/project/.stackctl/scheduler"}
    assert {place for place, rw in mounts.items() if rw} == writable
    assert not any("docker.sock" in mount["Source"] for mount in found["Mounts"])
    read = {"/etc/stackctl/scheduler", "/etc/localtime", *(f"/run/secrets/{name}_password" for name in ROLES)}
    assert set(mounts) - writable <= read
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    given = {each.removeprefix("CAP_") for each in host["CapAdd"] or ()}
    assert given <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"}
    assert list(found["NetworkSettings"]["Networks"]) == [f"{scheduled.name}_database"]
    everything = json.dumps(found)
    assert not [name for name, text in scheduled.secrets().items() if text.strip() in everything]


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_it_runs_as_the_operator_and_keeps_nothing_where_the_account_writes(scheduled: Stack) -> None:
    for pid in processes(scheduled):
        assert psutil.Process(pid).uids().effective == os.geteuid()
    place = scheduled.private / "scheduler"
    assert {path.stat().st_uid for path in (place, *place.rglob("*"))} == {os.geteuid()}
    assert place.stat().st_mode & 0o077 == 0


def test_killed_in_the_middle_of_a_backup_it_comes_back_and_takes_it(scheduled: Stack) -> None:
    """Beside it, a backup from the host is refused, and leaves the unfinished one alone."""
    place = repository(scheduled) / "backups"
    forget_backups(scheduled)
    # Its first look after this start finds no backup.
    os.kill(of(scheduled, "backup schedule --run"), signal.SIGKILL)
    (left,) = eventually(lambda: list(place.glob(".new-*")), 120, "a backup is begun")
    job = of(scheduled, "backup --full")
    os.kill(job, signal.SIGSTOP)
    done = scheduled.run("backup")
    assert done.code == 44, done.said
    assert left.is_dir()
    for pid in (of(scheduled, "backup schedule --run"), job):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: good(scheduled), 240, "the next run takes it")
    assert list(place.glob(".new-*")) == []
    assert len(good(scheduled)) == 1
    eventually(lambda: states(scheduled).get("scheduler") == "healthy", 60, "the scheduler is back")


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_a_gap_is_healed_by_a_backup_that_nobody_asked_for(scheduled: Stack) -> None:
    before = good(scheduled)
    scheduled.sql("CREATE TABLE faults (id int)")
    archived(scheduled, write(scheduled))
    archived(scheduled, give_up(scheduled)[-1])

    def healed() -> bool:
        archives = scheduled.run("wal", "status", "--json").data["archives"]
        return [gap["healed"] for each in archives for gap in each["gaps"]] == [True]

    eventually(healed, 180, "the gap is healed")
    (taken,) = set(good(scheduled)) - set(before)
    lines = scheduled.run("logs", "scheduler", "--tail", "1000").out.splitlines()
    assert [line for line in lines if "heal begins, the archive lacks 0000" in line]
    checks = {each["id"]: each["status"] for each in scheduled.run("health", "--json").data["checks"]}
    assert checks["wal_gap"] == "ok"
    scheduled.sql("DROP TABLE faults")
    # What was before the gap can no longer reach now; without it, nobody needs what is missing.
    for each in before:
        shutil.rmtree(repository(scheduled) / "backups" / each)
    assert scheduled.run("wal", "verify").code == 0
    assert good(scheduled) == [taken]


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_health_is_loud_where_its_supervisor_is_gone_and_up_brings_it_back(scheduled: Stack) -> None:
    for pid in processes(scheduled):
        os.kill(pid, signal.SIGKILL)
    done = scheduled.run("health", "--json")
    assert done.code == 30
    (check,) = (check for check in done.data["checks"] if check["id"] == "service_scheduler")
    assert check["status"] == "fail"
    scheduled.up()
    assert states(scheduled)["scheduler"] == "healthy"
    # One of each; a job may be at work beside them.
    assert len([line for line in processes(scheduled).values() if "supervisor" in line]) == 1
    assert of(scheduled, "backup schedule --run")
