"""Turns of the loop: one job each, failures that wait, what is remembered over a restart."""

from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.errors import Unhealthy
from stackctl.operations.scheduling.due import Known
from stackctl.operations.scheduling.loop import Loop
from stackctl.operations.scheduling.memory import recall
from stackctl.settings.schedule import jobs

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class World:
    """A machine with a repository: its clocks, and what commands do to it."""

    def __init__(self, folder, schedule, gaps=()):
        self.folder, self.schedule = folder, jobs(schedule)
        self.moment, self.monotonic = NOON, 1000.0
        self.backups, self.gaps, self.undecided = [], list(gaps), False
        self.codes, self.ran, self.said = {}, [], []
        self.start()

    def start(self):
        """A scheduler that was started anew."""
        memory = recall(self.folder)

        def look():
            return Known(self.backups, self.gaps, self.undecided, memory.done, memory.seen)

        self.loop = Loop(self.schedule, look, self.run, self, self.said.append, memory)

    def now(self):
        return self.moment

    def seconds(self):
        return self.monotonic

    def run(self, task):
        self.ran.append(" ".join(task.words))
        code = self.codes.get(task.name, 0)
        if code == 0 and task.words == ("backup", "--full"):
            self.backups.append(Backup("1", Kind.FULL, "native", self.moment, self.moment, 1, 17, "7", ""))
            self.gaps.clear()
        return code

    def pass_by(self, minutes):
        """A turn each minute; gives back what was run."""
        self.ran.clear()
        for _ in range(minutes):
            self.loop.turn()
            self.moment += MINUTE
            self.monotonic += 60
        return list(self.ran)


def test_a_day_of_a_schedule(tmp_path):
    world = World(tmp_path, {"full": "0 2 * * *", "verify": "30 2 * * *", "expire": "45 * * * *"})
    ran = world.pass_by(24 * 60)
    assert ran.count("backup --full") == 1
    assert ran.count("backup verify") == 1
    assert ran.count("backup expire --apply") == 24


def test_a_restart_does_nothing_twice_and_makes_up_for_what_was_missed(tmp_path):
    world = World(tmp_path, {"full": "0 2 * * *", "expire": "0 4 * * *", "drill": "0 5 1 * *"})
    ran = []
    for _ in range(15):
        ran += world.pass_by(60)
        world.start()
    # Three in the morning: nothing else was due yet, and nothing was due twice.
    assert ran == ["backup --full"]
    world.moment += 3 * DAY
    world.start()
    assert world.pass_by(30) == ["backup --full", "backup expire --apply", "backup drill"]
    world.start()
    assert world.pass_by(30) == []


def test_failures_wait_longer_each_time_and_others_go_on(tmp_path):
    world = World(tmp_path, {"full": "0 2 * * *", "expire": "0 4 * * *"})
    world.codes["full"] = 40
    ran = world.pass_by(24 * 60)
    # From two o'clock on: after 0, 1, 3, 7, 15, 31 and 63 minutes, then each hour of the nine that are left.
    assert ran.count("backup --full") == 7 + 8
    assert ran.count("backup expire --apply") == 1
    del world.codes["full"]
    assert world.pass_by(70) == ["backup --full"]


def test_an_incremental_backup_that_fails_does_not_become_a_full_one(tmp_path):
    """As on a disk that is full: the full one would need more."""
    world = World(tmp_path, {"incremental": "0 13 * * *"})
    world.codes["incremental"] = 40
    assert set(world.pass_by(120)) == {"backup --incremental --or-full"}


def test_locked_by_another_run_is_tried_each_minute(tmp_path):
    world = World(tmp_path, {"full": "0 13 * * *"})
    world.codes["full"] = 44
    assert len(world.pass_by(70)) == 9


def test_a_job_that_failed_says_when_it_is_to_be_tried_again(tmp_path):
    """Beside a store, the next look is minutes away."""
    world = World(tmp_path, {"full": "0 13 * * *"})
    assert not world.loop.tries_again()
    world.codes["full"] = 44
    world.pass_by(62)
    assert len(world.ran) == 1
    world.monotonic -= 1
    assert not world.loop.tries_again()
    world.monotonic += 1
    assert world.loop.tries_again()
    del world.codes["full"]
    world.pass_by(1)
    assert (len(world.ran), world.loop.tries_again()) == (1, False)


def test_a_gap_is_healed_at_once_and_not_without_end(tmp_path):
    world = World(tmp_path, {"expire": "0 4 * * *"}, gaps=["000000010000000000000007"])
    assert world.pass_by(5) == ["backup --full"]
    assert any("000000010000000000000007" in line for line in world.said)
    world.gaps.append("000000010000000000000009")
    assert world.pass_by(50) == []
    assert world.pass_by(20) == ["backup --full"]


def test_gaps_that_keep_coming_are_healed_ever_more_seldom_over_restarts(tmp_path):
    world = World(tmp_path, {"expire": "0 4 1 1 *"})
    ran = []
    for _ in range(10 * 24):
        world.gaps = ["000000010000000000000007"]
        ran.append(len(world.pass_by(60)))
        world.start()
    healed = [hour for hour, each in enumerate(ran) if each]
    assert healed == [0, 1, 3, 7, 15, 31, *range(31 + 24, 240, 24)]
    world.gaps = []
    world.pass_by(1)
    world.moment += 2 * DAY
    world.gaps = ["000000010000000000000009"]
    assert (world.pass_by(1), world.loop.memory.heals.times) == (["backup --full"], 1)


def test_a_heal_of_a_clock_that_was_ahead_says_nothing(tmp_path):
    world = World(tmp_path, {"expire": "0 4 1 1 *"}, gaps=["000000010000000000000007"])
    world.moment += 400 * DAY
    assert world.pass_by(1) == ["backup --full"]
    world.moment -= 400 * DAY
    world.gaps = ["000000010000000000000009"]
    world.start()
    assert world.pass_by(1) == ["backup --full"]


def test_healing_that_fails_waits_an_hour(tmp_path):
    world = World(tmp_path, {"expire": "0 4 * * *"}, gaps=["000000010000000000000007"])
    world.codes["heal"] = 40
    assert world.pass_by(119) == ["backup --full"] * 2


def test_what_cannot_be_noted_is_not_done_without_end(tmp_path):
    """As on a full disk, where neither the memory nor a record can be written."""
    world = World(tmp_path / "gone", {"incremental": "0 12 * * *"}, gaps=["000000010000000000000007"])
    (tmp_path / "gone").write_text("")
    world.moment += MINUTE
    world.loop.memory.seen = {"incremental": NOON - DAY}
    world.loop.run = lambda task: world.ran.append(task.name) or 0
    for _ in range(50):
        world.loop.turn()
        world.monotonic += 1
    assert world.ran == ["heal", "incremental"]
    assert "heal" not in world.loop.memory.done, "no job has this name"


def test_an_undecided_copy_is_told_once(tmp_path):
    world = World(tmp_path, {"full": "0 13 * * *"})
    world.undecided = True
    assert world.pass_by(120) == []
    assert len(world.said) == 1
    world.undecided = False
    assert world.pass_by(2) == ["backup --full"]


def test_a_repository_that_cannot_be_read_is_told_once(tmp_path):
    world = World(tmp_path, {"full": "0 13 * * *"})

    def look():
        raise Unhealthy("not there", hint="")

    world.loop.look = look
    assert world.pass_by(90) == []
    assert [line.split(" ", 1)[1] for line in world.said] == ["cannot tell what is due: not there"]


def test_a_repository_that_is_not_mounted_is_told_once_each_time(tmp_path):
    world, there = World(tmp_path, {"full": "0 13 1 1 *"}), tmp_path / "there"

    def look():
        there.read_bytes()
        return Known()

    world.loop.look = look
    world.pass_by(90)
    there.touch()
    world.pass_by(1)
    there.unlink()
    world.pass_by(90)
    told = f"the scheduler goes on after: [Errno 2] No such file or directory: '{there}'"
    assert [line.split(" ", 1)[1] for line in world.said] == [told, told]


def test_begin_and_end_are_told(tmp_path):
    world = World(tmp_path, {"full": "0 13 * * *"})
    world.pass_by(62)
    assert world.said == [
        "2026-03-31T13:01:00Z full begins, due since 2026-03-31 13:00: stackctl backup --full",
        "2026-03-31T13:01:00Z full ended with 0 after 0 s",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"done": 3, "seen": {}}',
        '{"done": {"x": "yesterday"}, "seen": {}}',
        '{"done": {}, "seen": {}, "heals": {"times": "many", "last": 3}}',
        '{"done": {}, "seen": {}, "heals": [3]}',
    ],
)
def test_a_damaged_memory_is_an_empty_one(tmp_path, content):
    (tmp_path / "done.json").write_text(content)
    memory = recall(tmp_path)
    assert (memory.done, memory.seen) == ({}, {})
    memory.note_done("expire", NOON)
    assert recall(tmp_path).done == {"expire": NOON}
