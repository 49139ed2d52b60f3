"""What the database can have against one request, told apart by SQLSTATE."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


class DatabaseFault(Exception):
    """The request could not be served; nothing is wrong with the request itself."""


class DatabaseUnavailable(DatabaseFault):
    """The database does not answer, or asks to come back later."""


class Exhausted(DatabaseUnavailable):
    """The database answers, and has no connection, memory or disk left for the request."""


class ReadOnly(DatabaseUnavailable):
    """The database answers, and is a standby that takes no changes."""


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
    """Values that must be unique are taken: those of `fields`, as far as the database says which."""

    def __init__(self, fields: Sequence[str] = ()) -> None:
        super().__init__()
        self.fields = tuple(fields)


class MissingParent(Refused):
    """The row that the request refers to does not exist."""


DUPLICATE = "23505"  # unique_violation
BY_STATE: dict[str | None, type[DatabaseFault | Refused]] = {
    "57014": StatementTimeout,  # query_canceled: statement_timeout, or an operator's cancel
    "25P04": StatementTimeout,  # transaction_timeout
    "40001": Conflict,  # serialization_failure
    "40P01": Conflict,  # deadlock_detected
    "23503": MissingParent,  # foreign_key_violation
    "55P03": Locked,  # lock_not_available
    "25P03": DatabaseUnavailable,  # idle_in_transaction_session_timeout
    "25006": ReadOnly,  # read_only_sql_transaction: a standby that has not been promoted
}
BY_CLASS: dict[str, type[DatabaseUnavailable]] = {
    "08": DatabaseUnavailable,  # connection exception
    "53": Exhausted,  # insufficient resources: too many connections, disk full
    "57": DatabaseUnavailable,  # operator intervention
}
# What PostgreSQL puts into the detail, in every language: Key (team_id, name)=(1, blue) ...
KEY = re.compile(r"\(([^()]*)\)=\(")
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
    if state == DUPLICATE:
        return Duplicate(_key_of(error.orig))
    if state in BY_STATE:
        return BY_STATE[state]()
    if state and state[:2] in BY_CLASS:
        return BY_CLASS[state[:2]]()
    # libpq gives no SQLSTATE for a connection that could not be made or that broke.
    if (state is None and isinstance(error, OperationalError)) or connection_is_lost(error):
        return DatabaseUnavailable()
    return None


def connection_is_lost(error: DBAPIError) -> bool:
    """Tell whether the connection broke under the statement."""
    return error.connection_invalidated or isinstance(error, InterfaceError)


def server_is_full(error: DBAPIError) -> bool:
    """Tell whether a connection was refused only because there are too many."""
    return any(words in str(error.orig) for words in SERVER_FULL)


def _key_of(error: Any) -> list[str]:
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    found = KEY.search(detail or "")
    return found[1].split(", ") if found else []


def _sqlite_fault(error: sqlite3.Error) -> DatabaseFault | Refused | None:
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        # UNIQUE constraint failed: tools.name
        return Duplicate([column.rpartition(".")[2] for column in str(error).rpartition(": ")[2].split(", ")])
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return MissingParent()
    # The lowest byte is the primary result code, whatever the extended one says.
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN):
        return DatabaseUnavailable()
    return None
