"""What the scheduler knows of a repository of either engine and of the server that archives to it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.archive import cksum
from stackctl.backup.generation import Generations
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.backup.wal_name import Segment, lsn
from stackctl.errors import Unhealthy
from stackctl.health.archiving import ARCHIVING
from stackctl.operations.scheduling.due import HEAL, tasks
from stackctl.operations.scheduling.memory import recall
from stackctl.operations.scheduling.service import known
from stanza import Stanza

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
RESERVE = "sh archive-wal /srv/wal %p %f 120 {}"


class World:
    """A server with an archive, its repository, and the scheduler's memory."""

    name = "embedded"

    def __init__(self, folder):
        self.folder, self.system, self.last, self.failing, self.command = folder, "7", 9, False, ""
        self.repository = Repository(folder / "repository")
        self.repository.create()
        self.memory = recall(folder)

    def query(self, sql):
        if sql != ARCHIVING:
            return [{"command": self.command}]
        row = {"mode": "on", "archived": 1, "last": Segment(1, self.last).name, "seconds": 60.0, "failed": 1}
        failed = {"last_failed": None, "failed_seconds": 20.0 if self.failing else None, "waiting": 0}
        return [{**row, **failed, "system": self.system, "position": "0/8000000"}]

    def data_place(self):
        return self.folder

    def ballast(self):
        return SimpleNamespace(held=lambda: 2**30)

    def archived(self, *numbers):
        folder = self.repository.archive(self.system).folder
        folder.mkdir(exist_ok=True)
        for number in numbers:
            name = Segment(1, number).name
            file = folder / name
            file.write_bytes(b"x")
            file.rename(folder / f"{name}-{cksum(file)}-1")

    def take(self, system="7", kind=Kind.FULL, parent=None):
        identifier, folder = self.repository.begin(kind, NOON)
        (folder / "data").mkdir()
        wal = {"timeline": 1, "wal_start": lsn("0/2000028"), "wal_stop": lsn("0/2000120")}
        taken = Backup(identifier, kind, "native", NOON, NOON, 0, 17, system, "", **wal, parent=parent)
        self.repository.finish(folder, taken)

    def look(self):
        recorded = SimpleNamespace(state=None)
        backups = SimpleNamespace(stored=lambda: self.repository)
        return known(SimpleNamespace(engine=self, backups=backups, recorded=recorded), self.memory)


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    made.take()
    return made


def test_an_empty_database_in_the_place_of_lost_data_gets_no_backup_until_somebody_takes_one(world):
    assert (world.look().lost, recall(world.folder).system) == ("", "7")
    world.system, world.memory = "8", recall(world.folder)
    for _ in range(2):
        found = world.look()
        assert (found.lost, found.backups, "cluster 7" in found.holds) == ("7", [], True)
    assert recall(world.folder).system == "7"
    # Health says the same from the records alone: none of them is of what runs.
    world.take("8")
    assert (world.look().lost, recall(world.folder).system) == ("", "8")
    world.system = "7"
    assert (world.look().lost, recall(world.folder).system) == ("", "7"), "as after restore --cluster 7"


def test_another_cluster_is_no_loss_where_nothing_of_the_first_could_be_restored(world):
    world.system = "9"
    assert world.look().lost == ""
    world.system = "10"
    assert (world.look().lost, world.memory.system) == ("", "10")


def test_what_is_built_on_a_damaged_backup_is_no_reason_to_wait(world):
    (full,) = world.repository.backups()
    world.take(kind=Kind.INCREMENTAL, parent=full.id)
    world.look()
    world.system = "8"
    assert world.look().lost == "7"
    world.repository.update(replace(full, status=Status.DAMAGED))
    assert world.look().lost == "", "nothing of the first could be restored"


def test_a_gap_is_healed_once_archiving_goes_on(world):
    world.archived(2, 3, 4, 7, 8, 9)
    assert world.look().gaps == [f"{Segment(1, 5).name} to {Segment(1, 6).name} (2 files)"]
    world.failing = True
    found = world.look()
    assert (found.gaps, "archiving still fails" in found.holds) == ((), True)


def test_no_gap_is_healed_before_its_end(world):
    """A server that gives up all it has counts each as archived."""
    world.archived(2, 3, 4)
    found = world.look()
    assert (found.gaps, "nothing was archived behind it yet" in found.holds) == ((), True)
    world.archived(10)
    assert len(world.look().gaps) == 1


def test_no_gap_is_healed_on_a_disk_that_the_database_needs(world):
    world.archived(2, 3, 4, 7, 8, 9)
    world.command = RESERVE.format(2**50)
    found = world.look()
    assert (found.gaps, "too little of the disk is free" in found.holds) == ((), True)
    world.command = RESERVE.format(1)
    assert (len(world.look().gaps), world.look().holds) == (1, "")


RUNNING = {
    "mode": "on",
    "archived": 4,
    "last": "000000010000000000000006",
    "seconds": 5.0,
    "failed": 0,
    "last_failed": None,
    "failed_seconds": None,
    "waiting": 0,
    "system": "7",
    "position": "0/7000000",
}


@pytest.fixture
def store():
    made = Stanza(("7", "8"))
    made.take("F1", NOON)
    made.take("F8", NOON, system="8")
    made.archive(2, 3, 4, 6)
    made.archive(2, 4, system="8")
    return made


def look(store, folder, *, answers=True, accepted=True):
    def query(_sql):
        if not answers:
            raise Unhealthy("PostgreSQL does not answer", hint="")
        return [RUNNING]

    generations = Generations(1, 0 if not accepted else None, accepted, None, 1)
    return known(
        SimpleNamespace(
            backups=SimpleNamespace(stored=store.stored),
            engine=SimpleNamespace(query=query),
            recorded=SimpleNamespace(state=SimpleNamespace(generations=generations)),
        ),
        recall(folder),
    )


def test_a_gap_in_a_store_is_healed_by_a_full_backup_and_then_no_more(store, tmp_path):
    found = look(store, tmp_path)
    assert [backup.id for backup in found.backups] == ["F1"], "the running cluster alone counts"
    (task,) = tasks((), found, NOON)
    assert (task.name, task.words) == (HEAL, ("backup", "--full"))
    assert "000000010000000000000005" in task.why
    store.take("F2", NOON, segment=6)
    assert not look(store, tmp_path).gaps


def test_a_server_that_does_not_answer_heals_nothing_and_a_restored_copy_waits(store, tmp_path):
    found = look(store, tmp_path, answers=False)
    assert (list(found.gaps), len(found.backups)) == ([], 2)
    assert tasks((), look(store, tmp_path, accepted=False), NOON) == []
