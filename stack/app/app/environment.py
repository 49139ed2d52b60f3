"""Reads one variable of the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable is missing or cannot be used; the message starts with its name."""


def seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return a positive number of seconds."""
    value = _parsed(environ, name, float, default, "a number of seconds")
    if not 0 < value < float("inf"):
        raise SettingsError(f"{name} must be above 0 seconds, not {value:g}")
    return value


def integer(environ: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number that is not below `least`."""
    value = _parsed(environ, name, int, default, "a whole number")
    if value < least:
        raise SettingsError(f"{name} must be at least {least}, not {value}")
    return value


def boolean(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return what a word for yes or no means."""
    words = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
    return _parsed(environ, name, lambda text: words[text.lower()], default, "true or false")


def _parsed(environ: Mapping[str, str], name: str, parse: Callable[[str], T], default: T, wanted: str) -> T:
    # An empty value is an unset one: Compose passes `NAME=` for what is not given.
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"{name} must be {wanted}, not {text!r}") from error
