"""How the user's own app is started, from its section and the variables that it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.render.model import Address, Place
from stackctl.settings.app_section import AppSection

DEFAULT_USER = "10001:10001"
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Z][A-Z0-9_]*)\}|(?P<plain>[A-Z][A-Z0-9_]*))")
# Most images have Python, few have curl. A redirect is not followed: where it leads may not be reachable.
_ASK = (
    "import http.client, sys; "
    "c = http.client.HTTPConnection('127.0.0.1', {port}, timeout=4); "
    "c.request('GET', {path!r}); "
    "sys.exit(c.getresponse().status >= {limit})"
)


def with_app(place: Place, app: AppSection) -> Place:
    """The place with the addresses and the health page of the app; without metrics where it has none."""
    if not app.own:
        return place
    web, metrics = place.addresses["app"], place.addresses["metrics"]
    addresses: dict[str, Address] = {**place.addresses, "app": replace(web, port=app.port)}
    del addresses["metrics"]
    if app.metrics_port:
        addresses["metrics"] = replace(metrics, port=app.metrics_port)
    return replace(place, addresses=addresses, app_health=app.health)


def expanded(argv: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The command line with `$PORT` and the other variables of the contract filled in; other names stay as they are."""
    return [_VARIABLE.sub(lambda found: variables.get(found[1] or found[2], found[0]), word) for word in argv]


def health_check(app: AppSection) -> list[str]:
    """The health check of the app's container."""
    if app.health_command:
        return ["CMD", *app.health_command]
    path, limit = app.health
    return ["CMD", "python", "-c", _ASK.format(port=app.port, path=path, limit=limit)]
