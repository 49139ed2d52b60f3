"""The database of a running stack: its roles, its passwords, its parameters, asked of the server itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from running_stack import Done, Stack, eventually

# 4 GiB, 2 CPUs, SSD, web, 2 workers, in the units of pg_settings: pages of 8 kB, kB, ms, s.
BY_HAND = {
    "shared_buffers": "131072",  # a quarter of 4 GiB: 1 GiB
    "maintenance_work_mem": "262144",  # a sixteenth: 256 MiB
    "autovacuum_work_mem": "65536",  # a quarter of that
    "max_connections": "50",  # 12.5 for each GiB
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "wal_buffers": "2048",  # 16 MiB
    "max_wal_size": "2048",  # a fifth of the 10 GiB disk: 2 GiB, in MiB
    "checkpoint_timeout": "900",
    "autovacuum_naptime": "10",
    "autovacuum_vacuum_scale_factor": "0.05",
    "log_min_duration_statement": "1000",
    "jit": "off",
    "pg_stat_statements.max": "10000",
    "pg_stat_statements.track": "all",
    "shared_preload_libraries": "pg_stat_statements",
}
UNITS = {
    "B": 1,
    "kB": 2**10,
    "8kB": 2**13,
    "MB": 2**20,
    "GB": 2**30,
    "TB": 2**40,
    "ms": 1,
    "s": 1_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
}
ROLES = ("app", "owner", "monitor", "backup", "report")


def amount(text: str, unit: str | None) -> float | None:
    """A number with its unit, in bytes or milliseconds; None for anything else."""
    match = re.fullmatch(r"(-?[\d.]+)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2] not in ("", *UNITS):
        return None
    # -1 is "off" or "derived", in whatever unit.
    return float(match[1]) * UNITS.get(match[2] or unit or "", 1) if match[1] != "-1" else -1.0


def settings(stack: Stack) -> dict[str, dict[str, Any]]:
    rows = stack.sql("SELECT json_agg(s) FROM (SELECT name, setting, unit, vartype, source FROM pg_settings) s")
    return {row["name"]: row for row in json.loads(rows)}


def test_the_running_server_has_the_values_that_were_worked_out_by_hand(stack: Stack) -> None:
    running = settings(stack)
    assert {name: running[name]["setting"] for name in BY_HAND} == BY_HAND


def test_the_running_server_has_every_value_that_size_prints(stack: Stack) -> None:
    running, sized = settings(stack), stack.run("size", "--json").data["parameters"]
    assert len(sized) > 40
    different = {}
    for parameter in sized:
        row, value = running[parameter["name"]], parameter["value"]
        if row["vartype"] in ("integer", "real"):
            same = amount(row["setting"], row["unit"]) == amount(value, row["unit"])
        else:
            same = row["setting"].strip() == value.strip()
        if not same:
            different[parameter["name"]] = (row["setting"], row["unit"], value)
    assert different == {}


def test_no_file_of_the_server_has_an_error_and_nothing_waits_for_a_restart(stack: Stack) -> None:
    assert stack.sql("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL OR NOT applied") == ""
    assert stack.sql("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL") == ""
    assert stack.sql("SELECT error FROM pg_ident_file_mappings WHERE error IS NOT NULL") == ""
    assert stack.sql("SELECT name FROM pg_settings WHERE pending_restart") == ""


def test_the_cluster_has_checksums_and_statement_statistics(stack: Stack) -> None:
    assert stack.sql("SHOW data_checksums") == "on"
    assert stack.sql("SELECT count(*) > 0 FROM pg_stat_statements") == "t"


def test_roles_have_no_more_than_their_work_needs(stack: Stack) -> None:
    columns = "rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin"
    rows = stack.sql(f"SELECT rolname, {columns} FROM pg_roles WHERE rolname IN {ROLES} ORDER BY 1").splitlines()
    plain = {f"{role}|f|f|f|f|f|t" for role in ROLES if role != "backup"}
    assert set(rows) == plain | {"backup|f|f|f|f|t|t"}
    # Two workers with 10 + 2 connections each.
    assert stack.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'") == "24"
    assert stack.sql(f"SELECT count(*) FROM pg_roles WHERE rolname IN {ROLES} AND rolconnlimit < 1") == "0"
    members = "SELECT m.rolname, r.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member"
    members += " JOIN pg_roles r ON r.oid = a.roleid WHERE m.rolname <> 'pg_monitor' ORDER BY 1, 2"
    assert stack.sql(members).splitlines() == [
        "backup|pg_read_all_data",
        "backup|pg_use_reserved_connections",
        "monitor|pg_monitor",
        "monitor|pg_use_reserved_connections",
    ]


def test_time_limits_are_the_apps_alone(stack: Stack) -> None:
    def of(role: str) -> list[str]:
        rows = "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole"
        return stack.sql(f"{rows} WHERE r.rolname = '{role}'").splitlines()

    assert "statement_timeout=30000ms" in of("app")
    assert any(line.startswith("lock_timeout=") for line in of("app"))
    assert any(line.startswith("idle_in_transaction_session_timeout=") for line in of("app"))
    for role in ("owner", "backup"):
        assert "statement_timeout=0" in of(role), role
    assert {"statement_timeout=10s", "lock_timeout=1s"} <= set(of("monitor"))
    shown = stack.psql("app", stack.secret("app_password"), "SHOW statement_timeout")
    assert shown.out.strip() == "30s", shown.said
    assert stack.sql("SHOW statement_timeout") == "0"


@pytest.mark.parametrize(
    ("role", "statement", "refusal"),
    [
        ("app", "CREATE TABLE mine (n int)", "permission denied for schema public"),
        ("app", "DROP TABLE tools", "must be owner of table tools"),
        ("app", "ALTER TABLE tools ADD COLUMN extra int", "must be owner of table tools"),
        ("app", "TRUNCATE tools", "permission denied for table tools"),
        ("app", "SELECT rolpassword FROM pg_authid", "permission denied for table pg_authid"),
        ("app", "CREATE DATABASE other", "permission denied to create database"),
        ("app", "CREATE ROLE other", "permission denied to create role"),
        ("app", "SET ROLE owner", 'permission denied to set role "owner"'),
        ("app", "COPY tools TO PROGRAM 'cat'", "permission denied to COPY to or from an external program"),
        ("app", "SELECT pg_read_file('/etc/passwd')", "permission denied for function pg_read_file"),
        ("app", "ALTER SYSTEM SET work_mem = '1GB'", 'permission denied to set parameter "work_mem"'),
        ("monitor", "SELECT * FROM tools", "permission denied for table tools"),
        ("monitor", "CREATE TABLE mine (n int)", "permission denied for schema public"),
        ("backup", "INSERT INTO tools (name) VALUES ('x')", "permission denied for table tools"),
        ("backup", "CREATE TABLE mine (n int)", "permission denied for schema public"),
    ],
)
def test_a_role_is_refused_what_is_not_its_own(stack: Stack, role: str, statement: str, refusal: str) -> None:
    def asked() -> Done | None:
        # The exporter has its own sessions as `monitor`, which may all be in use for a moment.
        done = stack.psql(role, stack.secret(f"{role}_password"), statement)
        return None if "too many connections for role" in done.err else done

    done = eventually(asked, 60, f"{role} is let in")
    assert done.code != 0, done.said
    assert refusal in done.err


def test_roles_can_do_their_work(stack: Stack) -> None:
    write = "BEGIN; INSERT INTO tools (name) VALUES ('by hand') RETURNING name; ROLLBACK"
    assert "by hand" in stack.psql("app", stack.secret("app_password"), write).out
    seen = stack.psql("monitor", stack.secret("monitor_password"), "SELECT count(query) FROM pg_stat_activity")
    assert int(seen.out) > 0
    read = stack.psql("backup", stack.secret("backup_password"), "SELECT count(*) >= 0 FROM tools")
    assert read.out.strip() == "t", read.said


def test_a_role_that_is_not_the_apps_enters_no_other_database(stack: Stack) -> None:
    for role in ("app", "owner", "backup", "report"):
        done = stack.psql(role, stack.secret(f"{role}_password"), "SELECT 1", "postgres")
        assert done.code != 0, role
        assert "no pg_hba.conf entry" in done.err


def test_the_administrator_has_no_way_in_over_the_network(stack: Stack) -> None:
    done = stack.psql("postgres", stack.secret("superuser_password"), "SELECT 1")
    assert done.code != 0
    assert "no pg_hba.conf entry" in done.err


def test_passwords_are_stored_as_verifiers_and_a_wrong_one_is_refused(stack: Stack) -> None:
    stored = stack.sql(f"SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN {ROLES}").splitlines()
    assert len(stored) == len(ROLES)
    assert all(line.split("|")[1].startswith("SCRAM-SHA-256$") for line in stored)
    for role in ROLES:
        done = stack.psql(role, "wrong", "SELECT 1")
        assert done.code != 0
        assert f'password authentication failed for user "{role}"' in done.err
