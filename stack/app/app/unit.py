"""A unit of work: what one request does on one connection, as short as possible."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection, func, select, true
from sqlalchemy.exc import DBAPIError

from app import metrics
from app.faults import OutcomeUnknown, connection_is_lost
from app.stamps import renew

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[Connection], T]


@dataclass(frozen=True, slots=True)
class Unit(Generic[T]):
    """Work that has no effect outside the database, and the tables that it changes."""

    route: str
    work: Work[T]
    tables: Sequence[str] = ()
    # Instead of the connection's, or behind a pooler the role's own.
    statement_timeout_ms: int | None = None
    # Of SELECTs only: one needs no BEGIN and COMMIT, which is one round trip instead of three.
    autocommit: bool = False

    def run(self, connection: Connection) -> T:
        """Return what the work gives, committed."""
        if not self.autocommit:
            connection = connection.execution_options(isolation_level=connection.default_isolation_level)
        with metrics.QUERY_DURATION.labels(self.route).time():
            self._allow_time(connection)
            result = self.work(connection)
            self._commit(connection)
        return result

    def _allow_time(self, connection: Connection) -> None:
        if self.statement_timeout_ms is None or connection.dialect.name != "postgresql":
            return
        # For this transaction only, like SET LOCAL: whoever has the connection next knows nothing of it.
        connection.execute(select(func.set_config("statement_timeout", str(self.statement_timeout_ms), true())))

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except DBAPIError as error:
            if connection_is_lost(error):
                metrics.CONNECTION_ERRORS.inc()
                log.warning("database lost during COMMIT: %s", error.orig)
                raise OutcomeUnknown from error
            raise
        finally:
            # Here, in the thread: the request's coroutine may be gone by now.
            for table in self.tables:
                renew(table)
