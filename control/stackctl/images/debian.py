"""Builds images: the base from debootstrap, the others from Dockerfiles, each only where it is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stackctl.errors import ImageUnavailable, StackError
from stackctl.images import base
from stackctl.images.apt_sources import Mirrors
from stackctl.images.model import Image, Recipe, Runner, Secrets

DEBOOTSTRAP_SECONDS: Final = 900.0
BUILD_SECONDS: Final = 1800.0
# The builder knows these by name and keeps them out of the image's history.
PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuildStep:
    """One image to build and the command that builds it."""

    reference: str
    argv: tuple[str, ...]


def secret_arguments(secrets: Secrets) -> list[str]:
    """The options that lend host files to a build."""
    lent = (("ca", secrets.ca), ("pipconf", secrets.pipconf))
    return [part for name, path in lent if path is not None for part in ("--secret", f"id={name},src={path}")]


def proxy_arguments(environment: Mapping[str, str]) -> list[str]:
    """The options that pass the host's proxy settings by name; their values stay out of the command line."""
    return [part for name in PROXIES if environment.get(name) for part in ("--build-arg", name)]


def build_argv(reference: str, recipe: Recipe, options: Sequence[str] = ()) -> list[str]:
    """The command that builds one image; Buildx by name, since the old builder has no secrets."""
    named = ["--tag", reference, "--file", str(recipe.dockerfile), "--build-arg", f"BASE={recipe.base}"]
    others = [word for name, folder in recipe.others for word in ("--build-context", f"{name}={folder}")]
    return ["docker", "buildx", "build", "--load", "--progress=plain", *named, *others, *options, str(recipe.context)]


def build_plan(images: Sequence[Image], options: Sequence[str] = ()) -> list[BuildStep]:
    """The builds that `images` need, in their order; an image without a recipe needs none."""
    wanted = [(image.reference, image.build) for image in images if image.build is not None]
    return [BuildStep(name, tuple(build_argv(name, recipe, options))) for name, recipe in wanted]


def exists(runner: Runner, reference: str) -> bool:
    """Whether the engine already has the image."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", reference]
    return runner.run(argv, timeout=60, check=False, quiet=True).returncode == 0


def ensure_base(runner: Runner, assets: Path, mirrors: Mirrors, progress: Progress) -> bool:
    """Make the base image unless it exists; returns whether it was made. Raises ImageUnavailable."""
    if exists(runner, base.REFERENCE):
        return False
    progress(f"making {base.REFERENCE} with debootstrap")
    # Not /tmp: it is often a small tmpfs, or mounted without device files or programs.
    space = base.Workspace(Path(tempfile.mkdtemp(prefix="stackctl-base-", dir="/var/tmp")))
    try:
        _make_base(runner, space, assets, mirrors)
    finally:
        for argv in base.cleanup_argvs(space):
            runner.run(argv, timeout=300, check=False, quiet=True)
    return True


def _make_base(runner: Runner, space: base.Workspace, assets: Path, mirrors: Mirrors) -> None:
    try:
        runner.run(base.debootstrap_argv(space.tree, mirrors.main), timeout=DEBOOTSTRAP_SECONDS)
        base.configure(space.tree, assets, mirrors)
        runner.run(base.tar_argv(space), timeout=300)
        runner.run(base.import_argv(space.archive), timeout=300)
    except (StackError, OSError) as error:
        raise ImageUnavailable(
            f"the base image {base.REFERENCE} cannot be made: {error}",
            hint="debootstrap needs root and a Debian mirror; with a registry in reach, use --images public",
        ) from error


def ensure_built(runner: Runner, steps: Sequence[BuildStep], progress: Progress) -> tuple[str, ...]:
    """Build what does not exist yet, in order; returns the names built. Raises ImageUnavailable."""
    missing = [step for step in steps if not exists(runner, step.reference)]
    for step in missing:
        progress(f"building {step.reference}")
        _build(runner, step)
    return tuple(step.reference for step in missing)


def _build(runner: Runner, step: BuildStep) -> None:
    try:
        runner.run(step.argv, timeout=BUILD_SECONDS)
    except StackError as error:
        raise ImageUnavailable(
            f"{step.reference} cannot be built: {error}",
            hint="the lines above name the step; usually a mirror or a package index cannot be reached",
        ) from error
