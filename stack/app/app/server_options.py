"""PostgreSQL parameters for each connection: `search_path=app,public;work_mem=8MB`."""

from __future__ import annotations

import re

from app.environment import SettingsError

OWN = {
    "application_name": "the application sets it, with the worker's number",
    "statement_timeout": "use the variable PG_STATEMENT_TIMEOUT",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_ESCAPED = re.compile(r"([\s\\])")
_BACKSLASH = r"\\\1"


def parse(name: str, text: str) -> dict[str, str]:
    """Return the parameters; raise SettingsError with the variable's name for the first that is wrong.

    They are parted by semicolons, so a value may hold anything else: spaces, commas, backslashes, `=`.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not _NAME.fullmatch(key):
            raise SettingsError(f"{name} must be name=value, parted by semicolons; this is none: {part!r}")
        if key in OWN:
            raise SettingsError(f"{name} sets {key}: {OWN[key]}")
        if key in found:
            raise SettingsError(f"{name} sets {key} more than once")
        found[key] = value
    return found


def for_libpq(parameters: dict[str, str]) -> str:
    """Return the connection parameter `options`.

    The server parts it at white space, and takes what follows a backslash as it is.
    """
    return " ".join(f"-c {key}={_ESCAPED.sub(_BACKSLASH, value)}" for key, value in parameters.items())
