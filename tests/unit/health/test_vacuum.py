"""Whether autovacuum keeps up: the verdict on what the server says, and what a real server says."""

import threading
import time
from dataclasses import replace

import pytest

from running_postgres import running_postgres, wait_until
from stackctl.engine.query import as_json
from stackctl.health.model import Status
from stackctl.health.probes import _ACTIVITY, _DEAD
from stackctl.health.vacuum import judge_vacuum
from stackctl.health.vacuuming import VACUUMING, Overdue, VacuumUse, vacuum_use

LATE = Overdue("public.orders", 10_001, 5050, 3601.0)


def used(*overdue, workers=0):
    return VacuumUse(True, workers, 3, overdue)


@pytest.mark.parametrize(
    ("use", "status"),
    [
        (None, Status.SKIP),
        (used(), Status.OK),
        (used(workers=3), Status.OK),
        (used(LATE), Status.WARN),
        (used(replace(LATE, seconds=3600.0)), Status.OK),  # just an hour
        (used(replace(LATE, dead=10_000)), Status.OK),  # too few to matter
        (used(replace(LATE, ever=False)), Status.WARN),
        (used(replace(LATE, enabled=False)), Status.WARN),
        (VacuumUse(False, 0, 3), Status.WARN),
    ],
)
def test_verdicts(use, status):
    found = judge_vacuum(use)
    assert (found.id, found.status, bool(found.hint)) == ("autovacuum", status, status is Status.WARN)


@pytest.mark.parametrize(
    ("use", "evidence", "hint"),
    [
        (used(workers=2), "no table waits for it, 2 of 3 workers busy", ""),
        (
            used(LATE),
            "public.orders: 10001 dead rows, due at 5050, last vacuum 1.0 h ago; 0 of 3 workers busy",
            "VACUUM (VERBOSE)",
        ),
        (used(replace(LATE, ever=False)), "due at 5050, no vacuum yet; 0 of 3", "VACUUM (VERBOSE)"),
        (used(LATE, workers=3), "3 of 3 workers busy", "raise autovacuum_max_workers"),
        (
            used(LATE, replace(LATE, name="public.lines", enabled=False), workers=3),
            "; public.lines: 10001 dead rows, due at 5050, last vacuum 1.0 h ago, off for this table; 3 of 3",
            "ALTER TABLE public.lines RESET (autovacuum_enabled)",
        ),
        (used(LATE, LATE, LATE, LATE, LATE), "1.0 h ago and 2 more; 0 of 3", "VACUUM (VERBOSE)"),
    ],
)
def test_evidence_has_numbers_and_the_hint_fits_the_cause(use, evidence, hint):
    found = judge_vacuum(use)
    assert evidence in found.evidence
    assert hint in found.hint


@pytest.fixture(scope="module")
def server():
    with running_postgres() as found:
        found.execute("ALTER SYSTEM SET autovacuum_naptime = '1h'")
        found.execute("SELECT pg_reload_conf()")
        yield found


def rows(server, sql, database="empty"):
    return server.execute(as_json(sql), database)[0][0]


def filled(server, name, options=""):
    """30,000 rows that the planner knows of, 20,000 of them dead."""
    for sql in (f"CREATE TABLE {name} (n int) {options}", *filling(name)):
        server.execute(sql, "empty")


def filling(name):
    return (
        f"INSERT INTO {name} SELECT generate_series(1, 30000)",
        f"ANALYZE {name}",
        f"DELETE FROM {name} WHERE n <= 20000",
        "SELECT pg_stat_force_next_flush()",
    )


def test_what_a_real_server_says(server):
    """By its manual: 50 + 0.2 x 30,000 = 6,050; with the table's own options 100 + 0.5 x 30,000 = 15,100."""
    filled(server, "plain")
    filled(server, "own", "WITH (autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.5)")
    filled(server, "off", "WITH (autovacuum_enabled = false, fillfactor = 70)")
    filled(server, "patient", "WITH (autovacuum_vacuum_scale_factor = 0.7)")
    filled(server, "done")
    filled(server, '"Odd name"')
    server.execute("VACUUM done", "empty")

    def settled():
        found = vacuum_use(rows(server, VACUUMING)[0])
        return found if len(found.overdue) == 4 else None

    found = wait_until(settled)
    assert (found.enabled, found.workers, found.most) == (True, 0, 3)
    tables = {table.name: table for table in found.overdue}
    assert {name: (each.dead, each.threshold, each.ever, each.enabled) for name, each in tables.items()} == {
        "public.plain": (20_000, 6050, False, True),
        "public.own": (20_000, 15_100, False, True),
        "public.off": (20_000, 6050, False, False),
        "public.Odd name": (20_000, 6050, False, True),
    }
    # Without a vacuum, since the server's start.
    assert all(0 < each.seconds < 120 for each in found.overdue)
    server.execute("INSERT INTO done SELECT generate_series(1, 30000)", "empty")
    server.execute("DELETE FROM done", "empty")

    def again():
        late = {table.name: table for table in vacuum_use(rows(server, VACUUMING)[0]).overdue}
        return late.get("public.done")

    done = wait_until(again)
    assert done.ever
    assert done.seconds < min(each.seconds for each in tables.values())


def test_the_limit_for_large_tables_counts_from_version_18(server):
    """least(1,000; 6,050), and -1 is none."""
    filled(server, "large", "WITH (autovacuum_vacuum_max_threshold = 1000)")
    filled(server, "none", "WITH (autovacuum_vacuum_max_threshold = -1)")

    def settled():
        found = {table.name: table.threshold for table in vacuum_use(rows(server, VACUUMING)[0]).overdue}
        return found if {"public.large", "public.none"} <= set(found) else None

    found = wait_until(settled)
    assert (found["public.large"], found["public.none"]) == (1000, 6050)


def test_a_temporary_table_waits_for_nobody(server):
    """Autovacuum cannot read it, and it ends with its session."""
    with server.connect("empty") as session:
        for sql in ("CREATE TEMP TABLE passing (n int)", *filling("passing")):
            session.execute(sql)
        filled(server, "lasting")

        def names():
            late = [table.name for table in vacuum_use(rows(server, VACUUMING)[0]).overdue]
            return late if "public.lasting" in late else None

        assert not [name for name in wait_until(names) if name.endswith(".passing")]
        counted = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname ~ '^pg_temp_' AND relname = 'passing'"
        assert server.execute(counted, "empty") == [(20_000,)]
        assert "passing" not in {row["name"] for row in rows(server, _DEAD, "empty")}


def test_who_runs_longest_and_whom_it_waits_for(server):
    server.execute("CREATE TABLE held (n int)", "empty")
    with server.connect("empty") as holder, server.connect("empty") as waiter:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE held")
        asked = threading.Thread(target=waiter.execute, args=("SELECT count(*) FROM held",))
        asked.start()

        def waiting():
            found = rows(server, _ACTIVITY)[0]
            return found if found["longest_by"] and "waits" in found["longest_by"] else None

        try:
            time.sleep(0.2)
            found = wait_until(waiting)
        finally:
            holder.execute("ROLLBACK")
            asked.join()
        holder_pid, waiter_pid = holder.info.backend_pid, waiter.info.backend_pid
    assert found["longest_by"] == f"pid {waiter_pid}, role postgres, waits for pid {holder_pid}"
    assert found["idle_by"] == f"pid {holder_pid}, role postgres"
    assert found["longest"] > 0.1
    nobody = rows(server, _ACTIVITY)[0]
    assert (nobody["longest_by"], nobody["idle_by"], nobody["longest"]) == (None, None, None)
