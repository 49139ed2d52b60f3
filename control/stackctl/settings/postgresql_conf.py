"""Read a postgresql.conf as the server does: one parameter in a line, the last one wins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stackctl.errors import ProfileError

# Source: the server's lexer, guc-file.l. A value is quoted, or a run without spaces, quotes and comments.
_LINE = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?)\s*(?:=\s*|\s+)
        (?:'(?P<quoted>(?:[^'\\\n]|\\.|'')*)'|(?P<plain>[^\s'\#]+)))?\s*(?:\#.*)?""",
    re.VERBOSE,
)
_INCLUDES = ("include", "include_if_exists", "include_dir")


def read_conf(path: Path) -> Mapping[str, str]:
    """Values by parameter. Raises ProfileError for a file that cannot be read, a line that is none, and an include."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: {error}", hint="give a postgresql.conf that can be read") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProfileError(f"{path}:{number}: {line.strip()!r} is no setting", hint="write NAME = 'VALUE'")
        if name := match["name"]:
            if name.lower() in _INCLUDES:
                raise ProfileError(f"{path}:{number}: {name} is not followed", hint="put its settings into this file")
            found[name] = _unquoted(match["quoted"]) if match["quoted"] is not None else match["plain"]
    return found


def _unquoted(text: str) -> str:
    """Two quotes are one, and a backslash escapes what follows."""
    return re.sub(r"\\(.)|''", lambda match: match[1] or "'", text)
