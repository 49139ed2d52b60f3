"""What the database can have against one request, told apart by SQLSTATE."""

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


class Refused(Exception):
    """The request contradicts what is stored."""


class Duplicate(Refused):
    """A value that must be unique is taken."""


class MissingParent(Refused):
    """The row that the request refers to does not exist."""


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
# unique_violation, foreign_key_violation
REFUSALS: dict[str | None, type[Refused]] = {"23505": Duplicate, "23503": MissingParent}


def fault_of(error: DBAPIError) -> DatabaseFault | Refused | None:
    """Return what stands for a driver's error, or None for a defect of this program."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_fault(error.orig)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state in CANCELLED:
        return StatementTimeout()
    if state in REFUSALS:
        return REFUSALS[state]()
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


def _sqlite_fault(error: sqlite3.Error) -> DatabaseFault | Refused | None:
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return Duplicate()
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return MissingParent()
    # The lowest byte is the primary result code, whatever the extended one says.
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN):
        return DatabaseUnavailable()
    return None
