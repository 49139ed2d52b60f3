"""Liveness and readiness."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.access import DatabaseAccess
from app.faults import PoolFull
from app.models import SCHEMA_REVISION
from app.problems import RETRY_DATABASE, problem
from app.unit import Unit

# Probes come every few seconds and have little patience themselves.
WAIT_SECONDS = 1.0
FRESH_SECONDS = 5.0

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers. Asks no database: restarting the application would not heal one."""
    return {"status": "alive"}


@router.get("/readyz", response_model=None)
async def readyz(db: DatabaseAccess) -> dict[str, str] | JSONResponse:
    """The database answers and has the schema this program was written for."""
    try:
        revision = await db.database.run(Unit(db.route, _revision, autocommit=True), WAIT_SECONDS)
    except PoolFull:
        # Busy is not broken: taking a saturated instance away would only move its load to the others.
        if time.monotonic() - db.database.last_answer > FRESH_SECONDS:
            raise
        return {"status": "busy"}
    except DBAPIError:
        # What is left here is a table that does not exist.
        revision = None
    if revision != SCHEMA_REVISION:
        found = revision or "none"
        return problem(
            503,
            f"The schema is at revision {found}, this program needs {SCHEMA_REVISION}: run the migrations.",
            {"Retry-After": RETRY_DATABASE},
        )
    return {"status": "ready"}


def _revision(connection: Connection) -> str | None:
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
