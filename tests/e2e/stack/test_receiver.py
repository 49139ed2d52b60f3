"""WAL that is received as it is written: what is lost with the data, and what happens while the receiver is down."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from archived_stack import archived
from http_load import Load, post
from running_stack import Stack, alive, docker, eventually

SENDER = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'stackctl_receiver' AND state = 'streaming'"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def use(stack: Stack, wal: str, **more: Any) -> dict[str, Any]:
    """Bring the stack to a way for its WAL."""
    stack.write(backup={"wal": wal}, **more)
    return stack.up().data


def receiving(stack: Stack) -> bool:
    return stack.sql(SENDER) == "1"


def check(stack: Stack) -> dict[str, str]:
    """What health says of the receiver."""
    checks = stack.run("health", "--json").data["checks"]
    found: dict[str, str] = next(each for each in checks if each["id"] == "receiver")
    return found


def receiver(stack: Stack) -> int:
    """Process id of pg_receivewal."""
    return int(next(pid for pid, words in stack.processes().items() if "pg_receivewal --directory" in words))


def tail(stack: Stack) -> Path:
    (found,) = stack.run("wal", "status", "--json").data["tails"]
    return Path(found["path"])


def lose_data(stack: Stack) -> None:
    """End the server as a crash does, and remove all that it had."""
    if stack.engine == "docker":
        assert docker("rm", "--force", stack.container("postgres")).code == 0
        (volume,) = (name for name in stack.volumes() if "pgdata" in name)
        assert docker("volume", "rm", volume).code == 0
        return
    postmaster = stack.postmaster()
    # Nobody starts it again.
    os.kill(stack.supervisor(), signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)
    eventually(lambda: not alive(postmaster), 30, "the server has ended")
    shutil.rmtree(stack.home / "data")


def restored(stack: Stack) -> dict[str, Any]:
    done = stack.run("restore", "--json", seconds=600)
    assert done.code == 0, done.said
    return done.data


def lost_with_the_data(stack: Stack, prefix: str) -> tuple[list[str], int]:
    """Load the stack, lose its data, restore; gives back the acknowledged rows that are not there, and how many were.

    What the receiver was seen to have before must be there in any case.
    """
    with Load(stack.ports["app"], post("/tools", prefix), clients=8) as load:
        eventually(lambda: len(load.acknowledged) > 300, 60, "the load runs")
        known, position = set(load.acknowledged), stack.sql("SELECT pg_current_wal_insert_lsn()")
        reached = f"SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= '{position}'"
        eventually(lambda: stack.sql(reached) == "1", 30, "the receiver has what was written until now")
        lose_data(stack)
    acknowledged = load.acknowledged
    assert len(acknowledged) > len(known)
    restored(stack)
    there = stack.tools()
    assert known <= there
    return sorted(set(acknowledged) - there), len(acknowledged)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An embedded stack with a backup; each test says how its WAL goes."""
    stack = Stack(tmp_path_factory.mktemp("ways-for-wal"), "embedded")
    try:
        use(stack, "stream")
        assert stack.run("backup").code == 0
        yield stack
    finally:
        stack.remove()


@contextmanager
def receiver_stopped(stack: Stack) -> Iterator[None]:
    """The receiver is there and does nothing, as behind a network that is cut or on a disk that hangs."""
    pid = receiver(stack)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def break_receiver(stack: Stack) -> None:
    """Let it fail at each start, until `up` writes its files again."""
    (stack.home / "rendered" / "postgres" / "receive-wal").write_text("exit 1\n")
    os.kill(receiver(stack), signal.SIGKILL)
    script = [pid for pid, words in stack.processes().items() if "/receive-wal" in words]
    for pid in script:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_stream_loses_at_most_the_last_moment(running: Stack, record_property: Callable[..., None]) -> None:
    stack = running
    use(stack, "stream")
    assert (receiving(stack), check(stack)["status"]) == (True, "ok")
    lost, count = lost_with_the_data(stack, "stream")
    record_property("measured", f"wal: stream, the data destroyed under load: {len(lost)} of {count} rows lost")
    # Nothing is received from a copy that may still be given up.
    assert "receiver" not in {each["name"] for each in stack.run("status", "--json").data["services"]}
    assert stack.run("restore", "--accept", "--yes").code == 0
    eventually(lambda: receiving(stack), 60, "the new timeline is received")
    assert (stack.run("backup", "verify").code, stack.run("wal", "verify").code) == (0, 0)


def test_sync_loses_nothing_that_was_acknowledged(running: Stack, record_property: Callable[..., None]) -> None:
    stack = running
    server = stack.postmaster()
    planned = use(stack, "sync")
    assert (planned["services"], stack.postmaster()) == ([], server), "a reload is enough"
    lost, count = lost_with_the_data(stack, "sync")
    record_property("measured", f"wal: sync, the data destroyed under load: {len(lost)} of {count} rows lost")
    assert lost == []
    stack.add_tools("no commit waits on a copy that is not accepted")
    assert stack.run("restore", "--accept", "--yes").code == 0
    stack.add_tools("after it was accepted")
    assert stack.sql("SHOW synchronous_standby_names") == "stackctl_receiver"


def test_a_position_in_the_tail_can_be_restored_to(running: Stack, tmp_path: Path) -> None:
    stack = running
    use(stack, "sync")
    stack.sql("SELECT pg_switch_wal()")
    stack.add_tools("received")
    position = stack.sql("SELECT pg_current_wal_lsn()")
    stack.add_tools("too late", "and later still")
    end = stack.run("wal", "status", "--json").data["tails"][0]["end"]
    assert stack.sql(f"SELECT '{end}'::pg_lsn >= '{position}'::pg_lsn") == "t"
    plan = stack.run("restore", "--to", f"lsn:{position}", "--dry-run", "--json")
    assert plan.code == 0, plan.said
    beyond = stack.run("restore", "--to", "lsn:FF/0", "--dry-run")
    assert (beyond.code, "the archived WAL ends at" in beyond.said) == (42, True), beyond.said


def test_recovery_that_ends_early_in_a_damaged_tail_is_told(running: Stack, tmp_path: Path) -> None:
    """PostgreSQL takes the first record that is not sound for the end, and says nothing."""
    stack = running
    use(stack, "sync")
    archived(stack)
    stack.sql("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 2000)) FROM generate_series(1, 1500)")
    segment = stack.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    (partial,) = tail(stack).glob(f"*/{segment}.partial")

    def drilled() -> tuple[int, dict[str, bool]]:
        done = stack.run("backup", "drill", "--json", seconds=600)
        return done.code, {each["name"]: each["ok"] for each in done.data["checks"]}

    assert drilled()[0] == 0
    assert stack.run("wal", "verify").code == 0
    flip(partial, 500_000)
    for words in (("wal", "verify"), ("backup", "verify")):
        done = stack.run(*words, seconds=600)
        assert (done.code, partial.name in done.said) == (41, True), done.said
    code, checks = drilled()
    assert (code, checks) == (41, {"bytes": True, "starts": False})
    done = stack.run("restore", "--into", str(tmp_path / "copy"), seconds=600)
    assert (done.code, "recovery ended at" in done.said, "the WAL goes on to" in done.said) == (0, True, True)
    flip(partial, 500_000)
    assert drilled()[0] == 0


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def test_a_killed_receiver_comes_back_and_no_commit_is_lost_meanwhile(running: Stack) -> None:
    stack = running
    use(stack, "sync")
    before = receiver(stack)
    os.kill(before, signal.SIGKILL)
    stack.add_tools("while it was gone")
    assert receiver(stack) != before
    assert receiving(stack)


def test_commits_wait_for_a_receiver_that_does_not_answer(running: Stack) -> None:
    stack = running
    use(stack, "sync")
    with Load(stack.ports["app"], post("/tools", "waits"), clients=2) as load:
        with receiver_stopped(stack):
            eventually(lambda: stack.sql(WAITING) == "2", 30, "commits wait")
            seen = len(load.acknowledged)
            # Who only reads goes on.
            assert stack.get("app", "/tools?limit=1").status_code == 200
            eventually(lambda: check(stack)["status"] == "fail", 60, "health tells it")
            found = check(stack)
            assert "2 commits wait for it" in found["evidence"]
            assert "backup.wal: archive" in found["hint"]
            assert len(load.acknowledged) == seen, "nothing is acknowledged meanwhile"
        eventually(lambda: len(load.acknowledged) > seen + 20, 30, "they go on")
    assert set(load.statuses) == {201}
    assert set(load.acknowledged) <= stack.tools()


def test_up_goes_on_without_a_receiver_that_is_broken(running: Stack) -> None:
    """As its hint says, with commits that hang; and its slot, which would keep WAL for nobody, is gone."""
    stack = running
    use(stack, "sync")
    break_receiver(stack)
    eventually(lambda: not receiving(stack), 30, "nothing is received")
    with Load(stack.ports["app"], post("/tools", "hangs"), clients=2) as load:
        eventually(lambda: stack.sql(WAITING) == "2", 30, "commits wait")
        stack.write(backup={"wal": "archive"})
        planned = stack.run("plan", "--json")
        assert (planned.code, planned.data["slot_dropped"]) == (12, True)
        assert stack.up().data["slot_dropped"] is True
        eventually(lambda: load.acknowledged, 30, "commits go on")
    assert stack.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert stack.sql("SHOW synchronous_standby_names") == ""
    assert not [words for words in stack.processes().values() if "receive" in words]
    assert stack.run("plan").code == 0


def test_a_slot_that_was_given_up_begins_anew_and_the_archive_is_whole(running: Stack) -> None:
    stack = running
    use(stack, "stream", postgres={"max_slot_wal_keep_size": "32MB", "max_wal_size": "64MB", "min_wal_size": "32MB"})
    first = sorted(path.name for path in tail(stack).iterdir())
    status = "SELECT wal_status FROM pg_replication_slots"
    with receiver_stopped(stack):
        # A sender that nobody reads from is ended by the server, which looks only at a checkpoint.
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        for _ in range(8):
            stack.sql("SELECT pg_logical_emit_message(false, 'fill', 'x'); SELECT pg_switch_wal(); CHECKPOINT")
        eventually(lambda: stack.sql(f"CHECKPOINT; {status}").endswith("lost"), 60, "the slot is given up")
    eventually(lambda: receiving(stack), 60, "it is received again")
    assert stack.sql(status) != "lost"
    assert sorted(path.name for path in tail(stack).iterdir())[-1] > first[-1]
    archived(stack)
    assert stack.run("wal", "verify").code == 0
    # What the archive has leaves the tail.
    eventually(lambda: stack.run("wal", "status", "--json").data["tails"][0]["segments"] == 0, 60, "the tail is short")


def test_containers_lose_nothing_that_was_acknowledged(new_stack: Any, record_property: Callable[..., None]) -> None:
    stack: Stack = new_stack("docker")
    use(stack, "sync")
    assert (receiving(stack), check(stack)["status"]) == (True, "ok")
    assert stack.run("backup").code == 0
    lost, count = lost_with_the_data(stack, "docker")
    record_property("measured", f"wal: sync on Docker, the volume destroyed: {len(lost)} of {count} rows lost")
    assert lost == []
    assert stack.run("restore", "--accept", "--yes").code == 0
    assert docker("stop", stack.container("receiver")).code == 0
    with Load(stack.ports["app"], post("/tools", "hangs"), clients=1) as load:
        eventually(lambda: stack.sql(WAITING) == "1", 30, "a commit waits")
        assert "1 commits wait for it" in check(stack)["evidence"]
        use(stack, "archive")
        eventually(lambda: load.acknowledged, 30, "commits go on")
    assert stack.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert docker("inspect", stack.container("receiver")).code != 0
