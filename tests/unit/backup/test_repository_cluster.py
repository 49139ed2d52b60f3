"""Which cluster the repository of pgBackRest takes the WAL of, and when it may be another one."""

import json
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from stackctl.backup.model import Kind
from stackctl.backup.pgbackrest import stanza as module
from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.engine.runner import Completed
from stackctl.errors import BackupFailed, EngineFailed, Locked, UsageError

BORN = 1_700_000_000
MINE, OTHER = str(BORN << 32 | 5), str((BORN - 100) << 32 | 7)
BUSY = Completed((), 50, "", "ERROR: [050]: unable to acquire lock on file '/tmp/pgbackrest/shop-archive.lock'")
DONE = Completed((), 0, "", "")


class Server:
    """A running cluster of version 17, and a repository that knows `known`, with WAL up to `latest`."""

    def __init__(self, known=None, latest=None, answers=()):
        self.known, self.latest, self.answers = known, latest, list(answers)
        self.ran = []
        self.reloaded = 0

    def query(self, _sql):
        return [{"system": MINE, "postgres": "17", "since": BORN}]

    def beside(self, argv, timeout):
        self.ran.append(argv[-1])
        return self.answers.pop(0) if self.answers else DONE

    def reload(self):
        self.reloaded += 1

    @contextmanager
    def programs(self):
        yield self

    def with_repository(self):
        return self

    def run(self, _program, *words, **_how):
        if "info" in words:
            clusters = (
                [] if self.known is None else [{"id": 1, "system-id": int(self.known[0]), "version": self.known[1]}]
            )
            return Completed((), 0, json.dumps([{"db": clusters, "backup": [], "repo": []}]), "")
        path = f"17-1/0000000100000000/000000010000000000000003-{'0' * 40}.zst"
        files = {} if self.latest is None else {path: {"type": "file", "size": 9, "time": self.latest}}
        return Completed((), 0, json.dumps(files), "")


def engine(server):
    return PgBackRestEngine(Tool(server, "shop", "s3://shop"), Path(), lambda: None, lambda *_: nullcontext())


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0)


def test_a_new_repository_is_made_and_the_archiver_woken():
    server = Server()
    engine(server).make_ready()
    assert (server.ran, server.reloaded) == (["stanza-create"], 1)


def test_what_is_known_needs_no_lock():
    """The command wants all locks, and WAL on its way has one."""
    server = Server((MINE, "17"))
    engine(server).make_ready(adopt=True)
    assert (server.ran, server.reloaded) == ([], 0)


def test_a_new_version_of_the_same_cluster_is_made_known():
    server = Server((MINE, "15"), latest=BORN + 5)
    engine(server).make_ready()
    assert server.ran == ["stanza-upgrade"]


def test_another_cluster_is_made_known_only_where_a_person_names_it():
    server = Server((OTHER, "17"), latest=BORN - 1)
    with pytest.raises(
        EngineFailed, match=f"^s3://shop takes the WAL of cluster {OTHER}, which is not this one"
    ) as caught:
        engine(server).make_ready()
    assert f"restore --cluster {OTHER}" in caught.value.hint
    assert f"backup --adopt {OTHER}" in caught.value.hint
    assert server.ran == []
    with pytest.raises(UsageError, match=f"does not take the WAL of cluster {MINE}: it takes that of {OTHER}"):
        engine(server).adopt(MINE)
    assert server.ran == []
    engine(server).adopt(OTHER)
    assert server.ran == ["stanza-upgrade"]


def test_a_backup_takes_no_archive_from_a_server_that_is_only_idle():
    """As a timer's, of a copy of the project: nothing came from the other one since, and it goes on tomorrow."""
    server = Server((OTHER, "17"), latest=BORN - 1)
    with pytest.raises(BackupFailed, match="which is not this one"):
        engine(server).take(Kind.FULL, print, gently=False)
    assert server.ran == []


def test_a_new_repository_has_nothing_to_be_adopted():
    server = Server()
    with pytest.raises(UsageError, match="it takes none yet"):
        engine(server).adopt(OTHER)
    assert server.ran == []


@pytest.mark.parametrize("adopt", [False, True])
def test_a_repository_that_another_server_archives_to_is_left_to_it(adopt):
    """As when a copy of a project is brought up on another machine."""
    server = Server((OTHER, "17"), latest=BORN + 1)
    with pytest.raises(EngineFailed, match="another server archives there") as caught:
        engine(server).make_ready(adopt=adopt)
    assert "a backup.repository of its own" in caught.value.hint
    assert server.ran == []


def test_wal_on_its_way_is_waited_for_a_while():
    server = Server(answers=[BUSY, BUSY, DONE])
    engine(server).make_ready()
    assert (server.ran, server.reloaded) == (["stanza-create"] * 3, 1)
    server = Server(answers=[BUSY] * 20)
    with pytest.raises(Locked):
        engine(server).make_ready()
    assert server.reloaded == 0
