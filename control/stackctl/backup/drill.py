"""Questions to a restored copy: is it whole, and is it what the app expects?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.backup.inspection import found_nothing, hindered
from stackctl.engine.base import Throwaway
from stackctl.engine.query import PSQL
from stackctl.errors import StackError
from stackctl.units import counted

APP = "app"
# So small that the copy beside the live server is no burden; nothing that runs here needs more.
LIMITS = {
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "hash_mem_multiplier": "1",
    "maintenance_work_mem": "64MB",
    "temp_buffers": "1MB",
    "temp_file_limit": "1GB",
    "max_connections": "20",
    "max_parallel_workers": "0",
    "max_parallel_maintenance_workers": "0",
    "huge_pages": "off",
    "jit": "off",
    "autovacuum": "off",
}
_HOURS = 3600.0
_LIMIT = 24 * _HOURS
_DATABASES = "SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY 1"
_CATALOGUE = """
SELECT format('%s has no file', c.oid::regclass) AS fault FROM pg_class c
WHERE c.relkind IN ('r', 'i', 't', 'm', 'S') AND c.relpersistence = 'p'
      AND pg_relation_filepath(c.oid) IS NOT NULL AND (pg_stat_file(pg_relation_filepath(c.oid), true)).size IS NULL
UNION ALL
SELECT format('%s has %s columns, not %s', c.oid::regclass, count(a.attnum), c.relnatts) FROM pg_class c
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
GROUP BY c.oid, c.relnatts HAVING count(a.attnum) <> c.relnatts
UNION ALL
SELECT format('%s is an index of no table', i.indexrelid::regclass) FROM pg_index i
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = i.indrelid)
"""
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""


@dataclass(frozen=True)
class Check:
    """One question, whether the answer is good, and what was seen.

    `hindered` says that something kept it from an answer, so that it says nothing of the backup.
    """

    name: str
    ok: bool
    evidence: str
    hindered: bool = False


def structure(server: Throwaway, *words: str) -> Check:
    """Every page of tables and indexes by pg_amcheck, which may have more `words`; it leaves its extension there."""
    done = server.run("pg_amcheck", "--all", "--install-missing", *words, check=False, timeout=_LIMIT)
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode == 0:
        return Check("amcheck", True, "tables and indexes are sound")
    evidence = "; ".join(said[:2]) or f"exit status {done.returncode}"
    return Check("amcheck", False, evidence, found_nothing(done.returncode, said))


def catalogue(server: Throwaway) -> Check:
    """Whether the catalogue of each database fits itself and its files."""
    try:
        names = [row["name"] for row in server.query(_DATABASES)]
        faults = [f"{name}: {row['fault']}" for name in names for row in server.query(_CATALOGUE, name, _HOURS)]
    except StackError as error:
        return Check("catalogue", False, str(error), hindered(str(error)))
    fit = counted(len(names), "database fits its files", "databases fit their files")
    return Check("catalogue", not faults, "; ".join(faults[:2]) or fit)


def tables(server: Throwaway) -> tuple[Check, Mapping[str, int]]:
    """Rows of each of the app's tables, all of them read."""
    found: dict[str, int] = {}
    try:
        for row in server.query(_TABLES, APP):
            (one,) = server.query(f"SELECT count(*) AS rows FROM {row['name']}", APP, _LIMIT)  # noqa: S608 - quoted
            found[row["name"]] = one["rows"]
    except StackError as error:
        return Check("tables", False, str(error), hindered(str(error))), found
    return Check("tables", True, f"{counted(sum(found.values()), 'row')} in {counted(len(found), 'table')}"), found


def answer(server: Throwaway, name: str, query: str) -> Check:
    """One query of the user's, which must be true; it reads only, and gives one value."""
    words = ("-v", "ON_ERROR_STOP=1", "-d", APP)
    only = ("-c", "SET default_transaction_read_only = on", "-c", f"SELECT ({query}\n) IS TRUE")
    done = server.run("psql", *PSQL, *words, *only, check=False, timeout=_HOURS)
    if done.returncode == 0 and done.stdout.strip() == "t":
        return Check(f"sql:{name}", True, "true")
    said = [line for line in done.stderr.splitlines() if "ERROR" in line]
    return Check(f"sql:{name}", False, said[0] if said else "not true")
