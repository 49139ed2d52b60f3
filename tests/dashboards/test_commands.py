"""What dashboards tell a reader to type can be typed."""

from __future__ import annotations

import re
from typing import Any

import typer

from stackctl import assets
from stackctl.cli import main

APPLICATION = typer.main.get_command(main.build())
TEXT = "".join(path.read_text() for path in (assets.root() / "dashboards").glob("*.json"))


def command(words: list[str]) -> Any:
    """The command that the words begin with."""
    found: Any = APPLICATION
    for word in words:
        found = getattr(found, "commands", {}).get(word, found)
    return found


def test_every_command_exists() -> None:
    told = {text.split()[0]: text.split() for text in re.findall(r"`stackctl ([^`]+)`", TEXT)}
    assert {"health", "logs", "backup", "wal"} <= set(told)
    for text in re.findall(r"`stackctl ([^`]+)`", TEXT):
        words = text.split()
        assert command(words[:1]) is not APPLICATION, text
        if len(words) > 1 and hasattr(command(words[:1]), "commands"):
            assert command(words) is not command(words[:1]), text


def test_every_option_exists() -> None:
    options = {name for param in command(["up"]).params for name in param.opts}
    assert set(re.findall(r"--[a-z]+", TEXT)) <= options
