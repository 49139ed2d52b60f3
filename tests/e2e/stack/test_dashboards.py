"""Every query of every dashboard, as Grafana would ask it, has data on a stack that is used."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from grafana_variables import Asked, everything, queries, substituted
from http_load import Load, get
from monitoring_programs import MonitoringPrograms
from running_stack import Stack, eventually
from stackctl import assets

# Each waits for minutes; on both engines the same series are asked for.
ENGINES = ("embedded", pytest.param("docker", marks=pytest.mark.full))
FILES = sorted((assets.root() / "dashboards").glob("*.json"))
# The picture: five minutes with a point each scrape.
SECONDS, STEP = 300, 15
LOAD_SECONDS = 90
# Rates need four scrapes, the slowest collector its interval, and a shared machine patience.
PATIENCE_SECONDS = 300
# What is right to be empty on a stack that is well.
MAY_BE_EMPTY = {
    "stackctl-overview: Alerts that fire A": "nothing is wrong",
    "stackctl-postgresql: What sessions wait for A": "nobody may be waiting at the moment of a scrape",
    "stackctl-app: Failed by endpoint A": "no request failed",
    "stackctl-app: Endpoints E": "no request failed",
    "stackctl-app: Cached lists A": "the stack has no APP_LIST_CACHE",
    "stackctl-wal: WAL on the database's disk C": "no replication slot without a receiver",
    "stackctl-wal: Receiver A": "backup.wal is archive",
    "stackctl-wal: Receiver connected A": "backup.wal is archive",
    "stackctl-wal: Commits that wait for it A": "backup.wal is archive",
    "stackctl-host: Disks C": "no disk gets fuller",
}
# There is no container whose account could count them.
EMPTY_WITHOUT_CONTAINERS = {"stackctl-host: Sessions ended for memory A"}
# Rows to find, to change and to leave dead.
ROWS = "CREATE TABLE used AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 50000) g; "
ROWS += "ALTER TABLE used ADD PRIMARY KEY (id); DELETE FROM used WHERE id % 4 = 0"
CLEAN = "VACUUM (ANALYZE) used"
WORK = "UPDATE used SET t = md5(t) WHERE id % 50 = 1; SELECT count(*) FROM used; DELETE FROM used WHERE id % 997 = 0"


@pytest.fixture(scope="module", params=ENGINES)
def used(
    request: pytest.FixtureRequest, monitoring: MonitoringPrograms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack with a schedule, a backup, a drill and rows."""
    stack = Stack(tmp_path_factory.mktemp(f"dashboards-{request.param}"), request.param)
    stack.write(backup={"schedule": {"full": "15 2 * * *"}})
    if request.param == "embedded":
        stack.variables["PATH"] = monitoring.path("prometheus", "alertmanager", "exporter")
    try:
        stack.up()
        stack.sql(ROWS)
        stack.sql(CLEAN)
        for words in (("backup",), ("backup", "drill")):
            done = stack.run(*words, seconds=600)
            assert done.code == 0, done.said
        # At its start the observer looks at all that it otherwise looks at every five minutes.
        assert stack.run("down").code == 0
        stack.up()
        yield stack
    finally:
        stack.remove()


@contextmanager
def busy(stack: Stack) -> Iterator[None]:
    """Requests to the app, one of them for what is not there, and reports beside them."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(0.2):
            for statement in WORK.split("; "):
                stack.sql(statement)
            stack.get("app", "/tools/999999999")

    reports = threading.Thread(target=report)
    reports.start()
    try:
        with Load(stack.ports["app"], get("/tools?limit=50"), clients=8):
            yield
    finally:
        ended.set()
        reports.join()


def asked(stack: Stack, path: str, **words: object) -> list[dict[str, Any]]:
    """What Prometheus answers."""
    url = f"http://127.0.0.1:{stack.ports['prometheus']}/api/v1/{path}?{urllib.parse.urlencode(words)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def points(stack: Stack, query: Asked, values: dict[str, str], now: float) -> list[float]:
    """All numbers that the panel would show; -1 is how a single one says that there is nothing to count."""
    expression = substituted(query.target, values, seconds=SECONDS, step=STEP)
    if query.target["instant"]:
        found = asked(stack, "query", query=expression, time=now)
        return [float(each["value"][1]) for each in found if query.kind != "stat" or each["value"][1] != "-1"]
    ranges = asked(stack, "query_range", query=expression, start=now - SECONDS, end=now, step=STEP)
    return [float(value) for each in ranges for _, value in each["values"]]


def all_queries(stack: Stack) -> list[tuple[Asked, dict[str, str]]]:
    """Each query with the variables of its dashboard, which are asked for as Grafana does."""
    databases = asked(stack, "query", query='count by (datname) (pg_database_size_bytes{datname!~"template[01]"})')
    found = {"database": [each["metric"]["datname"] for each in databases]}
    dashboards = [json.loads(path.read_text()) for path in FILES]
    return [(query, everything(each, found)) for each in dashboards for query in queries(each)]


def test_each_query_has_data(used: Stack) -> None:
    with busy(used):
        time.sleep(LOAD_SECONDS)
        without = {*MAY_BE_EMPTY, *(EMPTY_WITHOUT_CONTAINERS if used.engine == "embedded" else ())}
        waiting = [(query, values) for query, values in all_queries(used) if str(query) not in without]
        assert len(waiting) > 150

        def empty() -> list[str]:
            waiting[:] = [each for each in waiting if not points(used, *each, time.time())]
            return [str(query) for query, _ in waiting]

        try:
            eventually(lambda: not empty(), PATIENCE_SECONDS, "every query has data")
        except AssertionError:
            assert empty() == []


def test_no_panel_shows_a_number_that_is_none(used: Stack) -> None:
    now = time.time()
    wrong = [
        str(query)
        for query, values in all_queries(used)
        for value in points(used, query, values, now)
        if value != value or abs(value) == float("inf")
    ]
    assert wrong == []


def test_what_may_be_empty_is_there() -> None:
    names = {str(query) for path in FILES for query in queries(json.loads(path.read_text()))}
    assert {*MAY_BE_EMPTY, *EMPTY_WITHOUT_CONTAINERS} <= names
