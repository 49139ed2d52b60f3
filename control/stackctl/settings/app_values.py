"""How the values of the app section are read from text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

from stackctl.settings.values import Fault

IMAGE_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$"
PATH_PATTERN = r"^/[!-~]*$"
USER_PATTERN = r"^[1-9][0-9]*(:[1-9][0-9]*)?$"
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
_LONGEST_CACHE = 3600
# The reference app's lists; it would not start with another.
LISTS = ("/tools", "/tools/{tool_id}/resources", "/resources", "/teams", "/teams/{team_id}/members")


def image(text: str) -> str:
    """The name of an image."""
    word = text.strip()
    if not re.fullmatch(IMAGE_PATTERN[1:-1], word):
        raise Fault(f"{text!r} is not the name of an image", "write it as for docker pull: example/shop:1.2")
    return word


def command(text: str) -> tuple[str, ...]:
    """A command line, split as a shell does; nothing in it is expanded."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise Fault(f"{text!r}: {str(error).lower()}", "close the quote, or write a list") from error
    if not words or not words[0]:
        raise Fault("names no program", "write a list, such as [gunicorn, shop:app]")
    for word in words:
        _printable(word)
    return words


def directory(text: str) -> str:
    """A folder, whole or below the project."""
    if not text.strip():
        raise Fault("names no folder", "write one, or remove the line for the project's own")
    return _printable(text)


def url_path(text: str) -> str:
    """The path of a page."""
    if not re.fullmatch(PATH_PATTERN[1:-1], text):
        raise Fault(f"{text!r} is not the path of a page", "begin it with /: /health")
    return text


def user(text: str) -> str:
    """The numbers of a user and a group that are not root's; a user alone is its group too."""
    if not re.fullmatch(USER_PATTERN[1:-1], text):
        raise Fault(f"{text!r} is not a user's number (and a group's) other than root's", 'write "10001:10001"')
    return text if ":" in text else f"{text}:{text}"


def env_name(name: str, taken: Collection[str]) -> str:
    """The name of a variable that is the user's to choose."""
    if not re.fullmatch(ENV_NAME_PATTERN[1:-1], name):
        raise Fault(f"{name!r} is not the name of a variable", "use letters, digits and _")
    if name == "PGPASSWORD":
        raise Fault("no password is put into an environment", "read the file that DB_PASSWORD_FILE names")
    if name in taken:
        raise Fault(f"{name} is set by stackctl", "docs/reference/app-contract.md names what each follows from")
    return name


def env_value(text: str) -> str:
    """The value of a variable, as it was written."""
    # supervisord knows no escapes, and takes quotes off the ends of a value.
    if ("'" in text and '"' in text) or text != text.strip("'\""):
        hint = "write it to a file, and name the file"
        raise Fault("has both kinds of quotes, or one at an end, which supervisord cannot hand on", hint)
    return _printable(text)


def route(text: str) -> str:
    """A list of the reference app, as its OpenAPI document names it."""
    if text not in LISTS:
        raise Fault(f"{text!r} is not a list of the API", f"choose from {', '.join(LISTS)}")
    return text


def cache_seconds(text: str) -> str:
    """How long a list is kept, in seconds."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= _LONGEST_CACHE:
        raise Fault(f"{text!r} is not a number of seconds", f"write one above 0, up to {_LONGEST_CACHE}")
    return text


def option_name(text: str) -> str:
    """A parameter of PostgreSQL for the app's own sessions."""
    if text == "statement_timeout":
        raise Fault("has a key of its own", "write app.statement_timeout")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?", text):
        raise Fault(f"{text!r} is not the name of a parameter", "write it as in postgresql.conf: search_path")
    return text


def option_value(text: str) -> str:
    """The value of such a parameter."""
    if ";" in text:
        raise Fault("holds a semicolon, which ends a value", "set it with ALTER ROLE app instead")
    return env_value(text)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise Fault("holds a line break or another control character", "write it to a file, and name the file")
    return text
