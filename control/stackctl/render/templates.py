"""The one Jinja environment: strict, with the filters that quote for each file format."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stackctl import assets
from stackctl.sizing.model import Parameter
from stackctl.units import MIB

# 4GB, -1, 0.05, pg_stat_statements; 1.5GB and 2026-01-01 would be two tokens, which stops the server.
_BARE = re.compile(r"-?\d+[A-Za-z]*|-?\d+\.\d+|[A-Za-z][A-Za-z0-9_]*")

# An expansion of no width takes the blank away from before the sign.
_COMMENT = re.compile(r"(\s)([;#])")


@cache
def environment() -> Environment:
    """The environment over the assets; a name that a template misspells is an error."""
    jinja = Environment(
        loader=FileSystemLoader(assets.root()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, each scalar quoted by its format's filter
    )
    jinja.filters.update(
        pgquote=pg_quote,
        pgvalue=pg_value,
        groupby_topic=by_topic,
        mebibytes=lambda size: f"{size // MIB}m",
        combine=lambda first, second: {**first, **second},
        ini=ini,
        compose=compose,
        command=command,
        environment=ini_environment,
    )
    return jinja


def render(template: str, context: Mapping[str, Any]) -> bytes:
    """The text of `template`, a path below the assets, in UTF-8."""
    return environment().get_template(template).render(context).encode()


def pg_quote(value: str) -> str:
    """A quoted string of postgresql.conf."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def pg_value(value: str) -> str:
    """A value of postgresql.conf: bare where its reader takes it for one word or number, else quoted."""
    return value if _BARE.fullmatch(value) else pg_quote(value)


def by_topic(parameters: Iterable[Parameter]) -> Iterator[tuple[str, list[Parameter]]]:
    """Parameters in their order, one group for each topic."""
    for topic, group in itertools.groupby(parameters, lambda parameter: parameter.topic):
        yield topic, list(group)


def ini(value: str) -> str:
    """A value of supervisord.conf, in which % begins an expansion, and ; or # after a blank a comment."""
    return _COMMENT.sub(r"\1%(here).0s\2", value.replace("%", "%%"))


def compose(value: str | Sequence[str]) -> str | list[str]:
    """A value of compose.yaml, or a list of them: there $ begins a variable."""
    return value.replace("$", "$$") if isinstance(value, str) else [word.replace("$", "$$") for word in value]


def command(argv: Sequence[str]) -> str:
    """A command line of supervisord.conf."""
    return ini(shlex.join(argv))


def ini_environment(variables: Mapping[str, str]) -> str:
    """The environment line of a program in supervisord.conf, whose reader knows quotes but no escapes."""
    return ini(",".join(f"{key}={_ini_quote(value)}" for key, value in variables.items()))


def _ini_quote(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'
