"""Fills a server to what its memory proof prints: every item at its limit, all held at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg

from e2e.images.docker_client import wait_for
from e2e.images.limited_postgres import Server
from e2e.images.parallel_join import FORCED, GATE, HOLD, JOIN, WAITING, tables
from stackctl.sizing.model import Sizing
from stackctl.units import parse_pg_size

Session = psycopg.Connection[Any]

_SETUP = (
    HOLD,
    # One row fills a page, so few rows fill shared_buffers. Left to autovacuum, ANALYZE would sample 30,000 rows of
    # this width, which is more than a worker's share.
    "CREATE UNLOGGED TABLE filler (t text STORAGE PLAIN) WITH (autovacuum_enabled = off)",
    "CREATE TABLE numbers (n int) WITH (autovacuum_enabled = off)",
    # A limited role may not read files. Pages that a process shares with others since its fork count by their part.
    """CREATE FUNCTION own() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT 1024 * substring(pg_read_file('/proc/self/smaps_rollup') FROM 'Pss_Anon: +([0-9]+)')::bigint $$""",
    # Prepared statements, so what a session keeps in life too; each takes about three times its text.
    """CREATE FUNCTION keep(bytes bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE made int := 0;
    BEGIN
        WHILE own() < bytes - 100000 LOOP
            FOR n IN 1..((bytes - own()) / 100000) LOOP
                made := made + 1;
                EXECUTE format('PREPARE kept%s AS SELECT %L', made, repeat('x', 32000));
            END LOOP;
        END LOOP;
        RETURN own();
    END $$""",
    # The last row waits, when all others are in the sort. So short a text is not compressed.
    """CREATE FUNCTION entry(n int, last int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        IF n = last THEN PERFORM public.hold(1, 0); END IF;
        RETURN repeat('x', 470) || n;
    END $$""",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    "GRANT CREATE ON SCHEMA public TO owner",
    "ALTER TABLE numbers OWNER TO owner",
)
# The bounds of a test that hangs; the roles' own would end on a slow machine what is held on purpose.
_PATIENT = ("statement_timeout = '120s'", "lock_timeout = 0", "idle_in_transaction_session_timeout = 0")
# Page tables are made for 2 MB at a time, so one page of 32 is enough to have those of all buffers.
_TOUCH = "SELECT count(*) FROM filler TABLESAMPLE SYSTEM (3)"
# Rows of 1 kB and 24 bytes for each in the sort's array, as much as a sort takes before it goes to disk.
_SORT = """DECLARE held CURSOR FOR SELECT g, repeat('x', 1000) FROM (
    SELECT generate_series(1, (pg_size_bytes(current_setting('work_mem')) * 0.98 / 1048)::int) g) s ORDER BY g DESC"""
# One entry of the index's sort: the tuple, and its place in the sort's array.
_ENTRY = 496 + 24
# What a parallel worker has before it takes anything.
_WORKER = 2_200_000
_SPILLED = "SELECT count(*) FROM pg_ls_tmpdir()"


@dataclass(frozen=True)
class Part:
    """A session to fill: what it has of its own, and the work_mem that it sorts in, None for its role's."""

    role: str
    own: int
    work_mem: int | None = None
    sorts: bool = True
    replication: str = "false"


@dataclass
class Load:
    """All that the proof of `sizing` counts, in the sessions of one server."""

    server: Server
    sizing: Sizing
    _values: dict[str, int] = field(default_factory=dict)

    def fill(self) -> None:
        """Take all of it. Returns when everything is held; raises OperationalError where the server drops a session."""
        self._values = self.server.numbers()
        workers = self._values["max_parallel_workers"]
        self._prepare()
        parts = [*self._senders(), *self._vacuum(), *self._others(), *self._reports(), *self._app()]
        # Last, as those who stand in for autovacuum take slots that others could have, and theirs are kept.
        parts += self._administrators()
        with ThreadPoolExecutor(2) as pool:
            sessions = list(pool.map(self._session, parts))
        of = {
            role: [s for s, part in zip(sessions, parts, strict=True) if part.role == role and part.sorts]
            for role in ("postgres", "owner", "app")
        }
        gate = of["postgres"][-1]
        gate.execute(GATE)
        self._build_index(of["owner"][0])
        leaders = -(-workers // self._values["max_parallel_workers_per_gather"])
        self._gather(of["app"][:leaders], workers)
        waiting = workers + leaders + 1
        wait_for(lambda: _number(gate, WAITING) == waiting, f"{workers} workers, their leaders and an index build wait")
        assert _number(gate, _SPILLED) == 0, "an operation went to disk, so it is smaller than its limit"

    def _prepare(self) -> None:
        entries = self._values["maintenance_work_mem"] * 98 // 100 // _ENTRY
        pages = self._values["shared_buffers"] // 8192 * 98 // 100
        room = self._values["work_mem"] * (1 + self._values["max_parallel_workers_per_gather"])
        with self.server.connect() as admin:
            for statement in (*tables(room), *_SETUP):
                admin.execute(statement.encode())
            admin.execute(f"INSERT INTO numbers SELECT generate_series(1, {entries})".encode())
            admin.execute(f"INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, {pages})".encode())

    def _senders(self) -> Iterator[Part]:
        """Real ones, not sending: what a process has of its own, it has whatever it did."""
        count = self._values["max_wal_senders"]
        for _ in range(count):
            yield Part("postgres", self._item("WAL senders", count), sorts=False, replication="database")

    def _vacuum(self) -> Iterator[Part]:
        """Sessions that sort in a worker's memory: to fill it with dead rows would take gigabytes of tables."""
        count, room = self._values["autovacuum_max_workers"], self._values["autovacuum_work_mem"]
        room = room if room > 0 else self._values["maintenance_work_mem"]
        for _ in range(count):
            yield Part("postgres", self._item("autovacuum", count) - room, room)

    def _others(self) -> Iterator[Part]:
        """The other roles up to their limits."""
        roles = [role for role in self.sizing.roles if role.name not in ("app", "report")]
        room = parse_pg_size(roles[0].settings["work_mem"])
        named = [role.name for role in roles for _ in range(role.connection_limit)]
        own = self._item("other roles", len(named)) - room
        for name in named:
            yield Part(name, own)

    def _administrators(self) -> Iterator[Part]:
        """As many as there are connections kept for them."""
        count = self._values["superuser_reserved_connections"]
        for _ in range(count):
            yield Part("postgres", self._item("administrators", count) - self._values["work_mem"])

    def _reports(self) -> Iterator[Part]:
        """Their parallel workers, with a work_mem as large, are among those of the app's queries."""
        role = next(role for role in self.sizing.roles if role.name == "report")
        own = self._item("reports", role.connection_limit) - parse_pg_size(role.settings["work_mem"])
        for _ in range(role.connection_limit):
            yield Part("report", own)

    def _app(self) -> Iterator[Part]:
        count = self.sizing.connections.app_total
        for _ in range(count):
            yield Part("app", self._item("app backends", count))

    def _session(self, part: Part) -> Session:
        session = self.server.connect(part.role, replication=part.replication)
        memory = [] if part.work_mem is None else [f"work_mem = {part.work_mem // 1024}"]
        for setting in (*_PATIENT, *memory):
            session.execute(f"SET {setting}".encode())
        if part.replication == "false":  # a WAL sender reads files, not buffers
            session.execute(_TOUCH.encode())
        session.execute(f"SELECT keep({part.own})".encode())
        if part.sorts:
            for statement in ("BEGIN", _SORT, "FETCH 1 FROM held"):
                session.execute(statement.encode())
        return session

    def _build_index(self, session: Session) -> None:
        """One that has all of maintenance_work_mem to itself, and waits before its sort is written out."""
        last = self._values["maintenance_work_mem"] * 98 // 100 // _ENTRY
        _send(session, f"CREATE INDEX ON numbers (entry(n, {last}))")

    def _gather(self, leaders: list[Session], workers: int) -> None:
        """A parallel hash join, and more parallel queries, until all parallel workers wait.

        What a worker sorts in is a variable of its own here: a join that waits cannot sort at the same time.
        """
        each = self._item("parallel workers", workers) - _WORKER
        query = f"{JOIN} WHERE hold({each} + 0 * (probe.k + build.k), %d)"
        for leader in leaders:
            for setting in FORCED:
                leader.execute(f"SET {setting}".encode())
            _send(leader, query % leader.info.backend_pid)
            query = f"SELECT count(*) FROM probe WHERE hold({each} + 0 * k, %d)"

    def _item(self, name: str, count: int) -> int:
        """What one of `count` processes has of the item."""
        return next(item.size for item in self.sizing.memory.items if item.name == name) // count


def _send(session: Session, statement: str) -> None:
    """Start a statement that will wait; nobody reads its result."""
    session.pgconn.send_query(statement.encode())


def _number(session: Session, query: str) -> int:
    row = session.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
