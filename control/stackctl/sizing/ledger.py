"""The ledger that the topics of sizing write into: a pin takes the place of a sized value."""

from __future__ import annotations

from stackctl.sizing.catalog import Catalog
from stackctl.sizing.model import MANDATORY, SIZED, Parameter, Pins
from stackctl.units import Bytes, pg_size


class Ledger:
    """Collects parameters in the order of their topics, for one catalogue and one set of pins."""

    def __init__(self, catalog: Catalog, pins: Pins) -> None:
        self._catalog = catalog
        self._pins = pins
        self._parameters: dict[str, Parameter] = {}
        self._topic = "Other"

    def topic(self, name: str) -> None:
        """Begin a group; what follows belongs to it."""
        self._topic = name

    def has(self, name: str) -> bool:
        """Whether this version has the parameter."""
        return name in self._catalog.entries

    def set(self, name: str, value: str, why: str, source: str, *, mandatory: bool = False) -> str:
        """Enter a value unless the version lacks the parameter; gives back the value in force, the pin's if pinned."""
        entry = self._catalog.entries.get(name)
        if entry is None:
            return value
        provenance = MANDATORY if mandatory else SIZED
        pin = None if mandatory else self._pins.get(name)
        if pin is not None:
            why, value, provenance = (
                f"pinned by {pin.provenance}; sized would be {value}",
                pin.value,
                pin.provenance,
            )
        self._parameters[name] = Parameter(
            name, value, entry.default, entry.restart, why, source, provenance, self._topic
        )
        return value

    def memory(self, name: str, size: Bytes, why: str, source: str) -> Bytes:
        """Enter a memory value in bytes; gives back the one in force, in bytes."""
        value = self.set(name, pg_size(size), why, source)
        return Bytes(int(self._catalog.entries[name].number(value)))

    def count(self, name: str, value: int, why: str, source: str) -> int:
        """Enter a count; gives back the one in force."""
        text = self.set(name, str(value), why, source)
        return int(self._catalog.entries[name].number(text)) if self.has(name) else value

    def parameters(self) -> tuple[Parameter, ...]:
        """Everything entered, then the pins of parameters that no topic sizes."""
        self._topic = "Pinned"
        for name, pin in self._pins.items():
            if name in self._catalog.entries and name not in self._parameters:
                self.set(name, pin.value, "", "the user")
        return tuple(self._parameters.values())
