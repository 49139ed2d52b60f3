"""Which services a changed engine file touches: its sections, compared one by one."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import RawConfigParser
from typing import Any

_PROGRAM = "program:"


def changed_services(path: str, old: bytes, new: bytes) -> set[str]:
    """Services whose section differs between two versions of compose.yaml or supervisord.conf."""
    read = _compose if path.endswith(".yaml") else _supervisor
    before, after = read(old.decode()), read(new.decode())
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def services_in(path: str, content: bytes) -> set[str]:
    """Services that compose.yaml or supervisord.conf describes."""
    return set((_compose if path.endswith(".yaml") else _supervisor)(content.decode()))


def _compose(text: str) -> Mapping[str, Any]:
    import yaml

    found: Mapping[str, Any] = yaml.safe_load(text)["services"]
    return found


def _supervisor(text: str) -> Mapping[str, Any]:
    parser = RawConfigParser()
    parser.read_string(text)
    return {name.removeprefix(_PROGRAM): dict(parser[name]) for name in parser.sections() if name.startswith(_PROGRAM)}
