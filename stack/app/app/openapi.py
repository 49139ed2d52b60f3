"""What the OpenAPI document says of errors."""

from __future__ import annotations

from typing import Any

_PLACE = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
_ERROR = {
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {"loc": {"type": "array", "items": _PLACE}, "msg": {"type": "string"}, "type": {"type": "string"}},
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": _ERROR},
    },
}
# With a default, FastAPI does not document a body of its own for 422, which this application never sends.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "The request was not served (RFC 9457)",
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }
}
