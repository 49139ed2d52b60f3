"""Liveness and readiness."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError

from app.faults import DatabaseUnavailable, PoolFull
from app.models import SCHEMA_REVISION
from app.probe import Probe
from app.problems import RETRY_DATABASE, problem

FRESH_SECONDS = 5.0

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers. Asks no database: restarting the application would not heal one."""
    return {"status": "alive"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> dict[str, str] | JSONResponse:
    """The database answers and has the schema this program was written for."""
    probe: Probe = request.app.state.probe
    try:
        revision = await probe.revision()
    except (PoolFull, TimeoutError):
        # Busy is not broken: taking a saturated instance away would only move its load to the others.
        if time.monotonic() - request.app.state.database.last_answer > FRESH_SECONDS:
            raise DatabaseUnavailable from None
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
