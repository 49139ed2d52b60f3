"""Layers of given values: flag over environment over `.env` over stackctl.yaml over the flags of the last `up`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

FLAG = "flag"
ENVIRONMENT = "environment"
DOTENV = ".env"
PROJECT_FILE = "stackctl.yaml"
DETECTED = "detected"
DEFAULT = "default"


@dataclass(frozen=True)
class Given:
    """A value as it was written, the layer that it stands in, and the place that a message names."""

    text: str
    layer: str
    origin: str


@dataclass(frozen=True)
class Layer:
    """What one layer gives. Pins are apart, since a parameter may be called what a key is called."""

    keys: dict[str, Given] = field(default_factory=dict)
    pins: dict[str, Given] = field(default_factory=dict)


def recorded(layer: Layer) -> Layer:
    """The flags of an earlier `up` as a layer of their own, below all that is given now.

    They stay flags by name: what is rendered must not differ because a value was given yesterday.
    """

    def earlier(given: Given) -> Given:
        return Given(given.text, FLAG, f"{given.origin} of the last up")

    return Layer(
        {key: earlier(given) for key, given in layer.keys.items()},
        {name: earlier(given) for name, given in layer.pins.items()},
    )


def merge(layers: Iterable[Layer]) -> Layer:
    """One layer of all, a later one winning over an earlier one."""
    merged = Layer()
    for layer in layers:
        merged.keys.update(layer.keys)
        merged.pins.update(layer.pins)
    return merged
