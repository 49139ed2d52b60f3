"""The stack's scheduler where pgBackRest takes the backups: in an encrypted folder, and in a store beside dumps."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from missed_schedule import WITH_DUMPS, YEARLY, backups, caught_up, remember_nothing_done, told
from mutated import flip, mutated
from object_store import KEY, SECRET, ObjectStore, make_store
from restored import rows
from running_stack import Stack, docker, eventually


@pytest.fixture(scope="module", params=["folder", "store"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def store(kind: str, tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[ObjectStore | None]:
    """None beside a folder."""
    made = make_store(tmp_path_factory.mktemp("store"), "backups") if kind == "store" else None
    if made:
        made.start()
    yield made
    if made:
        made.stop()


@pytest.fixture(scope="module")
def section(store: ObjectStore | None) -> dict[str, Any]:
    """The section `backup`: there are no dumps beside encrypted backups."""
    if store is None:
        return {"engine": "pgbackrest", "schedule": YEARLY, "encryption": True}
    return {**store.settings("backups", "shop"), "schedule": WITH_DUMPS, "encryption": False}


@pytest.fixture(scope="module")
def scheduled(kind: str, section: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a schedule whose times it missed for years, and made up for."""
    made = Stack(tmp_path_factory.mktemp(f"pgbackrest-{kind}"), "docker")
    remember_nothing_done(made, section["schedule"])
    made.write(backup=section)
    try:
        made.up()
        caught_up(made)
        yield made
    finally:
        made.remove()


def states(stack: Stack) -> dict[str, str]:
    """Of each job."""
    return {job["job"]: job["state"] for job in stack.run("backup", "schedule", "--json").data["jobs"]}


def ended_well(stack: Stack) -> set[str]:
    """The jobs that the scheduler said so of."""
    return {words[0] for words in told(stack) if words[1:] == ["ended", "with", "0"]}


def test_what_was_missed_is_taken_tried_and_noted(scheduled: Stack, section: dict[str, Any]) -> None:
    taken, jobs = backups(scheduled)[0], section["schedule"]
    assert (taken["engine"], taken["kind"], taken["status"]) == ("pgbackrest", "full", "ok")
    assert taken["verified_at"]
    # One that meets another run, as that of `up`, is tried again; which comes next is then another one's turn.
    eventually(lambda: states(scheduled) == dict.fromkeys(jobs, "done"), 400, "each job is done")
    eventually(lambda: ended_well(scheduled) == set(jobs), 30, "the end of each is told")
    assert told(scheduled)[0] == ["full", "begins,", "due", "since"]
    # The observer goes by what runs note.
    noted = json.loads((scheduled.private / "work" / "noted" / "backups.json").read_text())
    assert (noted[0]["id"], noted[0]["drilled_at"]) == (taken["id"], taken["drilled_at"])
    assert [each["kind"] for each in noted] == [name for name in jobs if name in ("full", "logical")]
    assert not list(scheduled.private.rglob(".restore-*"))
    assert scheduled.run("plan").code == 0


def test_the_container_writes_no_data_and_has_no_way_to_be_the_administrator(scheduled: Stack, kind: str) -> None:
    container = scheduled.container("scheduler")
    (found,) = json.loads(docker("inspect", container).out)
    mounts = {mount["Destination"]: mount["RW"] for mount in found["Mounts"]}
    own = {"/srv/project/.stackctl/scheduler", "/srv/project/.stackctl/work"}
    # Dumps are on this machine, wherever the others are.
    writable = {*own, str(scheduled.folder / "backups")}
    if kind == "folder":
        writable |= {"/var/lib/stackctl/repository"}
    assert {place for place, rw in mounts.items() if rw} == writable
    assert not any("docker.sock" in mount["Source"] for mount in found["Mounts"])
    networks = {"database", "repository"} if kind == "store" else {"database"}
    assert set(found["NetworkSettings"]["Networks"]) == {f"{scheduled.name}_{each}" for each in networks}
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    everything = json.dumps(found)
    assert not [text for text in (KEY, SECRET, *scheduled.secrets().values()) if text.strip() in everything]
    assert docker("exec", container, "sh", "-c", "ls /var/run/postgresql/.s.*").code != 0
    assert scheduled.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'backup'") == "f"


@pytest.mark.parametrize("kind", ["store"], indirect=True)
def test_dumps_are_beside_what_is_in_the_store_and_need_no_store(
    scheduled: Stack, store: ObjectStore, section: dict[str, Any], tmp_path: Path
) -> None:
    scheduled.add_tools("dumped")
    done = scheduled.run("backup", "--logical", "--json")
    assert done.code == 0, done.said
    full, first, mine = backups(scheduled)
    assert ([first["kind"], mine["kind"]], mine["id"]) == (["logical"] * 2, done.data["id"])
    (rows_of,) = [
        path for path in Path(mine["path"]).rglob("*.dat.gz") if b"dumped" in gzip.decompress(path.read_bytes())
    ]
    with mutated([rows_of], lambda path: flip(path, 20, 1)):
        found = scheduled.run("backup", "verify", "--json")
        assert (found.code, [each["what"] for each in found.data["findings"]]) == (41, [mine["id"]]), found.said
    found = scheduled.run("backup", "verify", "--json")
    assert (found.code, found.data["verified"]) == (0, [full["id"], first["id"], mine["id"]]), found.said

    scheduled.add_tools("after the dump")
    into = tmp_path / "copy"
    store.stop()
    try:
        assert scheduled.run("backup", "show", mine["id"]).code == 0
        done = scheduled.run("restore", "--backup", mine["id"], "--table", "tools", "--into", str(into), "--json")
        assert done.code == 0, done.said
    finally:
        store.start()
    assert scheduled.tools() - rows(scheduled, into) == {"after the dump"}

    scheduled.write(backup={**section, "redundancy": 1})
    try:
        shown = scheduled.run("backup", "expire", "--json").data
        assert [each["id"] for each in shown["expired"]] == [first["id"]]
        assert len(backups(scheduled)) == 3
        assert scheduled.run("backup", "expire", "--apply").code == 0
        assert [each["id"] for each in backups(scheduled)] == [full["id"], mine["id"]]
    finally:
        scheduled.write(backup=section)


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
