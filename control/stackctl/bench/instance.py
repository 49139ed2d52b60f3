"""One throwaway server: made, filled, started with a contender's settings, asked, stopped, crashed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackctl.bench import counters, pgbench
from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.trouble import last_error
from stackctl.engine.query import PSQL, QUERY_SECONDS, as_json, rows
from stackctl.engine.rooms import ADMINISTRATOR, Room
from stackctl.errors import EngineFailed, StackError, TimedOut, Unhealthy

CLIENT = "client"
_HOURS = 3600.0
_START_SECONDS = 600.0
_POLL_SECONDS = 0.5
# In the server, whose own folder the program runs in; `COPY FROM` takes a path in it.
_LARGE_ROW_BYTES = 1024
# Half of a row repeats itself, as texts and documents do: lz4 and pglz make half of it. Vacuumed, as an autovacuum that
# one of the servers begins earlier would else be measured.
_LARGE = """
DROP TABLE IF EXISTS bench_large;
CREATE TABLE bench_large AS
SELECT n AS id, 0 AS state, repeat(md5(n::text), 15) || parts.body AS body
FROM generate_series(1::bigint, {rows}) n,
LATERAL (SELECT string_agg(md5(n::text || '.' || part), '') AS body FROM generate_series(1, 15) part) parts;
ALTER TABLE bench_large ADD PRIMARY KEY (id);
VACUUM (ANALYZE) bench_large;
GRANT ALL ON bench_large TO {client}
"""
# Who asks a user's rows what their app asked: they may read everything. Policies are for roles of the stack's, which a
# dump has none of.
_READER = (
    f"CREATE ROLE {CLIENT} LOGIN",
    f"GRANT pg_read_all_data TO {CLIENT}",
    *(f"CREATE ROLE {role} ROLE {CLIENT}" for role in ("app", "report")),
)
# Not even a function with its owner's rights has an administrator's.
_NO_ADMINISTRATOR = f"""DO $$ DECLARE it regprocedure; BEGIN FOR it IN SELECT oid FROM pg_proc WHERE prosecdef LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO {CLIENT}', it); END LOOP; END $$"""  # noqa: S608 - a name of ours
_ROWS = "COPY (SELECT n, now(), md5(n::text), n * 1.5 FROM generate_series(1, {rows}) n) TO PROGRAM 'cat > bench.copy'"


@dataclass(frozen=True)
class Instance:
    """A server in a room."""

    room: Room
    contender: Contender
    postgres: int

    @property
    def name(self) -> str:
        """The contender's."""
        return self.contender.name

    @property
    def reach(self) -> str:
        """A connection string for clients that come as an app does, from this machine."""
        return f"host={self.room.socket} port=5432 user={CLIENT} dbname={pgbench.DATABASE}"

    def make(self) -> None:
        """A cluster as a stack has it: with checksums, in UTF-8 and a locale that compares bytes."""
        how = ("--auth", "trust", "--username", ADMINISTRATOR, "--data-checksums", "--no-sync")
        self.room.run("initdb", "-D", str(self.room.data), *how, "-E", "UTF8", "--locale", "C.UTF-8", timeout=_HOURS)

    def start(self) -> float:
        """Start it and wait for the first connection; gives back the seconds until then.

        Raises EngineFailed where the settings do not let it start, TimedOut.
        """
        before = frozenset(self.room.log().splitlines())
        began = time.monotonic()
        words = shlex.join(word for name, value in self._settings().items() for word in ("-c", f"{name}={value}"))
        log = self.room.socket / "log"
        where = ("-D", str(self.room.data), "-l", str(log), "-s")
        try:
            self.room.run("pg_ctl", *where, "-w", "-t", f"{_START_SECONDS:.0f}", "-o", words, "start", timeout=_HOURS)
        except (EngineFailed, TimedOut) as error:
            said = [line for line in self.room.log().splitlines() if line not in before]
            raise _not_started(self.name, said) from error
        return time.monotonic() - began

    def stop(self) -> None:
        """At once; its data is of no use any more."""
        self.room.run("pg_ctl", "-D", str(self.room.data), "-m", "immediate", "-w", "stop", check=False, timeout=60)

    def answers(self, within: float) -> bool:
        """Whether it takes a connection, which after a crash it does once WAL was read."""
        until = time.monotonic() + within
        while not self._answers():
            if time.monotonic() > until:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def fill(self, scale: int) -> None:
        """pgbench's tables, an empty one for bulk loads, and a file with rows for it."""
        self.room.run("createdb", pgbench.DATABASE)
        self.room.run("pgbench", *pgbench.fill(scale), timeout=_HOURS)
        self.do(
            "CREATE TABLE bench_bulk (id bigint PRIMARY KEY, made timestamptz, name text, amount numeric)",
            _ROWS.format(rows=20_000 * scale),
            # One that may not take the last connections, which are there to look at the server with.
            f"CREATE ROLE {CLIENT} LOGIN",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {CLIENT}",
            "CHECKPOINT",
        )

    def fill_large(self, size: float) -> int:
        """A table of `size` bytes with a key; gives back its number of rows."""
        rows = round(size / _LARGE_ROW_BYTES)
        self.do(*_LARGE.format(rows=rows, client=CLIENT).strip().split(";\n"), "CHECKPOINT")
        return rows

    def do(self, *statements: str) -> None:
        """Run statements, one after the other, without a limit of time."""
        for statement in statements:
            self.room.run("psql", *PSQL, "-d", pgbench.PATIENT, "-c", statement, timeout=_HOURS)

    def end_copies(self) -> None:
        """Break off what is copying the server's files, wherever it is at."""
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walsender'"
        self.room.run("psql", *PSQL, "-d", pgbench.DATABASE, "-c", sql, check=False, timeout=60)

    def load(self, dump: Path) -> None:
        """A user's database out of a dump, which nothing changes from then on, and a role that may read it."""
        self.room.run("createdb", "--template", "template0", pgbench.DATABASE)
        self.do(*_READER)
        words = ("--exit-on-error", "--no-owner", "--no-privileges", "-d", pgbench.DATABASE, str(dump))
        self.room.run("pg_restore", *words, timeout=_HOURS)
        self.do(
            _NO_ADMINISTRATOR,
            # As a database that is in use is: else index-only scans would cost more, and an autovacuum be measured.
            "VACUUM (ANALYZE)",
            f"ALTER DATABASE {pgbench.DATABASE} SET default_transaction_read_only = on",
            "CHECKPOINT",
        )

    def session(self, *statements: str, role: str = ADMINISTRATOR) -> str:
        """Run statements, or commands of psql, in one session of `role`; what they printed.

        They may have values of a user's rows, and so are no words of a command line, which everybody here can read.
        """
        lines = [each if each.startswith("\\") else f"{each.strip().rstrip(';')}\n;" for each in statements]
        words = (*PSQL, "-v", "ON_ERROR_STOP=1", "-U", role, "-d", pgbench.DATABASE)
        return self.room.run("psql", *words, input="\n".join([*lines, ""]), timeout=_HOURS).stdout

    def ask(self, sql: str, role: str = ADMINISTRATOR) -> list[dict[str, Any]]:
        """Rows of a query of ours."""
        return rows(self.session(as_json(sql), role=role))

    def counters(self) -> Counters:
        """What it counted until now. Raises Unhealthy."""
        try:
            (row,) = self.ask(counters.query(self.postgres))
        except StackError as error:
            hint = "where it crashed, dmesg says whether memory was short"
            raise Unhealthy(f"the server of {self.name} does not answer: {error}", hint=hint) from error
        return Counters(**row)

    def _answers(self) -> bool:
        words = (*PSQL, "-d", pgbench.DATABASE, "-c", "SELECT 1")
        try:
            return self.room.run("psql", *words, check=False, timeout=QUERY_SECONDS).returncode == 0
        except TimedOut:
            return False

    def _settings(self) -> dict[str, str]:
        own = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.room.socket),
            "port": "5432",
            "logging_collector": "off",
            "archive_mode": "off",
        }
        return {**self.contender.settings, **own}


def _not_started(name: str, lines: Sequence[str]) -> EngineFailed:
    reason = last_error(lines) or (lines[-1].strip() if lines else "no word")
    said = f"with the settings of {name} the server does not start: {reason}"
    return EngineFailed(said, hint="change the setting that it names, or measure without this configuration")
