"""What is looked at, how often, and for how long at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric

from stackctl import __version__
from stackctl.engine.watch import Watch
from stackctl.hardware import detect
from stackctl.hardware.model import Wal
from stackctl.health.bloat import INDEXES, TABLES
from stackctl.health.drift import find_drift, find_pending
from stackctl.health.receiving import RECEIVING, receiver_use
from stackctl.health.running import RUNNING, Running, running_of
from stackctl.operations.changes import parameter_changes
from stackctl.operations.observing import families
from stackctl.operations.observing.expected import Expected
from stackctl.operations.project import catalog_for
from stackctl.sizing.model import MANDATORY, Parameter

SERVER = "server"
DATABASE = "app"
# Read again at each look: an `up` that only reloads the server does not restart who looks at it.
Rendered = Callable[[], Expected | None]
_ARCHIVE = Wal.ARCHIVE.value
# As often as Prometheus asks; what changes slower, or costs more, is looked at less often. Bloat grows over hours.
_FAST, _MEDIUM, _SLOW, _SLOWEST = 15.0, 30.0, 60.0, 300.0
# A question that a healthy server answers in milliseconds, and those that go through its catalogues.
_QUICK, _LONG = 5.0, 10.0
_IO = "SELECT * FROM pg_stat_io"
_IO_SINCE = 16
_CHECKSUMS = """
SELECT coalesce(datname, '(shared)') AS datname, checksum_failures AS failures,
       extract(epoch FROM checksum_last_failure)::float AS last
FROM pg_stat_database WHERE checksum_failures IS NOT NULL
ORDER BY checksum_failures DESC, blks_read DESC LIMIT 50
"""


@dataclass(frozen=True)
class Collector:
    """One topic: how to look at it, each how many seconds, and whether it needs the server.

    What a `lasting` one found stays until it finds something else; the others have nothing to say once they fail.
    """

    name: str
    seconds: float
    collect: Callable[[], Iterable[Metric]]
    lasting: bool = True
    asks: bool = True


def of_server(watch: Watch, expected: Rendered) -> Sequence[Collector]:
    """All that is asked of the server, the one that says whether it answers first."""

    def rows(sql: str, database: str = "postgres", seconds: float = _QUICK) -> list[dict[str, Any]]:
        return watch.query(sql, database, seconds)

    def io() -> Iterable[Metric]:
        known = expected()
        return families.io(rows(_IO)) if known and known.postgres >= _IO_SINCE else ()

    def receiver() -> Iterable[Metric]:
        known = expected()
        return families.receiver(receiver_use(rows(RECEIVING)[0])) if known and known.wal != _ARCHIVE else ()

    def settings() -> Iterable[Metric]:
        known = expected()
        return _settings(running_of(rows(RUNNING, seconds=_LONG)[0]), known) if known else ()

    return (
        Collector(SERVER, _FAST, lambda: _server(watch), lasting=False),
        Collector("database", _FAST, lambda: _usage(watch, expected()), lasting=False),
        Collector("receiver", _FAST, receiver, lasting=False),
        Collector("io", _MEDIUM, io),
        Collector("checksums", _SLOW, lambda: families.checksums(rows(_CHECKSUMS))),
        Collector("settings", _SLOW, settings),
        Collector("tables", _SLOWEST, lambda: families.relations("table", rows(TABLES, DATABASE, _LONG), DATABASE)),
        Collector("indexes", _SLOWEST, lambda: families.relations("index", rows(INDEXES, DATABASE, _LONG), DATABASE)),
    )


def of_rendered(expected: Rendered) -> Collector:
    """What was rendered, which needs no server."""

    def rendered() -> Iterable[Metric]:
        known = expected()
        return families.rendered(known, __version__) if known else ()

    return Collector("rendered", _SLOW, rendered, asks=False)


def of_disk(name: str, place: Callable[[], Path]) -> Collector:
    """The disk below `place`, under this name."""

    def room() -> Iterator[Metric]:
        folder = place()
        return families.disk(name, detect.free_disk(folder), detect.total_disk(folder))

    return Collector(f"disk_{name}", _SLOW, room, asks=False)


def _server(watch: Watch) -> Iterable[Metric]:
    watch.query("SELECT 1 AS one")
    return ()


def _usage(watch: Watch, expected: Expected | None) -> Iterator[Metric]:
    yield from families.database(watch.usage(), float(detect.cpus()), expected.memory.limit if expected else 0)


def _settings(running: Running, expected: Expected) -> Iterator[Metric]:
    catalog = catalog_for(expected.postgres)
    drift = find_drift(running, expected.parameters, expected.roles, catalog)
    wanted = [Parameter(n, v, "", False, "", "", MANDATORY, "") for n, v in expected.parameters.items()]
    names = {each.name for each in drift if not each.as_profile}
    names |= {each.name for each in parameter_changes(wanted, running, catalog)}
    words = "Parameters whose value is not what was rendered"
    yield families.gauge("settings_drift", words, len(names))
    passed = expected.memory.passed and not any(each.above_proof for each in drift)
    yield families.gauge("memory_proof_passed", "Whether the worst case of what runs fits the limit", passed)
    pending = find_pending(running, catalog)
    yield families.gauge("settings_pending_restart", "Parameters that wait for a restart", len(pending))
