"""Every error leaves as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.faults import (
    Conflict,
    DatabaseUnavailable,
    Duplicate,
    Exhausted,
    Locked,
    MissingParent,
    OutcomeUnknown,
    PoolFull,
    ReadOnly,
    StatementTimeout,
)

log = logging.getLogger(__name__)

# Seconds. A full pool or a row frees within a moment; a database that is gone takes longer to come back.
RETRY_SOON = "1"
RETRY_DATABASE = "5"
# An import may have something wrong in each of its rows.
LONGEST_LIST_OF_ERRORS = 20


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> JSONResponse:
    """Return a problem document; `members` are added to it."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body | members, status, headers, media_type="application/problem+json")


async def _http(_request: Request, error: Any) -> JSONResponse:
    return problem(error.status_code, error.detail, dict(error.headers or {}))


async def _invalid(_request: Request, error: Any) -> JSONResponse:
    # The input is left out: it may be large, and may hold what nobody wants in a log.
    first = error.errors()[:LONGEST_LIST_OF_ERRORS]
    errors = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in first]
    return problem(422, "The request does not have the expected form.", errors=errors)


async def _duplicate(_request: Request, error: Any) -> JSONResponse:
    which = f": {', '.join(error.fields)}" if error.fields else ""
    return problem(409, f"A value that must be unique is already taken{which}.", fields=error.fields)


async def _missing_parent(_request: Request, _error: Exception) -> JSONResponse:
    return problem(422, "What the request refers to does not exist.")


async def _unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return problem(503, "The database does not answer.", {"Retry-After": RETRY_DATABASE})


async def _exhausted(_request: Request, _error: Exception) -> JSONResponse:
    detail = "The database has no connection, memory or disk left for this; nothing was changed."
    return problem(503, detail, {"Retry-After": RETRY_DATABASE})


async def _read_only(_request: Request, _error: Exception) -> JSONResponse:
    detail = "The database takes no changes now: it is a standby, or was made read-only."
    return problem(503, detail, {"Retry-After": RETRY_DATABASE})


async def _outcome_unknown(_request: Request, _error: Exception) -> JSONResponse:
    detail = "The database was lost while it stored the change; whether it did is not known."
    return problem(503, detail, {"Retry-After": RETRY_DATABASE})


async def _conflict(_request: Request, _error: Exception) -> JSONResponse:
    return problem(503, "Other requests were changing the same rows; nothing was changed.", {"Retry-After": RETRY_SOON})


async def _locked(_request: Request, _error: Exception) -> JSONResponse:
    detail = "Another transaction holds what the request needs; nothing was changed."
    return problem(503, detail, {"Retry-After": RETRY_DATABASE})


async def _pool_full(_request: Request, _error: Exception) -> JSONResponse:
    return problem(503, "All database connections are in use.", {"Retry-After": RETRY_SOON})


async def _timeout(_request: Request, _error: Exception) -> JSONResponse:
    return problem(504, "The database took too long and the statement was cancelled.")


async def _defect(request: Request, error: Exception) -> JSONResponse:
    # gunicorn keeps quiet about an exception once the response is on its way.
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "The server failed; the reason is in its log.")


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Duplicate, _duplicate)
    app.add_exception_handler(MissingParent, _missing_parent)
    app.add_exception_handler(DatabaseUnavailable, _unavailable)
    app.add_exception_handler(Exhausted, _exhausted)
    app.add_exception_handler(ReadOnly, _read_only)
    app.add_exception_handler(OutcomeUnknown, _outcome_unknown)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(Locked, _locked)
    app.add_exception_handler(PoolFull, _pool_full)
    app.add_exception_handler(StatementTimeout, _timeout)
    app.add_exception_handler(Exception, _defect)
