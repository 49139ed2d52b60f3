"""Puts the application together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import health, members, openapi, problems, resources, teams, tools
from app.body_limit import BodyLimit
from app.database import Database
from app.list_cache import ListCache
from app.probe import Probe
from app.request_metrics import RequestMetrics
from app.settings import Settings, from_environment

# A worker takes connections only after this or when its pool is warm, so that its colleagues serve
# meanwhile. No longer: the process must answer /healthz while a database is away.
WARM_UP_HEAD_START_SECONDS = 2.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without settings they are read from the environment when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        given = settings or from_environment(os.environ)
        database = Database(given)
        app.state.database = database
        app.state.probe = Probe(database)
        app.state.list_cache = ListCache(given.list_cache)
        warming = asyncio.create_task(database.warm_up())
        await asyncio.wait({warming}, timeout=WARM_UP_HEAD_START_SECONDS)
        try:
            yield
        finally:
            warming.cancel()
            database.close()

    app = FastAPI(
        title="Reference application",
        lifespan=lifespan,
        responses=openapi.PROBLEMS,
        # A client that posts to the wrong spelling should hear so, not be sent on.
        redirect_slashes=False,
        # The interactive pages load their scripts from outside; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestMetrics)
    for part in (tools, resources, teams, members, health):
        app.include_router(part.router)
    return app


app = create_app()
