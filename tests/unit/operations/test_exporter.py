"""Where the metrics are served, and what is looked at for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.metrics import families
from stackctl.backup.noted import note_backups
from stackctl.backup.repository import Repository
from stackctl.engine import noted
from stackctl.errors import EngineFailed, NoEngine, Unhealthy, UsageError
from stackctl.health.archiving import ARCHIVING, archive_use
from stackctl.operations import exporter
from stackctl.operations.exporter import Known, address
from stackctl.operations.observing import backups
from stackctl.operations.observing.backups import seen
from stackctl.settings.backup import BackupSettings
from stanza import Stanza

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
DRILLED = {
    "stackctl-verified": "2026-03-30T12:00:00Z",
    "stackctl-drilled": "2026-03-29T12:00:00Z",
    "stackctl-rto": "41.5",
    "stackctl-rpo": "60.0",
}
RUNNING = {
    "mode": "on",
    "archived": 4,
    "last": "000000010000000000000006",
    "seconds": 5.0,
    "failed": 0,
    "last_failed": None,
    "failed_seconds": None,
    "waiting": 2,
    "system": "7",
    "position": "0/7000000",
}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9188", "127.0.0.1", 9188), ("localhost:1", "localhost", 1), ("[::1]:65535", "::1", 65535)],
)
def test_a_place(text, host, port):
    assert address(text) == (host, port)


@pytest.mark.parametrize("text", ["9188", ":9188", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:9188", "a b:1"])
def test_no_place(text):
    with pytest.raises(UsageError, match="is no place to listen"):
        address(text)


def opened(stored):
    backups = SimpleNamespace(stored=lambda: stored)
    settings = BackupSettings(schedule={"full": "15 2 * * *", "drill": "0 5 1 * *"})
    return SimpleNamespace(backups=backups, settings=settings)


def samples(collected):
    return {
        (sample.name.removeprefix("stackctl_"), *sample.labels.values()): sample.value
        for family in collected
        for sample in family.samples
    }


def test_an_object_store_has_all_but_the_room_on_a_disk():
    store = Stanza(("7", "8"))
    store.take("F1", NOON, notes=DRILLED)
    store.take("F2", NOON + timedelta(days=1), system="8")
    store.archive(2, 3, 4, 6)
    found = samples(families(seen(opened(store.stored()), archive_use(RUNNING)), NOON + timedelta(days=2)))
    assert (found["backup_size_bytes", "full"], found["backup_duration_seconds", "full"]) == (5000, 90)
    assert found["backup_timestamp_seconds", "full"] == NOON.timestamp()
    assert found["backups", "full", "ok"] == 1, "the other cluster's is none of these"
    assert found["backup_verified_timestamp_seconds",] == (NOON - timedelta(days=1)).timestamp()
    assert (found["drill_passed",], found["drill_rto_seconds",], found["drill_rpo_seconds",]) == (1, 41.5, 60)
    assert (found["archive_files",], found["archive_size_bytes",]) == (4, 4000)
    assert (found["archive_gaps", "open"], found["archive_gaps", "healed"]) == (1, 0)
    assert ("repository_free_bytes",) not in found


def test_a_gap_counts_as_healed_once_a_backup_is_behind_it():
    store = Stanza()
    store.take("F1", NOON)
    store.take("F2", NOON, segment=6)
    store.archive(2, 3, 4, 6)
    found = samples(families(seen(opened(store.stored()), archive_use(RUNNING)), NOON + timedelta(days=2)))
    assert (found["archive_gaps", "open"], found["archive_gaps", "healed"]) == (0, 1)


def test_plain_files_say_how_much_room_there_is(tmp_path):
    repository = Repository(tmp_path)
    repository.create()
    found = samples(families(seen(opened(repository), None), NOON + timedelta(days=2)))
    assert found["repository_free_bytes",] > 0
    assert ("archive_files",) not in found, "nobody says which cluster runs"


class Away:
    """A store that does not answer."""

    def backups(self):
        raise EngineFailed("the store cannot be reached", hint="", code="repository")


class Server:
    """An engine whose server says what `says` says, or does not answer; nothing but its archiver is asked for."""

    def __init__(self):
        self.says = RUNNING

    def watch(self):
        return self

    def query(self, sql, database="postgres", seconds=5.0):
        if self.says is None:
            raise Unhealthy("PostgreSQL does not answer", hint="")
        return [self.says] if sql == ARCHIVING else [{"one": 1}]

    def usage(self):
        raise Unhealthy("nobody can tell", hint="")

    def data_place(self):
        return Path("/")

    def repository(self):
        return Path("/")


class Inside(Server):
    """The same, for the observer's container, which has no way to the repository."""

    def repository(self):
        raise NoEngine("STACKCTL_REPOSITORY is not set", hint="")


class World:
    """A project that can be changed between looks; what is served of it comes from `lanes`."""

    def __init__(self, monkeypatch, rendered, server=Server):
        store = Stanza()
        store.take("F1", NOON)
        store.archive(2, 3, 4)
        self.stored, self.server, self.seconds, self.said = store.stored(), server(), 100.0, []
        project = SimpleNamespace(rendered=rendered, away=True)
        monkeypatch.setattr(exporter, "open_recorded", lambda _: SimpleNamespace(project=project))
        monkeypatch.setattr(exporter, "recorded_engine", lambda *_: self.server)
        monkeypatch.setattr(exporter, "open_backups", lambda *_: opened(self.stored))
        monkeypatch.setattr(exporter, "with_backups", lambda known: (known, opened(None).settings))
        self.lanes = exporter._lanes(None, None, self.said.append)
        for lane in self.lanes:
            lane.now, lane.began = (lambda: self.seconds), self.seconds

    def look(self, *lanes):
        """A minute later: all lanes take a turn, or those of these numbers."""
        self.seconds += 60
        for number, lane in enumerate(self.lanes):
            if not lanes or number in lanes:
                lane.turn()
        return samples(Known(self.lanes).collect())


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def test_while_the_store_is_away_the_server_is_still_heard_and_it_is_told(world):
    """When archiving fails, what says so is what matters."""
    told = world.look()
    assert (told["repository_success",], told["look_success",], told["archive_failing",]) == (1, 1, 0)
    seen_at = told["look_timestamp_seconds",]
    world.stored = Away()
    world.server.says = {**RUNNING, "failed": 3, "failed_seconds": 1.0, "waiting": 9}
    told = world.look()
    assert (told["repository_success",], told["look_success",]) == (0, 0)
    assert (told["archive_failing",], told["archive_waiting_files",]) == (1, 9)
    assert told["backups", "full", "ok"] == 1, "as the last good look found them"
    assert told["backup_job_late", "full"] == 1
    assert told["look_timestamp_seconds",] == seen_at
    assert "backups: the store cannot be reached" in world.said


def test_a_job_becomes_late_while_nobody_can_read_the_repository(world, monkeypatch):
    now = NOON + timedelta(hours=1)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return now.astimezone(tz)

    monkeypatch.setattr(backups, "datetime", Clock)
    monkeypatch.setattr(backups, "machine_zone", lambda: UTC)
    assert world.look()["backup_job_late", "full"] == 0
    world.stored = Away()
    # The next is due at 02:15 of the first of April, and has three hours.
    now = datetime(2026, 4, 1, 5, 14, tzinfo=UTC)
    assert world.look()["backup_job_late", "full"] == 0
    now = datetime(2026, 4, 1, 5, 16, tzinfo=UTC)
    assert world.look()["backup_job_late", "full"] == 1


def test_a_store_that_hangs_takes_nothing_from_the_server(world):
    """Its lane waits; the other two go on."""
    told = world.look(0)
    assert "repository_success" not in {name for name, *_ in told}, "it is being asked"
    assert told["archive_waiting_files",] == 2
    world.server.says = {**RUNNING, "waiting": 9}
    told = world.look(0, 2)
    assert (told["archive_waiting_files",], told["up",]) == (9, 1)
    assert "look_success" not in {name for name, *_ in told}, "it may still end, after two minutes"
    told = world.look(0, 2)
    assert (told["look_success",], told["repository_success",]) == (0, 0)
    assert "look_timestamp_seconds" not in {name for name, *_ in told}, "it never went well"


@pytest.mark.parametrize("server", [Server, Inside])
def test_the_disk_of_the_data_may_hang_and_the_server_is_still_asked(monkeypatch, tmp_path, server):
    """Nothing ends a question to a disk on a network that is away, and the server may be down for it."""
    world = World(monkeypatch, tmp_path, server)
    alone = [set(lane.results) for lane in world.lanes if "disk_data" in lane.results]
    assert alone == [{"disk_data"}]
    assert "server" in world.lanes[0].results, "/healthz goes by it"


def test_a_store_that_was_never_read_says_nothing_of_backups(world):
    world.stored = Away()
    told = world.look()
    assert (told["repository_success",], told["archive_waiting_files",]) == (0, 2)
    assert {name for name, *_ in told if name.startswith("backup")} == set()


def test_once_they_are_printed_as_far_as_they_can_be_had(world):
    text = exporter.print_command(None, None, world.said.append)
    assert 'stackctl_backup_job_late{schedule_job="full"} 1.0' in text
    world.stored = Away()
    text = exporter.print_command(None, None, world.said.append)
    assert "stackctl_repository_success 0.0" in text
    assert "stackctl_archive_waiting_files 2.0" in text
    world.server.says = None
    with pytest.raises(EngineFailed, match="the store cannot be reached"):
        exporter.print_command(None, None, world.said.append)


def test_once_a_server_that_is_down_does_not_hide_the_backups(world):
    world.server.says = None
    text = exporter.print_command(None, None, world.said.append)
    assert 'stackctl_backups{kind="full",status="ok"} 1.0' in text
    assert "stackctl_up 0.0" in text


def test_a_server_that_does_not_answer_has_no_samples(world):
    world.look()
    world.server.says = None
    told = world.look()
    assert ("archive_waiting_files",) not in told
    assert (told["repository_success",], told["archive_files",]) == (1, 3)


def test_where_there_is_no_way_to_the_repository_what_was_written_down_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(noted, "INSIDE", tmp_path / "noted")
    world = World(monkeypatch, tmp_path, Inside)
    told = world.look()
    assert told["collector_success", "noted"] == 0, "nobody has written anything"
    assert ("backups", "full", "ok") not in told
    store = Stanza(("7", "8"))
    store.take("F1", NOON, notes=DRILLED)
    store.take("F2", NOON, system="8")
    note_backups(noted.INSIDE, store.stored().backups())
    told = world.look()
    assert (told["collector_success", "noted"], told["archive_waiting_files",]) == (1, 2)
    assert told["backup_timestamp_seconds", "full"] == NOON.timestamp()
    assert told["backups", "full", "ok"] == 1, "the other cluster's is none of these"
    assert (told["drill_passed",], told["backup_job_late", "full"]) == (1, 1)
    assert not {"repository_success", "look_success", "archive_files"} & {name for name, *_ in told}, (
        "it was not looked at"
    )
