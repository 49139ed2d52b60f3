"""Collectors take turns: one that fails takes nothing from the others, and a server that hangs is waited for once."""

from prometheus_client.core import GaugeMetricFamily

from stackctl.errors import Unhealthy
from stackctl.operations.exporter import Known
from stackctl.operations.observing.collectors import Collector
from stackctl.operations.observing.lane import Lane, states


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class Topic:
    """Something to look at: it counts the looks, and fails or takes long on demand."""

    def __init__(self, clock, name="table"):
        self.clock, self.name = clock, name
        self.looks, self.wrong, self.takes = 0, None, 0.0

    def collect(self):
        self.looks += 1
        self.clock.seconds += self.takes
        if self.wrong:
            raise self.wrong
        return [GaugeMetricFamily(f"stackctl_{self.name}", "x", value=float(self.looks))]


def lane_of(clock, *collectors):
    said = []
    return Lane(collectors, said.append, now=clock, clock=lambda: 1000.0 + clock.seconds), said


def samples(lane):
    return {(each.name, *each.labels.values()): each.value for f in Known([lane]).collect() for each in f.samples}


def test_each_is_looked_at_in_its_own_time():
    clock = Clock()
    often, seldom = Topic(clock), Topic(clock)
    lane, _ = lane_of(clock, Collector("server", 15, often.collect), Collector("tables", 300, seldom.collect))
    for _ in range(21):
        lane.turn()
        clock.seconds += 15
    # 0, 15 ... 300 seconds after the first
    assert (often.looks, seldom.looks) == (21, 2)


def test_one_that_fails_keeps_what_it_knew_and_takes_nothing_from_the_others():
    clock = Clock()
    good, bad = Topic(clock, "good"), Topic(clock, "bad")
    lane, said = lane_of(
        clock,
        Collector("server", 15, lambda: ()),
        Collector("bad", 60, bad.collect),
        Collector("good", 60, good.collect),
    )
    lane.turn()
    bad.wrong = KeyError("what nobody thought of")
    for _ in range(2):
        clock.seconds += 60
        lane.turn()
    found = samples(lane)
    assert (found["stackctl_bad",], found["stackctl_good",]) == (1, 3)
    assert found["stackctl_collector_success", "bad"] == 0
    assert found["stackctl_collector_success", "good"] == 1
    assert (found["stackctl_collector_timestamp_seconds", "bad"], said) == (1100, ["bad: 'what nobody thought of'"])
    bad.wrong = None
    clock.seconds += 60
    lane.turn()
    assert said[-1] == "bad: is seen again"


def test_a_server_that_hangs_is_waited_for_once_in_a_turn():
    clock = Clock()
    server, tables, disk, cpu = (Topic(clock, name) for name in ("server", "tables", "disk", "cpu"))
    lane, said = lane_of(
        clock,
        Collector("server", 15, server.collect, lasting=False),
        Collector("cpu", 15, cpu.collect, lasting=False),
        Collector("tables", 300, tables.collect),
        Collector("disk", 15, disk.collect, asks=False),
    )
    lane.turn()
    server.wrong, server.takes = Unhealthy("PostgreSQL does not answer", hint=""), 12.0
    clock.seconds += 300
    lane.turn()
    assert (tables.looks, cpu.looks, disk.looks) == (1, 1, 2)
    found = samples(lane)
    assert found["stackctl_up",] == 0
    assert found["stackctl_tables",] == 1, "bloat of five minutes ago is news"
    assert ("stackctl_cpu",) not in found, "CPU of five minutes ago is none"
    assert said == ["server: PostgreSQL does not answer"], "not once for each that needs it"
    server.wrong, server.takes = None, 0.0
    clock.seconds += 240
    lane.turn()
    assert (samples(lane)["stackctl_up",], tables.looks) == (1, 2), "it is not waited for five minutes again"


def test_a_witness_that_hangs_does_not_say_for_ever_that_the_server_is_up():
    """PostgresDown is held back while it says so."""
    clock = Clock()
    server = Topic(clock)
    lane, _ = lane_of(clock, Collector("server", 15, server.collect))
    lane.turn()
    clock.seconds += 60
    assert samples(lane)["stackctl_up",] == 1
    clock.seconds += 1
    assert ("stackctl_up",) not in samples(lane)
    server.wrong = Unhealthy("PostgreSQL does not answer", hint="")
    lane.turn()
    assert samples(lane)["stackctl_up",] == 0


def test_what_takes_long_is_asked_less_often():
    clock = Clock()
    slow = Topic(clock)
    slow.takes = 10.0
    lane, _ = lane_of(clock, Collector("server", 15, lambda: ()), Collector("slow", 60, slow.collect))
    lane.turn()
    # A twentieth of the time: 10 s of each 200.
    assert lane.results["slow"].due == clock.seconds + 200


def test_a_server_that_hung_is_asked_again_in_time():
    """Not less often for the time that was waited: that it is back is what somebody waits for."""
    clock = Clock()
    server = Topic(clock)
    server.takes, server.wrong = 5.0, Unhealthy("no answer within 5 s", hint="")
    lane, _ = lane_of(clock, Collector("server", 15, server.collect))
    lane.turn()
    assert lane.results["server"].due == clock.seconds + 15


def test_before_the_first_look_nothing_is_said_of_it():
    clock = Clock()
    lane, _ = lane_of(clock, Collector("server", 15, lambda: ()))
    clock.seconds += 120
    assert samples(lane) == {}
    assert all(not family.samples for family in states([lane]))


def test_a_first_look_that_does_not_end_is_told_as_one_that_failed():
    """A disk on a network that was away at the start: nobody else would tell."""
    clock = Clock()
    lane, _ = lane_of(clock, *(Collector(name, 60, Topic(clock).collect) for name in ("backups", "disk_repository")))
    clock.seconds += 121
    assert samples(lane) == {
        ("stackctl_repository_success",): 0,
        ("stackctl_look_success",): 0,
        ("stackctl_collector_success", "backups"): 0,
        ("stackctl_collector_success", "disk_repository"): 0,
    }
    lane.turn()
    assert samples(lane)["stackctl_look_success",] == 1


def test_two_collectors_may_share_a_family():
    clock = Clock()
    lane, _ = lane_of(
        clock,
        Collector("server", 15, lambda: ()),
        *(Collector(name, 60, Topic(clock, "disk").collect) for name in ("disk_data", "disk_repository")),
    )
    lane.turn()
    families = [family.name for family in Known([lane]).collect()]
    assert families.count("stackctl_disk") == 1
