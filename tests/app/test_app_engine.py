"""What a connection of the pool is told, seen from the server."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, Executable, QueuePool, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from app.compiled_cache import watch
from app.engine import for_migrations, for_requests
from app.metrics import COMPILED_CACHE, COMPILED_CACHE_SIZE
from app.models import Tool
from app.settings import from_environment
from app.unit import Unit
from running_app import Database
from running_postgres import wait_until

Make = Callable[..., Engine]


@pytest.fixture
def engine(database: Database) -> Iterator[Make]:
    made: list[Engine] = []

    def make(**environ: str) -> Engine:
        made.append(for_requests(from_environment(database.environ() | environ)))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def one(engine: Engine, sql: str) -> Any:
    with engine.connect() as connection:
        return connection.scalar(text(sql))


def prepared(engine: Engine, statements: int) -> int:
    """Return how many statements the session holds after each was used ten times."""
    with engine.connect() as connection:
        for number in range(statements):
            for _ in range(10):
                connection.scalar(text(f"SELECT {number}"))
        found: int = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        return found


def test_connections_are_reused(engine: Make) -> None:
    pooled = engine(DB_POOL_SIZE="1")
    assert isinstance(pooled.pool, QueuePool)
    assert len({one(pooled, "SELECT pg_backend_pid()") for _ in range(5)}) == 1


def test_an_old_connection_is_replaced(engine: Make) -> None:
    pooled = engine(DB_POOL_SIZE="1", DB_POOL_RECYCLE="1", DB_POOL_PRE_PING="false")
    first = one(pooled, "SELECT pg_backend_pid()")
    assert wait_until(lambda: one(pooled, "SELECT pg_backend_pid()") != first)


def test_the_kernel_watches_a_quiet_connection(engine: Make) -> None:
    with engine(PG_KEEPALIVES_IDLE="17", PG_CONNECT_TIMEOUT="7").connect() as connection:
        descriptor = connection.connection.driver_connection.fileno()  # type: ignore[union-attr]
        with socket.socket(fileno=os.dup(descriptor)) as ours:
            names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            told = [ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert told == [17, 10, 3, 7000]


def test_the_statement_timeout_is_sent_when_direct(engine: Make) -> None:
    assert one(engine(PG_STATEMENT_TIMEOUT="1234"), "SHOW statement_timeout") == "1234ms"
    # Behind a pooler the role's or the server's own value holds.
    assert one(engine(PG_STATEMENT_TIMEOUT="1234", DB_POOLER="pgbouncer"), "SHOW statement_timeout") == "0"


def test_options_reach_the_server_as_they_are(engine: Make) -> None:
    note = r"two  words, a \ and \\ 'quotes' \n a=b"
    pooled = engine(PG_OPTIONS=f"search_path=app, public; work_mem=8MB; app.note={note};", PG_STATEMENT_TIMEOUT="1234")
    shown = [one(pooled, f"SHOW {name}") for name in ("search_path", "work_mem", "app.note", "statement_timeout")]
    assert shown == ["app, public", "8MB", note, "1234ms"]


def test_a_unit_of_work_may_have_more_time(engine: Make) -> None:
    pooled = engine(PG_STATEMENT_TIMEOUT="300", DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0")

    def nap(connection: Connection) -> int:
        connection.execute(text("SELECT pg_sleep(0.6)"))
        return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)

    with pooled.connect() as connection:
        pid = Unit("/x", nap, (), 60_000).run(connection)
    # The same session, without it.
    with pooled.connect() as connection:
        assert Unit("/x", lambda same: same.scalar(text("SELECT pg_backend_pid()"))).run(connection) == pid
        assert connection.scalar(text("SHOW statement_timeout")) == "300ms"
        connection.rollback()
        with pytest.raises(DBAPIError):
            Unit("/x", nap).run(connection)


def test_migrations_have_no_statement_timeout(database: Database) -> None:
    settings = from_environment(database.environ("owner") | {"PG_STATEMENT_TIMEOUT": "1234"})
    assert one(for_migrations(settings), "SHOW statement_timeout") == "0"


def test_statements_are_prepared_up_to_the_bound(engine: Make) -> None:
    assert prepared(engine(), statements=3) == 3
    # Two are kept; the third goes with the statement after the one that looked.
    assert prepared(engine(PG_PREPARED_STATEMENT_CACHE="2"), statements=5) == 3


def test_behind_a_pooler_statements_are_prepared_only_when_told(engine: Make) -> None:
    # The libpq that psycopg carries can close them.
    assert prepared(engine(DB_POOLER="pgbouncer", PG_PREPARED_STATEMENT_CACHE="100"), statements=3) == 3


@pytest.mark.parametrize("off", [{"PG_PREPARED_STATEMENT_CACHE": "0"}, {"DB_POOLER": "pgbouncer"}])
def test_nothing_is_prepared_where_it_is_off(engine: Make, off: dict[str, str]) -> None:
    assert prepared(engine(**off), statements=3) == 0


def test_the_statement_of_a_request_is_prepared(engine: Make) -> None:
    pooled = engine(DB_POOL_SIZE="1", PG_PREPARED_STATEMENT_CACHE="3")
    with pooled.connect() as connection:
        look = text("SELECT statement FROM pg_prepared_statements")
        for number in range(1, 11):
            connection.execute(select(Tool.name).where(Tool.id == number))
        assert any("FROM tools" in statement for statement in connection.scalars(look))
        kept = []
        for number in range(20):
            for _ in range(10):
                connection.scalar(text(f"SELECT {number}"))
            kept.append(connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")))
        # A new one is there before the driver closes the oldest, and the one that looks may be new too.
        assert 3 <= max(kept) <= 3 + 2


def test_compiled_statements_are_counted_and_bounded(engine: Make) -> None:
    pooled = engine(DB_POOL_SIZE="1")
    watch(pooled)
    hits, misses = (COMPILED_CACHE.labels(result) for result in ("hit", "miss"))

    def counted(statement: Executable, times: int) -> tuple[float, float]:
        before = hits._value.get(), misses._value.get()
        with pooled.connect() as connection:
            for _ in range(times):
                connection.execute(statement)
        return hits._value.get() - before[0], misses._value.get() - before[1]

    assert counted(select(Tool.name).where(Tool.id == 1), 5) == (4, 1)
    assert counted(select(Tool.name).where(Tool.id == 2), 5) == (5, 0)
    # Statements that are all different.
    for number in range(400):
        counted(select(literal_column(str(number))), 1)
    assert 200 <= COMPILED_CACHE_SIZE._value.get() <= 300


def test_a_connection_that_the_server_ended_is_never_lent(engine: Make, database: Database) -> None:
    pooled = engine(DB_POOL_SIZE="2")
    with pooled.connect() as first, pooled.connect() as second:
        ended = {connection.scalar(text("SELECT pg_backend_pid()")) for connection in (first, second)}
    # They were used a moment ago, so only their sockets can tell.
    database.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'app'")
    assert one(pooled, "SELECT pg_backend_pid()") not in ended


def round_trips(engine: Engine, rested_seconds: float) -> int:
    """How many statements the server gets for one of ours on a connection that rested so long."""
    sent: list[str] = []
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.cursor_factory = type("Noting", (psycopg.Cursor,), {"execute": _noting(sent)})
    time.sleep(rested_seconds)
    one(engine, "SELECT 7")
    return len(sent)


def _noting(sent: list[str]) -> Callable[..., Any]:
    def execute(self: Any, query: str, *args: Any, **options: Any) -> Any:
        sent.append(query)
        return psycopg.Cursor.execute(self, query, *args, **options)

    return execute


def test_only_a_connection_that_rested_is_asked(engine: Make) -> None:
    assert round_trips(engine(DB_POOL_SIZE="1"), 1.2) == 2
    assert round_trips(engine(DB_POOL_SIZE="1", DB_POOL_PRE_PING="false"), 1.2) == 1
