"""The stack's scheduler where pgBackRest takes the backups: in an object store, and in an encrypted folder."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from missed_schedule import YEARLY, backups, caught_up, remember_nothing_done, told
from object_store import KEY, SECRET, make_store
from running_stack import Stack, docker, eventually


@pytest.fixture(scope="module", params=["folder", "store"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def scheduled(kind: str, tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[Stack]:
    """A stack with a schedule whose times it missed for years, and made up for."""
    store = make_store(tmp_path_factory.mktemp("store"), "backups") if kind == "store" else None
    made = Stack(tmp_path_factory.mktemp(f"pgbackrest-{kind}"), "docker")
    remember_nothing_done(made)
    place = store.settings("backups", "shop") if store else {"encryption": True}
    made.write(backup={"engine": "pgbackrest", "schedule": YEARLY, **place})
    try:
        if store:
            store.start()
        made.up()
        caught_up(made)
        yield made
    finally:
        made.remove()
        if store:
            store.stop()


def test_what_was_missed_is_taken_tried_and_noted(scheduled: Stack) -> None:
    taken = backups(scheduled)[0]
    assert (taken["engine"], taken["kind"], taken["status"]) == ("pgbackrest", "full", "ok")
    assert taken["verified_at"]
    wanted = [words for name in YEARLY for words in ([name, "begins,", "due", "since"], [name, "ended", "with", "0"])]
    eventually(lambda: len(told(scheduled)) >= len(wanted), 30, "the end of the last one is told")
    # Whatever order the tests have, this came first.
    assert told(scheduled)[: len(wanted)] == wanted
    shown = scheduled.run("backup", "schedule", "--json").data
    assert {job["job"]: job["state"] for job in shown["jobs"]} == dict.fromkeys(YEARLY, "done")
    # The observer goes by what runs note.
    noted = json.loads((scheduled.private / "work" / "noted" / "backups.json").read_text())
    assert (noted[0]["id"], noted[0]["drilled_at"]) == (taken["id"], taken["drilled_at"])
    assert not list(scheduled.private.rglob(".restore-*"))
    assert scheduled.run("plan").code == 0


def test_the_container_writes_no_data_and_has_no_way_to_be_the_administrator(scheduled: Stack, kind: str) -> None:
    container = scheduled.container("scheduler")
    (found,) = json.loads(docker("inspect", container).out)
    mounts = {mount["Destination"]: mount["RW"] for mount in found["Mounts"]}
    writable = {"/srv/project/.stackctl/scheduler", "/srv/project/.stackctl/work"}
    if kind == "folder":
        writable |= {str(scheduled.folder / "backups"), "/var/lib/stackctl/repository"}
    assert {place for place, rw in mounts.items() if rw} == writable
    assert not any("docker.sock" in mount["Source"] for mount in found["Mounts"])
    networks = {"database", "repository"} if kind == "store" else {"database"}
    assert set(found["NetworkSettings"]["Networks"]) == {f"{scheduled.name}_{each}" for each in networks}
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    everything = json.dumps(found)
    assert not [text for text in (KEY, SECRET, *scheduled.secrets().values()) if text.strip() in everything]
    assert docker("exec", container, "sh", "-c", "ls /var/run/postgresql/.s.*").code != 0
    assert scheduled.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'backup'") == "f"


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_a_job_that_is_killed_takes_pgbackrest_with_it_and_is_done_again(scheduled: Stack) -> None:
    """Nobody outside of the container could find what went on there."""
    gap(scheduled)
    backup = eventually(lambda: working(scheduled, "backup"), 120, "a backup is being taken")
    for pid in backup:
        os.kill(pid, signal.SIGSTOP)
    done = scheduled.run("backup")
    assert (done.code, "in container" in done.said) == (44, True), done.said
    (job,) = working(scheduled, "backup --full", program="python")
    os.kill(job, signal.SIGKILL)
    for pid in backup:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in backup), 30, "it is gone with its job")

    # What ended badly waits for an hour, but not over a start of the scheduler.
    os.kill(min(working(scheduled, "backup schedule --run", program="python")), signal.SIGKILL)

    def healed() -> bool:
        archives = scheduled.run("wal", "status", "--json").data["archives"]
        return [each["healed"] for archive in archives for each in archive["gaps"]] == [True]

    eventually(healed, 240, "the gap is healed all the same")
    assert [each["status"] for each in backups(scheduled)] == ["ok", "ok"]
    assert scheduled.run("health").code == 0, scheduled.run("health").said


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_after_a_restore_it_reads_the_data_that_runs(scheduled: Stack) -> None:
    """The restored copy is in another volume."""

    def data(service: str) -> str:
        (found,) = json.loads(docker("inspect", scheduled.container(service)).out)
        (name,) = (m["Name"] for m in found["Mounts"] if m["Destination"].startswith("/var/lib/postgresql"))
        return str(name)

    before = data("scheduler")
    for words in (["--yes"], ["--accept", "--yes"]):
        done = scheduled.run("restore", *words, seconds=600)
        assert done.code == 0, done.said
    assert before != data("scheduler") == data("postgres")
    done = scheduled.run("backup", "--json")
    assert done.code == 0, done.said
    assert scheduled.run("plan").code == 0


def gap(stack: Stack) -> None:
    """Take a segment out of the archive, with others before and behind it."""
    text = "SELECT pg_walfile_name(pg_logical_emit_message(true, 'test', 'x')); SELECT pg_switch_wal()"
    names = [stack.sql(text).splitlines()[0] for _ in range(3)]
    last = f"SELECT coalesce(last_archived_wal, '') >= '{names[-1]}' FROM pg_stat_archiver"
    eventually(lambda: stack.sql(last) == "t", 120, "all are archived")
    (segment,) = (stack.folder / "backups" / "pgbackrest" / "archive").rglob(f"{names[1]}-*")
    segment.unlink()


def working(stack: Stack, words: str, program: str = "pgbackrest") -> list[int]:
    """Processes of the scheduler's container that run a program with these words at the end, by id on this machine."""
    lines = docker("top", stack.container("scheduler"), "-eo", "pid,args").out.splitlines()[1:]
    pairs = (line.split(maxsplit=1) for line in lines)
    return [
        int(pid)
        for pid, line in pairs
        if Path(line.split(" ")[0]).name.startswith(program) and line.endswith(words) and "setpriv" not in line
    ]
