"""The images of a stack: which they are, and how they get onto this engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl import assets
from stackctl.engine.base import Note
from stackctl.engine.docker.containers import present
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, ImageUnavailable, StackError
from stackctl.images import base, catalog, debian, host, public
from stackctl.images.content import context_hash
from stackctl.images.model import Image

PUBLIC, DEBIAN = "public", "debian"
_NAMES = {"exporter": "postgres-exporter", "migrate": "app", "receiver": "postgres", "observer": "scheduler"}


@dataclass(frozen=True)
class Supply:
    """Images by service of the Compose file, and why a service has none."""

    source: str
    images: Mapping[str, Image]
    missing: Mapping[str, str]

    def references(self) -> dict[str, str]:
        """Image names for the templates."""
        return {service: image.reference for service, image in self.images.items()}


def supply(source: str, postgres: int, services: tuple[str, ...], own: str = "") -> Supply:
    """The images of `services` from `source`, and `own` where the user's own app takes the reference app's place.

    Raises ImageUnavailable where PostgreSQL `postgres` is not there.
    """
    known = _debian(postgres) if source == DEBIAN else _public(postgres)
    if {"scheduler", "observer"} & set(services):
        known["scheduler"] = _scheduler(known["postgres"])
    if own:
        known["app"] = Image("app", own, "own")
    missing = {absent.service: absent.reason for absent in catalog.ABSENT} if source == DEBIAN else {}
    found = {
        service: known[_NAMES.get(service, service)] for service in services if _NAMES.get(service, service) in known
    }
    return Supply(source, found, {service: missing[service] for service in services if service not in found})


def ensure(wanted: Supply, runner: Runner, note: Note) -> None:
    """Pull or build what the engine lacks. Raises ImageUnavailable naming both ways out of a registry out of reach."""
    lacking = {image.reference: image for image in wanted.images.values() if not present(image.reference)}
    for image in [image for image in lacking.values() if image.source == "own"]:
        _pull_own(runner, lacking.pop(image.reference).reference, note)
    if not lacking:
        return
    if wanted.source == PUBLIC:
        if any(_starts_from(image, public.APP_BASE) for image in lacking.values()) and not present(public.APP_BASE):
            _pull(runner, public.APP_BASE, note)
        for image in lacking.values():
            if image.build is None:
                _pull(runner, image.reference, note)
    else:
        debian.ensure_base(runner, assets.root() / "stack" / "images" / "base", host.find_mirrors(Path("/")), note)
    secrets = host.find_secrets(Path("/"), Path.home(), os.environ)
    options = [*debian.secret_arguments(secrets), *debian.proxy_arguments(os.environ)]
    debian.ensure_built(runner, debian.build_plan(list(lacking.values()), options), note)


def reachable(runner: Runner, postgres: int) -> bool:
    """Whether the public images can be had: the database's is here, or its registry answers."""
    reference = public.postgres(postgres).reference
    if present(reference):
        return True
    try:
        return (
            runner.run(["docker", "manifest", "inspect", reference], timeout=20, check=False, quiet=True).returncode
            == 0
        )
    except StackError:
        return False


def _starts_from(image: Image, base_image: str) -> bool:
    return image.build is not None and image.build.base == base_image


def _pull(runner: Runner, reference: str, note: Note) -> None:
    note(f"pulling {reference}")
    try:
        runner.run(["docker", "pull", "--quiet", reference], timeout=1800)
    except EngineFailed as error:
        raise ImageUnavailable(
            f"{reference} cannot be pulled: {error}",
            hint="--images debian builds the images here without a registry; --engine embedded needs no images",
        ) from error


def _pull_own(runner: Runner, reference: str, note: Note) -> None:
    note(f"pulling {reference}")
    try:
        runner.run(["docker", "pull", "--quiet", reference], timeout=1800)
    except EngineFailed as error:
        raise ImageUnavailable(
            f"app.image: {reference} is not here and cannot be pulled: {error}",
            hint=f"build it on this machine with docker build --tag {reference}, or log in to its registry",
        ) from error


def _app(base_image: str, source: str) -> Image:
    recipe = catalog.app_recipe(assets.root() / "stack", assets.root() / "stack" / "app", base_image)
    reference = catalog.reference("app", context_hash(recipe.dockerfile, recipe.context, recipe.base))
    return Image("app", reference, "debian" if source == DEBIAN else "public", recipe)


def _scheduler(database: Image) -> Image:
    recipe = catalog.scheduler_recipe(assets.root(), assets.PACKAGE, database.reference)
    content = context_hash(recipe.dockerfile, recipe.context, recipe.base, recipe.others)
    return Image("scheduler", catalog.reference("scheduler", content), database.source, recipe)


def _public(postgres: int) -> dict[str, Image]:
    return {image.service: image for image in (*public.images(postgres), _app(public.APP_BASE, PUBLIC))}


def _debian(postgres: int) -> dict[str, Image]:
    catalog.require_major(postgres)
    recipes = catalog.recipes(assets.root() / "stack")
    built = catalog.images(recipes, catalog.hashes(recipes))
    return {image.service: image for image in (*built, _app(base.REFERENCE, DEBIAN))}
