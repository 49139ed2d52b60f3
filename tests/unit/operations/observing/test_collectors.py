"""All collectors on a real server that was provisioned as the stack does, asked as the role monitor."""

import os
import subprocess
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from psycopg import sql
from psycopg.errors import LockNotAvailable

from metric_inventory import INVENTORY, parsed, read, write
from profiles import changed, sized
from running_postgres import PASSWORD, running_postgres
from stackctl.backup.metrics import Archiver, archiver
from stackctl.engine.runner import Runner
from stackctl.engine.watch import Monitor
from stackctl.errors import Unhealthy
from stackctl.hardware.usage import Usage
from stackctl.health.receiving import ReceiverUse
from stackctl.operations.exporter import Known
from stackctl.operations.observing import families
from stackctl.operations.observing.backups import Archive
from stackctl.operations.observing.collectors import Collector, of_disk, of_rendered, of_server
from stackctl.operations.observing.expected import read_expected
from stackctl.operations.observing.lane import Lane
from stackctl.settings.backup import BackupSettings
from stackctl.settings.scram import verifier
from stackctl.settings.secret import Secret
from stacks import by_path, compose_files
from stanza import Stanza

ROLES = ("owner", "app", "monitor", "backup", "report")
MADE = """
CREATE TABLE half (id bigint PRIMARY KEY, name text, born timestamptz, n int) WITH (autovacuum_enabled = off);
INSERT INTO half SELECT g, 'name ' || g, now(), g % 10 FROM generate_series(1, 40000) g;
CREATE INDEX half_name ON half (name);
CREATE INDEX half_lower ON half (lower(name));
CREATE TABLE full_one AS SELECT * FROM half;
CREATE TABLE wide AS SELECT g AS id, repeat(md5(g::text), 20) AS t FROM generate_series(1, 5000) g;
CREATE TABLE fresh AS SELECT 1 AS one;
DELETE FROM half WHERE id % 2 = 0;
DELETE FROM wide WHERE id < 3750;
CREATE EXTENSION pgstattuple;
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    files = by_path(compose_files(sized(changed(postgres=18))))
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "observer").mkdir()
    (folder / "observer" / "expected.json").write_text(files["observer/expected.json"])
    with running_postgres() as running:
        secrets = running.directory / "secrets"
        secrets.mkdir()
        for role in ROLES:
            (secrets / f"{role}_verifier").write_text(verifier(Secret(f"{role} password"), role.encode() * 4))
        (running.directory / "provision.sql").write_text(files["postgres/provision.sql"])
        argv = ["-X", "-q", "-h", "127.0.0.1", "-p", str(running.port), "-U", "postgres", "-d", "postgres"]
        subprocess.run(
            [running.program("psql"), *argv, "-f", "provision.sql"],
            env=os.environ | {"PGPASSWORD": PASSWORD, "SECRETS_DIR": str(secrets)},
            cwd=running.directory,
            check=True,
        )
        running.execute(MADE, "app")
        with login(running, "postgres", PASSWORD) as administrator:
            for table in ("half", "full_one", "wide"):
                administrator.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
        yield running, partial(read_expected, folder)


def login(running, role, password):
    return psycopg.connect(
        host="127.0.0.1", port=running.port, user=role, password=password, dbname="app", autocommit=True
    )


def monitor(running):
    address = ("127.0.0.1", running.port)
    return Monitor(Runner(), running.program("psql"), address, lambda: Secret("monitor password"))


@pytest.fixture(scope="module")
def looked(server):
    running, expected = server
    lane = Lane([*of_server(monitor(running), expected), of_rendered(expected)], lambda _text: None)
    lane.turn()
    return lane


def samples(lane):
    return {(s.name, *s.labels.values()): s.value for family in lane.families() for s in family.samples}


def test_the_role_monitor_may_ask_all_of_it(looked):
    # The server has no container of its own here, and says so.
    wrong = {name: result.wrong for name, result in looked.results.items() if result.wrong and name != "database"}
    assert wrong == {}
    found = {sample[0] for sample in samples(looked)}
    assert {
        "stackctl_io_operations_total",
        "stackctl_checksum_failures_total",
        "stackctl_settings_pending_restart",
        "stackctl_memory_proof_passed",
        "stackctl_pool_limit",
    } <= found
    assert samples(looked)["stackctl_pool_limit",] == 100


def test_the_memory_proof_is_told_of_the_values_that_run(server):
    """What was rendered always passes; what somebody sets beside it need not."""
    running, expected = server
    settings = next(each for each in of_server(monitor(running), expected) if each.name == "settings")

    def passed():
        found = {sample.name: sample.value for family in settings.collect() for sample in family.samples}
        return found["stackctl_memory_proof_passed"]

    with login(running, "postgres", PASSWORD) as administrator:
        try:
            for value, fits in (("1MB", 1), ("4GB", 0)):
                administrator.execute(sql.SQL("ALTER SYSTEM SET work_mem = {}").format(value))
                administrator.execute("SELECT pg_reload_conf()")
                assert passed() == fits, value
        finally:
            administrator.execute("ALTER SYSTEM RESET work_mem")
            administrator.execute("SELECT pg_reload_conf()")


def test_the_inventory_has_each_series_with_its_labels(server, request):
    """Rules and dashboards are checked against it; `--golden` writes it anew."""
    running, expected = server
    watch = monitor(running)
    archive = Archive(watch)
    lanes = [
        Lane(
            [
                *of_server(watch, expected),
                Collector("archiver", 15, archive.collect),
                of_disk("data", lambda: running.directory),
                of_rendered(expected),
                Collector("made", 60, made_up, asks=False),
            ],
            print,
        ),
        Lane([Collector("backups", 60, lambda: archive.backups(lambda: a_project(running)), asks=False)], print),
        Lane([Collector("jobs", 15, archive.late, asks=False)], print),
    ]
    for lane in lanes:
        lane.turn()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Known(lanes))
    found = parsed(generate_latest(registry).decode())
    if request.config.getoption("--golden"):
        write("stackctl", "stackctl exporter on PostgreSQL 18, run by tests/unit/operations/observing", found)
    _, recorded = read(INVENTORY / "stackctl.tsv")
    assert found == recorded


def made_up():
    """What this server has not: a container, a receiver, a damaged page, a file that was archived."""
    use = ReceiverUse(True, "reserved", "streaming", "0/3000000", 0, 0, None)
    yield from families.receiver(use)
    yield from archiver(Archiver(0, failing=False, seconds=1.0))
    yield from families.database(Usage(1.5, 2.0, 2**20, 2**30, 0), 2.0, 2**30)
    yield from families.checksums([{"datname": "app", "failures": 1, "last": 1.0}])


def a_project(running):
    """A repository with all that can be told of one: a drilled backup of the server, and its archive."""
    ((system,),) = running.execute("SELECT system_identifier::text FROM pg_control_system()")
    store = Stanza((system,), folder=Path("/"))
    notes = {
        "stackctl-verified": "2026-03-30T12:00:00Z",
        "stackctl-drilled": "2026-03-29T12:00:00Z",
        "stackctl-rto": "41.5",
        "stackctl-rpo": "60.0",
    }
    store.take("F1", datetime(2026, 3, 31, 12, tzinfo=UTC), system=system, notes=notes)
    store.archive(2, 3, system=system)
    settings = BackupSettings(schedule={"full": "15 2 * * *"})
    return SimpleNamespace(backups=SimpleNamespace(stored=store.stored), settings=settings)


@pytest.mark.parametrize("table", ["half", "full_one", "wide"])
def test_bloat_of_a_table_is_near_what_a_scan_finds(server, looked, table):
    (row,) = server[0].execute(f"SELECT table_len, free_space + dead_tuple_len FROM pgstattuple('{table}')", "app")
    told = samples(looked)["stackctl_table_bloat_ratio", "app", "public", table]
    assert told == pytest.approx(row[1] / row[0], abs=0.1)
    assert samples(looked)["stackctl_table_size_bytes", "app", "public", table] == row[0]
    (rows,) = server[0].execute(f"SELECT count(*) FROM {table}", "app")
    assert samples(looked)["stackctl_table_rows", "app", "public", table] == pytest.approx(rows[0], rel=0.1)


@pytest.mark.parametrize("index", ["half_pkey", "half_name", "half_lower"])
def test_bloat_of_an_index_is_near_what_a_scan_finds(server, looked, index):
    (row,) = server[0].execute(f"SELECT avg_leaf_density FROM pgstatindex('{index}')", "app")
    told = samples(looked)["stackctl_index_bloat_ratio", "app", "public", "half", index]
    # Its pages were filled to 90 %.
    assert told == pytest.approx(1 - row[0] / 90, abs=0.05)


def test_a_table_that_nobody_analyzed_is_none_without_bloat(looked):
    assert ("stackctl_table_bloat_ratio", "app", "public", "fresh") not in samples(looked)


def test_who_holds_a_lock_holds_nobody_up(server):
    running, expected = server
    tables = [each for each in of_server(monitor(running), expected) if each.name in ("tables", "indexes")]
    with login(running, "postgres", PASSWORD) as other, other.transaction():
        other.execute("LOCK TABLE half IN ACCESS EXCLUSIVE MODE")
        lane = Lane(tables, lambda _text: None)
        lane.turn()
    assert [result.wrong for result in lane.results.values()] == ["", ""]


def test_the_role_monitor_waits_for_a_lock_for_a_second(server):
    """As postgres_exporter asks; ten seconds are all that Prometheus gives it for everything."""
    running, _ = server
    with login(running, "postgres", PASSWORD) as other, other.transaction():
        other.execute("LOCK TABLE half IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with login(running, "monitor", "monitor password") as exporter, pytest.raises(LockNotAvailable):
            exporter.execute("SELECT relname, pg_table_size(relid) FROM pg_stat_user_tables")
        assert 0.9 < time.monotonic() - began < 5


def test_drift_and_what_waits_for_a_restart(server, looked):
    running, expected = server
    before = samples(looked)["stackctl_settings_drift",]
    for line in ("work_mem = '7MB'", "autovacuum_naptime = '77s'", "max_worker_processes = 77"):
        running.execute(f"ALTER SYSTEM SET {line}")
    running.execute("SELECT pg_reload_conf()")
    try:
        (settings,) = [each for each in of_server(monitor(running), expected) if each.name == "settings"]
        lane = Lane([settings], lambda _text: None)
        lane.turn()
        found = samples(lane)
        # The role has a work_mem of its own, which must not hide the one of all others.
        altered = {row[0] for row in running.execute("SELECT name FROM pg_file_settings WHERE name <> ''")}
        assert {"work_mem", "autovacuum_naptime", "max_worker_processes"} <= altered
        assert found["stackctl_settings_drift",] >= max(before, 3)
        assert found["stackctl_settings_pending_restart",] == 1
    finally:
        running.execute("ALTER SYSTEM RESET ALL")
        running.execute("SELECT pg_reload_conf()")


def test_a_statement_ends_when_its_time_is_over(server):
    with pytest.raises(Unhealthy, match="statement timeout"):
        monitor(server[0]).query("SELECT pg_sleep(30)", seconds=0.3)


def test_nothing_can_be_written(server):
    with pytest.raises(Unhealthy, match="read-only transaction"):
        monitor(server[0]).query("SELECT lo_create(0)", "app")


@pytest.mark.parametrize("role", ["app", "owner", "report", "backup"])
def test_only_the_role_monitor_reads_the_cgroup(server, role):
    running, _ = server
    calls = "has_function_privilege(%s, 'stackctl.cgroup()', 'EXECUTE')"
    may = f"SELECT {calls} AND has_schema_privilege(%s, 'stackctl', 'USAGE')"
    with psycopg.connect(
        host="127.0.0.1", port=running.port, user="postgres", password=PASSWORD, dbname="postgres"
    ) as administrator:
        assert administrator.execute(may, (role, role)).fetchone() == (False,)
        assert administrator.execute(may, ("monitor", "monitor")).fetchone() == (True,)


def test_the_role_monitor_reads_no_value_of_a_row(server):
    running, _ = server
    with login(running, "monitor", "monitor password") as session:
        for wanted in (
            "SELECT * FROM half",
            "SELECT stavalues1 FROM pg_statistic",
            "SELECT pg_read_file('PG_VERSION')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(wanted)
        assert session.execute("SELECT count(*) FROM pg_stats WHERE tablename = 'half'").fetchone() == (0,)
