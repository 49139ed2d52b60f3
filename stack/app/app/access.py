"""How a route reaches the database: bound to its own name for the metrics."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Request

from app.database import Database, Work

T = TypeVar("T")


class Access:
    """The database as one route sees it, and the path that was asked for."""

    def __init__(self, database: Database, route: str, path: str) -> None:
        self.database = database
        self.route = route
        self.path = path

    async def read(self, work: Work[T]) -> T:
        """Return what `work` finds; it may only select, and each SELECT sees its own moment."""
        return await self.database.read(self.route, work)

    async def write(self, work: Work[T]) -> T:
        """Return what `work` gives, committed."""
        return await self.database.write(self.route, work)


async def _access(request: Request) -> Access:
    return Access(request.app.state.database, request.scope["route"].path, request.url.path)


DatabaseAccess = Annotated[Access, Depends(_access)]
