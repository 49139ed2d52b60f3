"""The user's own app on the engine that was chosen: what it needs there, and on which port it is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import Pooler
from stackctl.operations.ports import host_ports
from stackctl.settings.app_section import AppSection
from stackctl.settings.connection import MEMORY
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.model import Ports, Settings
from stackctl.sizing.catalog import Catalog

_NEEDS = {
    "docker": ("image", "the Docker engine runs an app from its image"),
    "embedded": ("command", "the embedded engine runs a command, not an image"),
}


def app_for_engine(settings: Settings, engine: str) -> Settings:
    """The settings with the ports of an app of the user's own as `engine` has them.

    In a container the app has ports of its own, and `ports.app` and `ports.metrics` are where the host publishes them.
    Without containers they are one: given in one place, they count for both. Raises ProfileError where they differ,
    and where the app cannot run on this engine.
    """
    if not settings.app.own:
        return settings
    if problems := _missing(settings, engine):
        raise ProfileError.of(problems)
    if engine == "docker":
        return replace(settings, app=replace(settings.app, port=settings.app.port or Ports().app))
    problems = []
    app, ports = settings.app, settings.ports
    port, found = _one_port(settings, "app", app.port, ports.app)
    problems += found
    metrics = app.metrics_port
    if metrics and metrics != port:
        metrics, found = _one_port(settings, "metrics", metrics, ports.metrics)
        problems += found
    app = replace(app, port=port, metrics_port=metrics)
    ports = replace(ports, app=port, metrics=metrics if app.separate_metrics else ports.metrics)
    settled = replace(settings, app=app, ports=ports)
    if problems := problems or _twice(settled):
        raise ProfileError.of(problems)
    return settled


def metrics_url(app: AppSection, ports: Mapping[str, int]) -> str:
    """Where the app's metrics are found on this host, empty where it has none."""
    if app.own and not app.metrics_port:
        return ""
    port = ports["metrics" if app.separate_metrics else "app"]
    return f"http://127.0.0.1:{port}{app.metrics_path or '/metrics'}"


def option_problems(settings: Settings, catalog: Catalog) -> list[Problem]:
    """What the server would refuse of `pool.options`, so that no session could start, or the memory proof not hold."""
    problems = _behind_pooler(settings)
    for name, value in settings.app.options.items():
        origin = settings.origins[f"pool.options.{name}"]
        # Those of extensions are not in the catalogue.
        if "." not in name and (problem := catalog.check(name, value, origin)):
            problems.append(problem)
        elif name in catalog.entries and catalog.entries[name].context != "user":
            text = f"{origin}: {name} is not for a session to set"
            problems.append(Problem("bad_value", text, f"pin it for the server: postgres.{name}"))
        elif name in MEMORY:
            text = f"{origin}: {name} of the app's sessions would not be in the memory proof"
            problems.append(Problem("bad_value", text, f"pin it for the server: postgres.{name}"))
    return problems


def _behind_pooler(settings: Settings) -> list[Problem]:
    """Why the app would not start behind PgBouncer: it refuses the options of a connection."""
    names = [*settings.app.options]
    if not names or settings.profile.pooler is Pooler.NONE:
        return []
    text = (
        f"{settings.origins[f'pool.options.{names[0]}']}: PgBouncer passes no options on, and the app would not start"
    )
    hint = f"give {', '.join(names)} to the role, ALTER ROLE app IN DATABASE app SET ..., or use --pooler none"
    return [Problem("bad_value", text, hint)]


def _missing(settings: Settings, engine: str) -> list[Problem]:
    key, reason = _NEEDS[engine]
    if getattr(settings.app, key):
        return []
    other = "docker" if engine == "embedded" else "embedded"
    given = settings.origins[f"app.{'command' if key == 'image' else 'image'}"]
    hint = f"give app.{key} too, or use --engine {other}"
    return [Problem("bad_value", f"{given}: app.{key} is missing: {reason}", hint)]


def _one_port(settings: Settings, name: str, inside: int, outside: int) -> tuple[int, list[Problem]]:
    key = "app.port" if name == "app" else "app.metrics_port"
    if not inside or inside == outside or f"ports.{name}" not in settings.origins:
        return inside or outside, []
    text = f"{settings.origins[key]}: {inside} is not ports.{name}, {outside}: without a container they are one port"
    return inside, [Problem("bad_value", text, f"give only one of {key} and ports.{name}")]


def _twice(settings: Settings) -> list[Problem]:
    twice = [port for port, count in Counter(host_ports(settings).values()).items() if count > 1]
    return [
        Problem("bad_value", f"{PROJECT_FILE}: app.port: {port} is another service's", "see the section ports")
        for port in twice
    ]
