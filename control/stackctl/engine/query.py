"""Queries through psql: rows as JSON, on every engine."""

from __future__ import annotations

import json
from typing import Any

PSQL = ("-X", "-A", "-t", "-q")
# What we state is stated again by the next start, and must not wait for a receiver that is not there.
LOCAL = "-c synchronous_commit=local"
# A server that hangs must not hang the command that asks why.
QUERY_SECONDS = 15.0


def as_json(sql: str) -> str:
    """`sql`, which is ours and never a user's, as one row with one JSON array."""
    return f"SELECT coalesce(json_agg(row_to_json(r)), '[]') FROM ({sql}) r"  # noqa: S608


def rows(output: str) -> list[dict[str, Any]]:
    """The rows in psql's output."""
    found: list[dict[str, Any]] = json.loads(output)
    return found
