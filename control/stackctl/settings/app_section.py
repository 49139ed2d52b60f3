"""What stackctl.yaml says of the app: a little for the reference app, or the user's own app in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

from stackctl.errors import Problem
from stackctl.settings import app_values
from stackctl.settings.layers import Given
from stackctl.settings.values import Fault, port

_Value = TypeVar("_Value")

# What stackctl gives to the app's process; docs/reference/app-contract.md says what each means.
CONTRACT = frozenset(
    (
        *("BIND", "PORT", "WEB_CONCURRENCY", "METRICS_ADDRESS", "METRICS_PORT"),
        *("DATABASE_URL", "DB_PASSWORD_FILE", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE"),
        *("DB_POOLER", "DB_POOL_SIZE", "DB_MAX_OVERFLOW", "DB_POOL_TIMEOUT", "DB_POOL_RECYCLE", "DB_POOL_PRE_PING"),
        *("PG_CONNECT_TIMEOUT", "PG_KEEPALIVES_IDLE", "PG_PREPARED_STATEMENT_CACHE", "PG_STATEMENT_TIMEOUT"),
        *("PG_OPTIONS", "STACKCTL_HOME", "STACKCTL_SERVICE"),
    )
)
_REFERENCE_ONLY = frozenset({"APP_LIST_CACHE", "PROMETHEUS_MULTIPROC_DIR"})


@dataclass(frozen=True)
class AppSection:
    """The sections `app` and `pool.options`, checked. What was not given is empty; port 0 is none."""

    image: str = ""
    command: tuple[str, ...] = ()
    directory: str = ""
    port: int = 0
    health_path: str = ""
    health_command: tuple[str, ...] = ()
    metrics_port: int = 0
    metrics_path: str = ""
    migrate: tuple[str, ...] = ()
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    list_cache: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether the user's own app takes the reference app's place."""
        return bool(self.image or self.command)

    @property
    def migrates(self) -> bool:
        """Whether a migration runs before the app."""
        return bool(self.migrate) or not self.own

    @property
    def separate_metrics(self) -> bool:
        """Whether metrics are served on a port beside the app's."""
        return not self.own or self.metrics_port not in (0, self.port)

    @property
    def health(self) -> tuple[str, int]:
        """The path that is asked whether the app is well, and the first HTTP status that means no.

        An app of which nothing is said may have no page at /, so there any answer but an error of its own will do.
        """
        if not self.own:
            return "/readyz", 300
        return (self.health_path, 400) if self.health_path else ("/", 500)


REFERENCE_APP = AppSection()


class Check(Protocol):
    """Reads a given text; notes what is wrong with it and gives the fallback."""

    def __call__(self, given: Given, read: Callable[[str], _Value], fallback: _Value) -> _Value:
        """What `read` makes of it."""


_READERS: Mapping[str, Callable[[str], Any]] = {
    "image": app_values.image,
    "command": app_values.command,
    "directory": app_values.directory,
    "port": port,
    "health_path": app_values.url_path,
    "health_command": app_values.command,
    "metrics_port": port,
    "metrics_path": app_values.url_path,
    "migrate": app_values.command,
    "user": app_values.user,
}


def read_app(keys: Mapping[str, Given], check: Check) -> tuple[AppSection, list[Problem]]:
    """The section that `keys` give, and what is wrong with their names and with how they go together."""
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, read in _READERS.items():
        if given := keys.get(f"app.{name}"):
            found[name] = check(given, read, getattr(AppSection, name))
    own = any(f"app.{name}" in keys for name in ("image", "command"))
    found["env"] = _mapping(keys, "app.env.", app_values.env_value, check)
    found["list_cache"] = _mapping(keys, "app.list_cache.", app_values.cache_seconds, check)
    found["options"] = _mapping(keys, "pool.options.", app_values.option_value, check)
    problems += _wrong_names(keys, own)
    problems += _wrong_company(keys, own)
    return AppSection(**found), problems


def _mapping(keys: Mapping[str, Given], prefix: str, read: Callable[[str], str], check: Check) -> dict[str, str]:
    return {key.removeprefix(prefix): check(keys[key], read, "") for key in keys if key.startswith(prefix)}


def _wrong_names(keys: Mapping[str, Given], own: bool) -> list[Problem]:
    taken = CONTRACT if own else CONTRACT | _REFERENCE_ONLY
    checks: Mapping[str, Callable[[str], str]] = {
        "app.env.": lambda name: app_values.env_name(name, taken),
        "app.list_cache.": app_values.route,
        "pool.options.": app_values.option_name,
    }
    problems = []
    for key, given in keys.items():
        for prefix, read in checks.items():
            if key.startswith(prefix):
                try:
                    read(key.removeprefix(prefix))
                except Fault as fault:
                    problems.append(Problem("bad_value", f"{given.origin}: {fault}", fault.hint))
    return problems


def _wrong_company(keys: Mapping[str, Given], own: bool) -> list[Problem]:
    if own:
        hint = "remove it; an app of your own caches by itself"
        wrong = {key: hint for key in keys if key.startswith("app.list_cache.")}
        text = "is for the reference app only"
        if "app.metrics_path" in keys and "app.metrics_port" not in keys:
            return [_problem(keys["app.metrics_path"], "says nothing without app.metrics_port", "give the port too")]
    else:
        hint = "give app.image for the Docker engine, app.command for the embedded one, or both"
        wrong = {f"app.{name}": hint for name in _READERS if f"app.{name}" in keys}
        if given := keys.get("pool.options.application_name"):
            return [_problem(given, "is set by the reference app, with the worker's number", "remove it")]
        text = "is for an app of your own, and none is named"
    return [_problem(keys[key], text, hint) for key, hint in wrong.items()]


def _problem(given: Given, text: str, hint: str) -> Problem:
    return Problem("bad_value", f"{given.origin}: {text}", hint)


def from_record(found: object) -> AppSection:
    """The section of a JSON object that was made of one; what cannot be used is left out."""
    if not isinstance(found, dict):
        return REFERENCE_APP
    known: dict[str, Any] = {}
    for entry in fields(AppSection):
        default, value = getattr(REFERENCE_APP, entry.name), found.get(entry.name)
        value = tuple(map(str, value)) if isinstance(value, list) else value
        if type(value) is type(default):
            known[entry.name] = value
    return AppSection(**known)
