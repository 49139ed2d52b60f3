"""Read a postgresql.conf as the server does: one parameter in a line, the last one wins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from stackctl.errors import ProfileError

# Source: the server's lexer, guc-file.l. A value is quoted, or a run without spaces, quotes and comments.
_LINE = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?)\s*(?:=\s*|\s+)
        (?:'(?P<quoted>(?:[^'\\\n]|\\.|'')*)'|(?P<plain>[^\s'\#]+)))?\s*(?:\#.*)?""",
    re.VERBOSE,
)
# Of files that include each other, the server's own limit (CONF_FILE_MAX_DEPTH).
_DEEPEST = 10


def read_conf(path: Path) -> Mapping[str, str]:
    """Values by parameter, those of included files in their place.

    Raises ProfileError for a file that cannot be read, and a line that is none.
    """
    return dict(_settings(path, 0))


def _settings(path: Path, depth: int) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: {error}", hint="give a postgresql.conf that can be read") from error
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProfileError(f"{path}:{number}: {line.strip()!r} is no setting", hint="write NAME = 'VALUE'")
        if not (name := match["name"]):
            continue
        value = _unquoted(match["quoted"]) if match["quoted"] is not None else match["plain"]
        if (included := _included(path, name.lower(), value)) is None:
            yield name, value
        elif depth == _DEEPEST:
            raise ProfileError(f"{path}:{number}: {name} leads on and on", hint="does a file include itself?")
        else:
            for each in included:
                yield from _settings(each, depth + 1)


def _included(path: Path, name: str, value: str) -> list[Path] | None:
    """The files that a line includes, relative to its own; None where it is a setting."""
    place = path.parent / value
    if name == "include":
        return [place]
    if name == "include_if_exists":
        return [place] if place.exists() else []
    if name == "include_dir":
        try:
            there = sorted(place.iterdir())
        except OSError as error:
            raise ProfileError(f"{place}: {error}", hint=f"see include_dir in {path}") from error
        return [each for each in there if each.suffix == ".conf" and each.name[0] != "." and not each.is_dir()]
    return None


def _unquoted(text: str) -> str:
    """Two quotes are one, and a backslash escapes what follows."""
    return re.sub(r"\\(.)|''", lambda match: match[1] or "'", text)
