"""What can be wrong with the database for one request, told apart by SQLSTATE."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


class DatabaseFault(Exception):
    """The request could not be served; nothing is wrong with the request itself."""


class DatabaseUnavailable(DatabaseFault):
    """The database does not answer, or asks to come back later."""


class PoolFull(DatabaseFault):
    """No connection became free within the pool's timeout."""


class StatementTimeout(DatabaseFault):
    """The database cancelled a statement that took too long."""


# query_canceled (statement_timeout, or an operator's cancel) and transaction_timeout
CANCELLED = frozenset({"57014", "25P04"})
# lock_not_available, idle_in_transaction_session_timeout, serialization_failure, deadlock_detected
TRY_AGAIN = frozenset({"55P03", "25P03", "40001", "40P01"})
# connection exception, insufficient resources (too many connections, disk full), operator intervention
UNAVAILABLE_CLASSES = frozenset({"08", "53", "57"})
# libpq passes on no SQLSTATE for a refused connection, so 53300 is known by its words only.
SERVER_FULL = ("too many connections", "too many clients", "connection slots are reserved")
# A standby that has not been promoted: read_only_sql_transaction
READ_ONLY = "25006"


def fault_of(error: DBAPIError) -> DatabaseFault | None:
    """Return the fault that stands for a driver's error, or None for a defect of this program."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_fault(error.orig)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state in CANCELLED:
        return StatementTimeout()
    # libpq gives no SQLSTATE for a connection that could not be made or that broke.
    lost = error.connection_invalidated or isinstance(error, InterfaceError)
    if lost or (state is None and isinstance(error, OperationalError)):
        return DatabaseUnavailable()
    if state is not None and (state[:2] in UNAVAILABLE_CLASSES or state in TRY_AGAIN or state == READ_ONLY):
        return DatabaseUnavailable()
    return None


def server_is_full(error: DBAPIError) -> bool:
    """Tell whether a connection was refused only because there are too many."""
    return any(words in str(error.orig) for words in SERVER_FULL)


def _sqlite_fault(error: sqlite3.Error) -> DatabaseFault | None:
    # The lowest byte is the primary result code, whatever the extended one says.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN):
        return DatabaseUnavailable()
    return None
