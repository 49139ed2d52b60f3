"""Tests a pooled connection before it is used, with a round trip only where something may be wrong.

A healthy idle connection has nothing to read. When the server ends it, restarts or dies, its kernel says so
on the socket, which one system call sees. Only a peer that vanished without a word, or a firewall
that forgot the connection, needs a question to be noticed; that takes longer than a busy connection rests.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

# A connection that rested no longer is not asked, as long as its socket is silent.
RESTED_SECONDS = 1.0
_RETURNED = "returned"


def install(engine: Engine) -> None:
    """Replace what does not answer, and everything older in the pool, when a connection is taken."""

    def test(connection: Any, record: Any, _proxy: Any) -> None:
        returned = record.info.get(_RETURNED)
        if returned is None or (time.monotonic() - returned < RESTED_SECONDS and _is_silent(connection)):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", _note_time)
    event.listen(engine, "checkout", test)


def _note_time(_connection: Any, record: Any) -> None:
    record.info[_RETURNED] = time.monotonic()


def _is_silent(connection: Any) -> bool:
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
