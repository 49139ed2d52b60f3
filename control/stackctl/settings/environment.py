"""The environment contract: which variable gives which key, and the `.env` file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from stackctl.errors import Problem, ProfileError
from stackctl.settings.layers import DOTENV, ENVIRONMENT, Given, Layer
from stackctl.settings.pins import APP_PINS
from stackctl.settings.text_file import read_text

KEYS = {
    "STACKCTL_NAME": "name",
    "STACKCTL_ENGINE": "engine",
    "STACKCTL_IMAGES": "images",
    "STACKCTL_RAM": "ram",
    "STACKCTL_CPUS": "cpus",
    "STACKCTL_STORAGE": "storage",
    "STACKCTL_DISK": "disk",
    "STACKCTL_WORKLOAD": "workload",
    "STACKCTL_PG": "postgres",
    "STACKCTL_APP_WORKERS": "app_workers",
    "STACKCTL_POOLER": "pooler",
    "STACKCTL_WAL_RATE": "wal_rate",
    "STACKCTL_DISK_LIMIT": "disk_limit",
    "STACKCTL_BUILD": "build",
}
PINS = {
    "PG_SHARED_BUFFERS": "shared_buffers",
    "PG_WORK_MEM": "work_mem",
    "PG_MAINTENANCE_WORK_MEM": "maintenance_work_mem",
    "PG_EFFECTIVE_CACHE_SIZE": "effective_cache_size",
    "PG_MAX_CONNECTIONS": "max_connections",
    **{name: name for name in APP_PINS},
}
NAMES = (*KEYS, *PINS)
_HINT = "write NAME=value, and quote a value that has spaces or quotes in it"


def read_environment(environ: Mapping[str, str]) -> Layer:
    """What the process environment gives."""
    layer = Layer()
    for name, text in environ.items():
        _enter(layer, name, text, ENVIRONMENT, name)
    return layer


def read_dotenv(project: Path) -> tuple[Layer, tuple[Problem, ...]]:
    """What `.env` of the project gives, and warnings about names that look like ours and are not."""
    layer = Layer()
    text = read_text(project / DOTENV)
    if text is None:
        return layer, ()
    warnings = []
    for line, name, value in _bindings(text):
        _enter(layer, name, value, DOTENV, f"{DOTENV}:{line}: {name}")
        warning = _unknown(line, name)
        if warning is not None:
            warnings.append(warning)
    return layer, tuple(warnings)


def _enter(layer: Layer, name: str, text: str, provenance: str, origin: str) -> None:
    # An empty variable counts as not given, as in Compose files that pass variables through.
    if not text.strip():
        return
    if name in KEYS:
        layer.keys[KEYS[name]] = Given(text, provenance, origin)
    elif name in PINS:
        layer.pins[PINS[name]] = Given(text, provenance, origin)


def _bindings(text: str) -> list[tuple[int, str, str]]:
    from dotenv.parser import parse_stream

    found, problems = [], []
    for binding in parse_stream(io.StringIO(text)):
        # The parser counts empty lines above a binding as part of it.
        original = binding.original
        blank = original.string[: len(original.string) - len(original.string.lstrip())]
        line = original.line + blank.count("\n")
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(Problem("bad_line", f"{DOTENV}:{line}: not a line of the form NAME=value", _HINT))
        elif binding.key is not None:
            found.append((line, binding.key, binding.value or ""))
    if problems:
        raise ProfileError.of(problems)
    return found


def _unknown(line: int, name: str) -> Problem | None:
    if name in NAMES:
        return None
    import difflib

    near = difflib.get_close_matches(name, NAMES, 1, cutoff=0.85)
    if not near and not name.startswith(("STACKCTL_", "PG_")):
        return None
    hint = f"did you mean {near[0]}?" if near else "the names are listed in .env.example"
    if not near and name.startswith("PG_"):
        hint = f"write {name[3:].lower()} below postgres: in stackctl.yaml, or --set"
    message = f"{DOTENV}:{line}: {name} is not a variable of stackctl and was ignored"
    return Problem("unknown_variable", message, hint)
