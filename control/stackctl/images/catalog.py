"""Which images are built from Debian's packages, from which folder, under which name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stackctl.errors import ImageUnavailable
from stackctl.images import base
from stackctl.images.content import context_hash
from stackctl.images.model import Absent, Image, Recipe, Source

POSTGRES_MAJOR: Final = 17

# The version in the tag is Debian 13's, for people; the digits after it decide.
VERSIONS: Final[dict[str, str]] = {
    "postgres": str(POSTGRES_MAJOR),
    "pgbouncer": "1.24",
    "prometheus": "2.53",
    "alertmanager": "0.28",
    "postgres-exporter": "0.17",
}

ABSENT: Final = (Absent("grafana", "Debian does not package Grafana, so dashboards need a registry (--images public)"),)


def recipes(stack: Path) -> dict[str, Recipe]:
    """How each service's image is built, from the asset folder `stack`."""
    folders = {service: stack / "images" / service for service in VERSIONS}
    return {name: Recipe(folder / "Dockerfile", folder, base.REFERENCE) for name, folder in folders.items()}


def app_recipe(stack: Path, context: Path, base_image: str) -> Recipe:
    """How the app is built: `context` holds requirements.txt and the package folder app/."""
    return Recipe(stack / "images" / "app" / "Dockerfile", context, base_image)


def scheduler_recipe(root: Path, package: Path, postgres: str) -> Recipe:
    """How the scheduler is built on the image `postgres`: `root` has the assets, `package` is stackctl itself."""
    folder = root / "stack" / "images" / "scheduler"
    others = (
        ("stackctl", package),
        ("recovery", root / "config" / "postgres"),
        ("fetching", root / "config" / "pgbackrest"),
    )
    return Recipe(folder / "Dockerfile", folder, postgres, others)


def hashes(recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """The content hash of each recipe, read from the disk."""
    return {service: context_hash(r.dockerfile, r.context, r.base) for service, r in recipes.items()}


def reference(service: str, content: str) -> str:
    """The tag of a service's image: `stackctl/postgres:17-0123456789ab`, and `stackctl/app:0123456789ab`."""
    version = VERSIONS.get(service)
    return f"stackctl/{service}:{content if version is None else f'{version}-{content}'}"


def images(recipes: Mapping[str, Recipe], content: Mapping[str, str], source: Source = "debian") -> tuple[Image, ...]:
    """The images of the recipes, each under its content-hashed name."""
    return tuple(Image(name, reference(name, content[name]), source, r) for name, r in recipes.items())


def require_major(major: int) -> None:
    """Raise ImageUnavailable unless Debian 13 has this PostgreSQL major."""
    if major != POSTGRES_MAJOR:
        raise ImageUnavailable(
            f"Debian 13 has PostgreSQL {POSTGRES_MAJOR}, not {major}",
            hint=f"use --pg {POSTGRES_MAJOR}, or --images public",
        )
