"""How a route reaches the database: bound to its own name for the metrics and the cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from app.database import Database
from app.list_cache import ListCache
from app.unit import Unit, Work

T = TypeVar("T")


class Access:
    """The database as one route sees it, and the path that was asked for."""

    def __init__(self, database: Database, cache: ListCache, route: APIRoute, path: str) -> None:
        self.database = database
        self.route = route.path
        self.path = path
        self._cache = cache
        self._model: Any = route.response_model

    async def read(self, work: Work[T], *, statement_timeout_ms: int | None = None) -> T:
        """Return what `work` finds; it may only select, and each SELECT sees its own moment."""
        return await self.database.run(
            Unit(self.route, work, (), statement_timeout_ms, autocommit=statement_timeout_ms is None)
        )

    async def write(self, work: Work[T], *tables: str, statement_timeout_ms: int | None = None) -> T:
        """Return what `work` gives, committed; cached lists of the tables that it changes are forgotten."""
        return await self.database.run(Unit(self.route, work, tables, statement_timeout_ms))

    async def listed(self, table: str, question: Hashable, load: Callable[[], Awaitable[Any]]) -> Any:
        """Return what `load` gives, or the same as a response when the route is cached."""
        if not self._cache.covers(self.route):
            return await load()

        async def rendered() -> bytes:
            found = self._model.model_validate(await load())
            return bytes(found.model_dump_json(), "utf-8")

        body = await self._cache.get(self.route, table, (self.path, question), rendered)
        return Response(body, media_type="application/json")


async def _access(request: Request) -> Access:
    state = request.app.state
    return Access(state.database, state.list_cache, request.scope["route"], request.url.path)


DatabaseAccess = Annotated[Access, Depends(_access)]
