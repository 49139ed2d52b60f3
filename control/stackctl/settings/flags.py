"""The topmost layer: what stands on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stackctl.errors import Problem, ProfileError, UsageError
from stackctl.settings.environment import PINS
from stackctl.settings.layers import FLAG, Given, Layer

# flag -> key, where they differ in more than the dashes
_KEYS = {"pg": "postgres"}
_CONNECTIONS = "max_connections"
_SET = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.$]*)\s*=(.*)", re.DOTALL)


def read_flags(flags: Mapping[str, str | None], sets: Sequence[str]) -> Layer:
    """What the flags give. Raises UsageError where two contradict, ProfileError for a malformed `--set`."""
    layer = Layer()
    for flag, text in flags.items():
        if text is None:
            continue
        given = Given(text, FLAG, "--" + flag.replace("_", "-"))
        if flag == "connections":
            layer.pins[_CONNECTIONS] = given
        else:
            layer.keys[_KEYS.get(flag, flag)] = given
    problems = [problem for text in sets if (problem := _set(layer, text)) is not None]
    if problems:
        raise ProfileError.of(problems)
    return layer


def _set(layer: Layer, text: str) -> Problem | None:
    match = _SET.fullmatch(text)
    if match is None:
        message = f"--set {text}: not of the form NAME=VALUE"
        return Problem("bad_set", message, "write --set work_mem=16MB, for example")
    written, value = match[1], match[2].strip()
    name = PINS.get(written, written)
    before = layer.pins.get(name)
    if before is not None and before.text.strip() != value:
        raise UsageError(
            f"{before.origin} and --set {written} give {name} two values, {before.text} and {value}",
            hint="give it once",
        )
    layer.pins[name] = before or Given(value, FLAG, f"--set {written}")
    return None
