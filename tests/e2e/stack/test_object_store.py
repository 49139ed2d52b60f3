"""Backups in an object store: what is wrong is named, nothing leaks, and an outage of the store is survived."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from object_store import KEY, SECRET, ObjectStore, make_store
from running_stack import PROFILE, Stack, docker, eventually

_FULL = pytest.mark.full


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[ObjectStore]:
    made = make_store(tmp_path_factory.mktemp("store"), "backups")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def kept(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("kept"), "docker")
    stack.write(backup=store.settings("backups", "shop"))
    try:
        stack.up()
        done = stack.run("backup")
        assert done.code == 0, done.said
        yield stack
    finally:
        stack.remove()


def test_nothing_is_readable_in_the_store_and_no_key_is_anywhere_else(kept: Stack, store: ObjectStore) -> None:
    """Not in rendered files, not in state, not in what a command says; the objects hold no plain text."""
    passphrase = kept.secret("repository_passphrase")
    listings = [("backup", "list"), ("wal", "status"), ("status",), ("health",), ("plan",)]
    said = "".join(kept.run(*words, "--json", "--verbose").said for words in listings)
    files = [path for path in (*kept.rendered.rglob("*"), kept.private / "state.json") if path.is_file()]
    for secret in (passphrase, SECRET, KEY):
        assert secret not in said
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
    objects = [path for path in (store.objects / "backups" / "shop").rglob("*") if path.is_file()]
    assert len(objects) > 5
    for path in objects:
        content = path.read_bytes()
        assert b"[backrest]" not in content, path
        # What zstd begins with, where nothing encrypts its output.
        assert not content.startswith(b"\x28\xb5\x2f\xfd"), path


def test_the_observer_knows_the_backups_without_a_way_to_them(kept: Stack) -> None:
    """So that alerts on them fire; it has neither a key nor a network that leads there."""
    observer = kept.container("observer")
    listed = kept.run("backup", "list", "--json").data["backups"]
    good = sum(each["status"] == "ok" for each in listed)

    def told() -> dict[str, str]:
        done = docker("exec", kept.container("prometheus"), "wget", "-qO-", "http://observer:9188/metrics")
        return dict(line.rpartition(" ")[::2] for line in done.out.splitlines() if not line.startswith("#"))

    eventually(lambda: told().get('stackctl_backups{kind="full",status="ok"}') == f"{good:.1f}", 90, "they are told of")
    found = told()
    assert float(found['stackctl_backup_timestamp_seconds{kind="full"}']) > 0
    assert found['stackctl_collector_success{collector="noted"}'] == "1.0"
    assert sorted(docker("exec", observer, "ls", "/run/secrets").out.split()) == ["monitor_password"]
    assert docker("exec", observer, "sh", "-c", "echo >/var/lib/stackctl/noted/backups.json").code != 0


@pytest.mark.parametrize(
    ("wrong", "key", "sentence"),
    [
        pytest.param({"key_file": "wrong"}, "key_file", "the store", id="key"),
        # A minute each. In the ordinary run, what pgBackRest says of these is read from a table of its own words.
        pytest.param({"repository": "s3://nowhere/shop"}, "repository", "no such bucket", id="bucket", marks=_FULL),
        pytest.param({"ca_file": None}, "ca_file", "is not trusted", id="trust", marks=_FULL),
        # It takes a minute for each command. In the ordinary run, the outage below says the same.
        pytest.param({"endpoint": "{address}:1"}, "endpoint", "cannot be reached", id="host", marks=_FULL),
    ],
)
def test_what_is_wrong_is_named_by_its_key(
    kept: Stack, store: ObjectStore, wrong: dict[str, Any], key: str, sentence: str
) -> None:
    """`up` warns and the stack runs; `backup` fails with 40, `health` with 30; then the project file is put right."""
    (kept.folder / "wrong").write_text("AKNOBODY\n")
    given = {name: value.format(address=store.address) if value else None for name, value in wrong.items()}
    settings = {**store.settings("backups", "shop"), **given}
    kept.write(backup={name: value for name, value in settings.items() if value is not None})
    try:
        warnings = kept.up().document["warnings"]
        assert [
            sentence in w["message"] and f"backup.{key}" in w["message"] for w in warnings if w["code"] == "repository"
        ] == [True]
        done = kept.run("backup", "--json")
        assert (done.code, sentence in done.said) == (40, True), done.said
        health = kept.run("health", "--json")
        (check,) = (check for check in health.data["checks"] if check["id"] == "backup")
        assert (health.code, check["status"], f"backup.{key}" in check["evidence"]) == (30, "fail", True), check
    finally:
        kept.write(backup=store.settings("backups", "shop"))
        kept.up()


def test_an_outage_of_the_store_is_seen_and_leaves_no_gap(kept: Stack, store: ObjectStore) -> None:
    checkpointer = "SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    since = kept.sql(checkpointer)
    store.stop()
    moment = kept.sql("SELECT now()")
    failed = f"SELECT last_failed_time > greatest(last_archived_time, '{moment}') FROM pg_stat_archiver"
    try:
        kept.add_tools("while the store is away")
        name = kept.sql("SELECT pg_walfile_name(pg_switch_wal())")
        eventually(lambda: kept.sql(failed) == "t", 120, "it fails")
        status = kept.run("wal", "status", "--json")
        assert status.code == 0, status.said
        assert status.data["archiving"]["failing"] is True
        said = json.dumps(status.document["warnings"])
        assert "backup.endpoint: s3://backups/shop: the store cannot be reached" in said
        assert kept.run("health").code == 30
        metrics = kept.run("exporter", "--once").out
        assert "stackctl_repository_success 0.0" in metrics
        assert "stackctl_archive_failing 1.0" in metrics
        assert kept.healthy(), "the app does not mind"
    finally:
        store.start()
    eventually(
        lambda: kept.sql(f"SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver") == "t", 180, "it catches up"
    )
    assert kept.sql(checkpointer) == since, "no process that failed to send was taken for a crash of the server"
    after = kept.run("wal", "status", "--json")
    assert after.data["archives"][0]["gaps"] == []
    assert after.data["archiving"]["failing"] is False


def test_a_store_that_fails_for_long_does_not_fill_the_disk(
    store: ObjectStore, new_stack: Callable[..., Stack]
) -> None:
    """Three tenths of 1 GiB are 19 segments. What sends them is at work for minutes, and looks at no bound."""
    stack = new_stack("docker")
    stack.write(backup=store.settings("backups", "bound"), profile={**PROFILE, "disk": "1G"})
    stack.up()
    # What no backup is in front of is no gap to anybody.
    assert stack.run("backup").code == 0
    waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    close = "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()"
    store.fail()
    try:
        for _ in range(3):
            stack.sql(close)
        look = "grep -lzsx archive-push:async /proc/[0-9]*/cmdline"
        at_work = ("exec", stack.container("postgres"), "sh", "-c", look)
        eventually(lambda: "cmdline" in docker(*at_work).out, 60, "it is being tried")
        for _ in range(20):
            stack.sql(close)
        eventually(lambda: int(stack.sql(waiting)) <= 19, 120, "no more than the bound wait")
        log = docker("logs", stack.container("postgres")).said
        assert "GIVEN UP, with all that waits: more than 19 files wait" in log
    finally:
        store.stop()
        store.start()
    archived(stack)
    status = stack.run("wal", "status", "--json")
    assert status.data["archives"][0]["gaps"] != [], status.said
    assert stack.run("health").code == 30
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    assert stack.run("health").code == 0


def test_the_server_keeps_its_keys_where_up_goes_back(kept: Stack, store: ObjectStore) -> None:
    """The folder is mounted in the running container: what is in it counts at once."""
    settings = store.settings("backups", "shop")
    (kept.folder / "wrong").write_text("AKNOBODY\n")
    changed = {**settings, "repository": "s3://nowhere/shop", "key_file": "wrong"}
    kept.write(backup=changed)
    try:
        assert kept.run("restore", "--dry-run").code == 10
        archived(kept)
        with closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            kept.write(backup=changed, ports={**kept.ports, "app": other.getsockname()[1]})
            done = kept.run("up", "--json")
            assert (done.code, done.document["errors"][0]["code"]) == (20, "port_taken"), done.said
        archived(kept)
    finally:
        kept.write(backup=settings)


def test_where_pgbackrest_is_not_it_is_refused(new_stack: Callable[..., Stack]) -> None:
    """Before anything is written."""
    for engine, images, sentence in (
        ("embedded", None, "the embedded engine has none"),
        ("docker", "public", "public image"),
    ):
        stack = new_stack(engine)
        stack.write(backup={"engine": "pgbackrest"}, images=images)
        done = stack.run("up", "--json")
        assert (done.code, sentence in done.said) == (10, True), done.said
        assert not stack.private.exists()


def test_no_dump_is_taken_beside_encrypted_backups(kept: Stack) -> None:
    done = kept.run("backup", "--logical")
    assert (done.code, "backup.encryption: a dump is not encrypted" in done.said) == (2, True), done.said


def archived(stack: Stack) -> str:
    """Close a segment that has something in it, wait until it is archived, and give back its name."""
    text = "SELECT pg_walfile_name(pg_logical_emit_message(true, 'test', 'x')); SELECT pg_switch_wal()"
    name = stack.sql(text).splitlines()[0]
    done = f"SELECT coalesce(last_archived_wal, '') >= '{name}' FROM pg_stat_archiver"
    eventually(lambda: stack.sql(done) == "t", 120, f"{name} is archived")
    return name


@pytest.mark.full
def test_a_restore_in_place_is_accepted(kept: Stack) -> None:
    """The last test: the stack has a history of its own afterwards."""
    kept.add_tools("before the moment")
    moment = kept.sql("SELECT now()")
    kept.add_tools("after the moment")
    archived(kept)
    everything = kept.tools()
    done = kept.run("restore", "--to", moment, "--yes", "--json", seconds=600)
    assert done.code == 0, done.said
    assert kept.tools() == everything - {"after the moment"}
    assert kept.healthy()
    assert kept.run("backup").code == 40, "not before it is accepted"
    assert kept.run("restore", "--accept", "--yes", seconds=600).code == 0
    assert archived(kept).startswith("00000002")
    done = kept.run("backup", "--json")
    assert done.code == 0, done.said
    assert done.data["timeline"] == 2
    assert not list(kept.private.rglob(".restore-*"))
