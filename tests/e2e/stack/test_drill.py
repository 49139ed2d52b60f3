"""Drills on both engines: a good backup passes, a broken one does not, and nothing is left of either."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from archived_stack import archived
from running_stack import Done, Stack, docker, eventually
from stackctl.backup import catalog, checksums

QUESTIONS = {
    "the_tool_is_there": "SELECT count(*) = 1 FROM tools WHERE name = 'drilled'",
    "it_is_the_app": "SELECT current_database() = 'app';",
}


@pytest.fixture(scope="module")
def taken(stack: Stack) -> Iterator[dict[str, Any]]:
    """A backup of a stack with a tool in it, whose page nobody touches any more."""
    stack.add_tools("drilled")
    stack.sql("VACUUM FREEZE tools")
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    yield done.data
    shutil.rmtree(Path(done.data["path"]).parent)


@contextmanager
def asking(stack: Stack, questions: dict[str, str]) -> Iterator[None]:
    stack.write(backup={"drill_sql": questions})
    try:
        yield
    finally:
        stack.write()


def drilled(stack: Stack, *words: str) -> Done:
    return stack.run("backup", "drill", "--json", *words, seconds=600)


def left_behind(stack: Stack, repository: Path) -> list[str]:
    """Folders, and processes or containers, of a copy."""
    found = [str(path) for path in repository.glob(".restore-*")]
    if stack.engine == "docker":
        return found + docker("ps", "-aq", "--filter", f"name={stack.name}-copy").out.split()
    places = (entry / "cwd" for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return found + [str(place) for place in places if f"{repository}/.restore-" in linked(place)]


def linked(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def record(stack: Stack, taken: dict[str, Any]) -> dict[str, Any]:
    return stack.run("backup", "show", taken["id"], "--json").data


def test_a_good_backup_passes(stack: Stack, taken: dict[str, Any]) -> None:
    rows = int(stack.sql("SELECT count(*) FROM tools"))
    with asking(stack, QUESTIONS):
        done = drilled(stack)
    assert done.code == 0, done.said
    names = [check["name"] for check in done.data["checks"]]
    asked = [f"sql:{name}" for name in QUESTIONS]
    assert sorted(names) == sorted(
        ["bytes", "starts", "checksums", "amcheck", "catalogue", "tables", "answers", *asked]
    )
    assert done.data["tables"]["public.tools"] == rows
    assert 0 < done.data["rto_seconds"] <= done.data["seconds"]
    assert done.data["rpo_seconds"] >= 0
    found = record(stack, taken)
    assert found["drilled_at"] is not None
    assert found["rto_seconds"] == done.data["rto_seconds"]
    assert left_behind(stack, Path(taken["path"]).parents[1]) == []
    assert stack.run("backup", "verify").code == 0, "the record is whole"
    assert stack.run("backup", "status", "--json").data["drilled_at"] == found["drilled_at"]


def standing(stack: Stack, repository: Path) -> tuple[Any, ...]:
    """How the copy's server stands to others at the disk and the CPUs; nothing while there is none."""
    # It may end while it is looked at.
    with suppress(OSError, ValueError, psutil.Error):
        if stack.engine == "docker":
            (name,) = docker("ps", "-q", "--filter", f"name={stack.name}-copy").out.split()
            state = docker(
                "inspect", "--format", "{{.State.Pid}} {{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}", name
            )
            pid, cpus, memory = map(int, state.out.split())
            return psutil.Process(pid).ionice().ioclass, cpus, memory <= 2**30
        (file,) = repository.glob(".restore-*/data/postmaster.pid")
        copy = psutil.Process(int(file.read_text().splitlines()[0]))
        limits = Path(f"/proc/{copy.pid}/limits").read_text()
        (memory,) = (int(line.split()[3]) for line in limits.splitlines() if line.startswith("Max data size"))
        return copy.ionice().ioclass, copy.nice(), memory <= 2**30
    return ()


def test_a_drill_takes_what_others_leave_of_the_disk_and_the_cpus(stack: Stack, taken: dict[str, Any]) -> None:
    process = stack.start("backup", "drill")
    least = 1_000_000_000 if stack.engine == "docker" else 19
    wanted = (psutil.IOPRIO_CLASS_IDLE, least, True)
    try:
        eventually(lambda: standing(stack, Path(taken["path"]).parents[1]) == wanted, 120, "the copy's server is last")
    finally:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err


@contextmanager
def damaged(path: Path, change: Callable[[bytearray], None]) -> Iterator[None]:
    """A backup with one changed file, whose checksums were written for it as it is now."""
    good = path.read_bytes()
    changed = bytearray(good)
    change(changed)
    (folder,) = (parent for parent in path.parents if (parent / catalog.RECORD).exists())
    try:
        path.write_bytes(changed)
        list_again(folder)
        yield
    finally:
        path.write_bytes(good)
        list_again(folder)


def list_again(folder: Path) -> None:
    found = checksums.digests(folder, frozenset([checksums.LIST, catalog.RECORD]))
    content = checksums.written(found)
    (folder / checksums.LIST).write_bytes(content)
    backup = catalog.decode((folder / catalog.RECORD).read_bytes())
    known = replace(backup, checksums=checksums.digest_of(content))
    (folder / catalog.RECORD).write_bytes(catalog.encode(known))


def test_what_was_damaged_before_its_bytes_were_listed_fails_a_drill(stack: Stack, taken: dict[str, Any]) -> None:
    page = Path(taken["path"]) / "data" / stack.sql("SELECT pg_relation_filepath('tools')")

    def flip(content: bytearray) -> None:
        content[8000] ^= 0x10

    with damaged(page, flip):
        assert stack.run("backup", "verify").code == 0, "only PostgreSQL's own checks can find it"
        done = drilled(stack, taken["id"])
        assert done.code == 41, done.said
        failed = {check["name"] for check in done.data["checks"] if not check["ok"]}
        assert {"checksums", "amcheck", "tables"} <= failed
        assert "starts" not in failed
        assert record(stack, taken)["status"] == "damaged"
        assert stack.run("backup", "verify").code == 0
        assert record(stack, taken)["status"] == "damaged", "the same bytes do not make it good"
    with damaged(Path(taken["path"]) / "data" / "global" / "pg_control", lambda content: content.__setitem__(40, 255)):
        done = drilled(stack, taken["id"])
        failed = [(check["name"], check["hindered"]) for check in done.data["checks"] if not check["ok"]]
        assert (done.code, failed) == (41, [("starts", False)]), done.said
        found = record(stack, taken)
        assert (found["status"], "incorrect checksum" in found["drill_failed"]) == ("damaged", True)
        assert stack.run("restore", "--dry-run").code == 42, "there is no good one"
    assert drilled(stack, taken["id"]).code == 0
    assert record(stack, taken)["status"] == "ok"


@pytest.mark.full_on("docker")
def test_an_index_that_lacks_a_row_fails_although_every_page_fits_its_checksum(
    stack: Stack, taken: dict[str, Any]
) -> None:
    """Only heapallindexed finds it: the index is well formed."""
    index = stack.sql(
        "SELECT pg_relation_filepath(indexrelid) FROM pg_index WHERE indrelid = 'tools'::regclass LIMIT 1"
    )
    path = Path(taken["path"]) / "data" / index

    def forget(content: bytearray) -> None:
        """Take the last line pointer of the first leaf out, and make the page's checksum fit."""
        from page_checksum import page_checksum

        page = bytearray(content[8192:16384])
        lower = int.from_bytes(page[12:14], "little") - 4
        page[lower : lower + 4] = bytes(4)
        page[12:14] = lower.to_bytes(2, "little")
        page[8:10] = page_checksum(page, 1).to_bytes(2, "little")
        content[8192:16384] = page

    with damaged(path, forget):
        done = drilled(stack, taken["id"])
        assert done.code == 41, done.said
        assert [check["name"] for check in done.data["checks"] if not check["ok"]] == ["amcheck"]
    assert drilled(stack, taken["id"]).code == 0


@pytest.mark.full_on("docker")
def test_a_question_that_is_not_true_fails_and_does_not_condemn_the_backup(stack: Stack, taken: dict[str, Any]) -> None:
    questions = {
        "false": "SELECT count(*) < 0 FROM tools",
        "null": "SELECT NULL::boolean",
        "typo": "SELECT count(*) FROM tolls",
        "writes": "WITH gone AS (DELETE FROM tools RETURNING 1) SELECT true FROM gone",
        "good": "SELECT true -- with a comment",
    }
    before = record(stack, taken)
    with asking(stack, questions):
        done = drilled(stack)
    assert done.code == 41, done.said
    evidence = {check["name"]: check["evidence"] for check in done.data["checks"] if check["name"].startswith("sql:")}
    assert evidence["sql:false"] == evidence["sql:null"] == "not true"
    assert 'relation "tolls" does not exist' in evidence["sql:typo"]
    assert "sql:writes" in {check["name"] for check in done.data["checks"] if not check["ok"]}
    assert evidence["sql:good"] == "true"
    after = record(stack, taken)
    assert (after["drill_failing"], after["drill_tried_at"] > before["drill_tried_at"]) == ("sql:false", True)
    assert after == {**before, **{name: after[name] for name in ("drill_failing", "drill_tried_at")}}
    status = stack.run("backup", "status", "--json").data
    assert (status["drill_failing"], status["drilled_at"]) == ("sql:false", before["drilled_at"])
    assert any("the last drill failed: sql:false" in sentence for sentence in status["advice"])
    health = stack.run("health", "--json")
    (told,) = (check for check in health.data["checks"] if check["id"] == "drill")
    assert (health.code, told["status"], "sql:false" in told["evidence"]) == (30, "fail", True)
    assert drilled(stack).code == 0
    assert (stack.run("health").code, record(stack, taken)["drill_failing"]) == (0, "")


@pytest.fixture
def frozen(stack: Stack, taken: dict[str, Any]) -> Iterator[None]:
    """A database in which a trigger refuses every command, as somebody may freeze its structure."""
    stack.sql("CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'frozen'; END $$")
    stack.sql("CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()")
    try:
        archived(stack)
        yield
    finally:
        stack.sql("DROP EVENT TRIGGER no")
        stack.sql("DROP FUNCTION no")
        archived(stack)


@pytest.mark.full_on("docker")
def test_a_trigger_that_refuses_commands_is_not_in_the_way(stack: Stack, frozen: None, tmp_path: Path) -> None:
    """amcheck is an extension, which must be there to look."""
    done = drilled(stack)
    assert (done.code, [check for check in done.data["checks"] if not check["ok"]]) == (0, []), done.said
    done = stack.run("restore", "--into", str(tmp_path / "copy"), "--json", seconds=600)
    assert done.code == 0, done.said
    assert "copy_damaged" not in {each["code"] for each in done.document["warnings"]}, done.said


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_drill_leaves_nothing(stack: Stack, taken: dict[str, Any], ended_by: signal.Signals) -> None:
    """After a kill it is the next run that cleans; the lock is free at once."""
    repository = Path(taken["path"]).parents[1]
    process = stack.start("backup", "drill")
    try:
        eventually(lambda: list(repository.glob(".restore-*/data/postmaster.pid")), 240, "the copy's server starts")
        assert stack.run("backup", "drill").code == 44
        assert stack.run("backup", "expire", "--apply").code == 44
        process.send_signal(ended_by)
        process.communicate(timeout=240)
    finally:
        # Others use the repository next.
        process.kill()
    if ended_by is signal.SIGKILL:
        done = stack.run("backup", "verify")
        assert done.code == 0, done.said
        assert "removed what an interrupted run left" in done.err
    else:
        assert process.returncode == 130
    assert left_behind(stack, repository) == []
