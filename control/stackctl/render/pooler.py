"""PgBouncer's side of rendering: what its template needs, and what it changes for the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackctl.render import environment
from stackctl.render.model import Place
from stackctl.sizing.model import Sizing

SERVICE = "pgbouncer"


def variables(sizing: Sizing, place: Place, *, prepares: bool) -> dict[str, str]:
    """Variables of the app that are different behind the pooler."""
    return {
        **environment.connection(environment.database_url(place, "app", SERVICE), place),
        "DB_POOLER": SERVICE,
        "PG_PREPARED_STATEMENT_CACHE": str(_prepared(sizing, prepares=prepares)),
    }


def settings(sizing: Sizing, *, prepares: bool) -> Mapping[str, Any]:
    """Numbers of pgbouncer.ini; `max_prepared_statements` None where this version does not know it."""
    return {
        "clients": sizing.connections.pooler_clients,
        "servers": sizing.connections.pooler_servers,
        "wait": max(1, sizing.pool.timeout_seconds // 3),
        "max_prepared_statements": _prepared(sizing, prepares=prepares) if prepares else None,
        "user_timeout_ms": sizing.pool.connect_timeout_seconds * 1000,
    }


def _prepared(sizing: Sizing, *, prepares: bool) -> int:
    return sizing.pool.prepared_statements if prepares else 0
