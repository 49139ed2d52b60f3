"""Public images, each by an exact tag: the same release on every machine and on every day."""

from __future__ import annotations

from typing import Final

from stackctl.errors import ImageUnavailable
from stackctl.images.model import Image, Recipe

# The four minors of one release day (August 2026); the newest major had one release more.
POSTGRES: Final[dict[int, str]] = {
    18: "postgres:18.6-trixie",
    17: "postgres:17.11-trixie",
    16: "postgres:16.15-trixie",
    15: "postgres:15.19-trixie",
}
DEFAULT_MAJOR: Final = 18

# The app is always built here: its code is the user's. Only what it starts from is public.
APP_BASE: Final = "python:3.13-slim-trixie"

OTHERS: Final[dict[str, str]] = {
    "pgbouncer": "edoburu/pgbouncer:v1.25.2-p0",
    "prometheus": "prom/prometheus:v3.14.0",
    "alertmanager": "prom/alertmanager:v0.34.0",
    "postgres-exporter": "quay.io/prometheuscommunity/postgres-exporter:v0.20.1",
    "grafana": "grafana/grafana:13.2.0",
}


def postgres(major: int) -> Image:
    """The public server image of one PostgreSQL major; raises ImageUnavailable for any other."""
    reference = POSTGRES.get(major)
    if reference is None:
        known = ", ".join(str(number) for number in sorted(POSTGRES))
        raise ImageUnavailable(f"no public image for PostgreSQL {major}", hint=f"use --pg with one of {known}")
    return Image("postgres", reference, "public")


def images(major: int = DEFAULT_MAJOR) -> tuple[Image, ...]:
    """Every service's public image, the database first, the app not among them."""
    others = (Image(service, reference, "public") for service, reference in OTHERS.items())
    return (postgres(major), *others)


def app(reference: str, recipe: Recipe) -> Image:
    """The app's image as built from the public Python base under the name `reference`."""
    return Image("app", reference, "public", recipe)


def data_mount(major: int) -> str:
    """Where the data volume is mounted: PostgreSQL 18's image moved it up by one folder.

    The wrong place looks fine until the container is recreated; then the data is gone.
    """
    return "/var/lib/postgresql" if major >= 18 else "/var/lib/postgresql/data"
