"""`stackctl init`: a commented stackctl.yaml from flags and this host."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath

from stackctl import assets
from stackctl.errors import ProfileError, unwritable
from stackctl.hardware.model import PORTABLE_BUILD, Build
from stackctl.operations.project import larger_than_host, open_project, sized
from stackctl.operations.result import Line, Request, Result
from stackctl.settings.model import Settings
from stackctl.settings.pins import PIN_KEYS
from stackctl.sizing.model import Pins
from stackctl.units import GIB, KIB, MIB

EXAMPLE = "config/stackctl.example.yaml"


def init_command(request: Request) -> Result:
    """Write the example with this profile's values. Raises ProfileError where a stackctl.yaml is there already."""
    path = Path(request.project) / "stackctl.yaml"
    if path.exists():
        raise ProfileError(f"{path} exists and is never overwritten", hint="edit it, or move it away first")
    opened = open_project(request)
    sized(opened.settings, PORTABLE_BUILD)
    text = project_file(opened.settings, assets.read(EXAMPLE))
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise unwritable(path, error) from error
    return Result(
        {"path": str(path.resolve()), "name": opened.settings.name},
        [Line(f"wrote {path}", "good"), Line("next: stackctl size, then stackctl up")],
        (*opened.settings.warnings, *larger_than_host(opened.settings.profile, opened.host)),
    )


def project_file(settings: Settings, example: str) -> str:
    """The commented example with the values of `settings` in it, and its pins switched on."""
    profile = settings.profile
    values = {
        "ram": _size(profile.ram),
        "cpus": str(profile.cpus),
        "storage": profile.storage.value,
        "disk": _size(profile.disk),
        "workload": profile.workload.value,
        "postgres": str(profile.postgres),
        "app_workers": str(profile.app_workers),
        "pooler": profile.pooler.value,
    }
    text = "\n".join(line for line in example.splitlines() if "yaml-language-server" not in line) + "\n"
    text = text.removeprefix("#\n")
    for key, value in values.items():
        # The first one: the profile is the file's first section, and others have keys of the same name.
        text = re.sub(rf"(?m)^  {key}: .*$", f"  {key}: {value}", text, count=1)
    if settings.build is not None:
        text = text.replace("\n  #build: portable\n", f"\n  build: {_scalar(_build(settings.build))}\n")
    text = re.sub(r"(?m)^engine: .*$", f"engine: {settings.engine}", text)
    if settings.images:
        text = re.sub(r"(?m)^#images: .*$", f"images: {settings.images}", text)
    if settings.provenance["name"] != "default":
        text = re.sub(r"(?m)^#name: .*$", f"name: {settings.name}", text)
    return _pinned(text, settings.pins)


def _pinned(text: str, pins: Pins) -> str:
    """The example with each pin as the first key of its section."""
    keys = {name: key for key, name in PIN_KEYS.items()}
    for name, pin in pins.items():
        section, key = keys.get(name, f"postgres.{name}").split(".", 1)
        text = text.replace(f"\n{section}:\n", f"\n{section}:\n  {key}: {_scalar(pin.value)}\n")
    return text


def _build(build: Build | PurePath) -> str:
    return (",".join(build.features) or "portable") if isinstance(build, Build) else str(build)


def _scalar(value: str) -> str:
    return value if re.fullmatch(r"[1-9][0-9]*[A-Za-z]*", value) else json.dumps(value, ensure_ascii=False)


def _size(size: int) -> str:
    for unit, factor in (("G", GIB), ("M", MIB)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size // KIB}K"
