"""Which lists are cached and for how long: `/tools=2,/teams=0.5`."""

from __future__ import annotations

from app.environment import SettingsError

# A constant keeps the routes out of the gunicorn master, which checks the settings; a test keeps it
# equal to the routes that answer with a page.
ROUTES = ("/tools", "/tools/{tool_id}/resources", "/resources", "/teams", "/teams/{team_id}/members")


def seconds_by_route(name: str, text: str) -> dict[str, float]:
    """Return what `/tools=2,/teams=0.5` says; raise SettingsError for an unknown route or no number."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        route, _, number = part.partition("=")
        if route not in ROUTES:
            raise SettingsError(f"{name} names {route!r}, which is no list; choose from {', '.join(ROUTES)}")
        try:
            found[route] = float(number)
        except ValueError:
            found[route] = 0.0
        if not 0 < found[route] < float("inf"):
            raise SettingsError(f"{name} must give {route} a number of seconds above 0, not {number!r}")
    return found
