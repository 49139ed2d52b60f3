"""What the database can have against one request, told apart by SQLSTATE."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


class DatabaseFault(Exception):
    """The request could not be served; nothing is wrong with the request itself."""


class DatabaseUnavailable(DatabaseFault):
    """The database does not answer, or asks to come back later."""


class OutcomeUnknown(DatabaseUnavailable):
    """The connection was lost during COMMIT, or a write got no answer: the change may be stored or not."""


class Conflict(DatabaseFault):
    """Another transaction was in the way; nothing was changed."""


class Locked(DatabaseFault):
    """Another transaction kept a lock that the request needs for longer than lock_timeout."""


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


BY_STATE: dict[str | None, type[DatabaseFault | Refused]] = {
    "57014": StatementTimeout,  # query_canceled: statement_timeout, or an operator's cancel
    "25P04": StatementTimeout,  # transaction_timeout
    "40001": Conflict,  # serialization_failure
    "40P01": Conflict,  # deadlock_detected
    "23505": Duplicate,  # unique_violation
    "23503": MissingParent,  # foreign_key_violation
    "55P03": Locked,  # lock_not_available
    "25P03": DatabaseUnavailable,  # idle_in_transaction_session_timeout
    "25006": DatabaseUnavailable,  # read_only_sql_transaction: a standby that has not been promoted
}
# connection exception, insufficient resources (too many connections, disk full), operator intervention
UNAVAILABLE_CLASSES = frozenset({"08", "53", "57"})
# libpq passes on no SQLSTATE for a refused connection, so 53300 is known by its words only.
# The last is PgBouncer's.
SERVER_FULL = (
    "too many connections",
    "too many clients",
    "connection slots are reserved",
    "no more connections allowed",
)


def fault_of(error: DBAPIError) -> DatabaseFault | Refused | None:
    """Return what stands for a driver's error, or None for a defect of this program."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_fault(error.orig)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state in BY_STATE:
        return BY_STATE[state]()
    # libpq gives no SQLSTATE for a connection that could not be made or that broke.
    nameless = state is None and isinstance(error, OperationalError)
    if nameless or connection_is_lost(error) or (state or "")[:2] in UNAVAILABLE_CLASSES:
        return DatabaseUnavailable()
    return None


def connection_is_lost(error: DBAPIError) -> bool:
    """Tell whether the connection broke under the statement."""
    return error.connection_invalidated or isinstance(error, InterfaceError)


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
