"""Asks the database whether it answers, for probes that have little patience themselves."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, text

from app.database import Database
from app.unit import Unit

CONNECTION_SECONDS = 1.0
# Below the patience of whoever probes a container.
ANSWER_SECONDS = 3.0


def _revision(connection: Connection) -> str | None:
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


_UNIT = Unit("/readyz", _revision, autocommit=True)


class Probe:
    """One question at a time, whoever asks: a database that says nothing holds one connection, not one per probe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking: asyncio.Task[str | None] | None = None

    async def revision(self) -> str | None:
        """Return the schema's revision.

        Raises TimeoutError without an answer in time, PoolFull without a connection, and otherwise what
        `Database.run` does.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._database.run(_UNIT, CONNECTION_SECONDS))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await asyncio.shield(self._asking)
