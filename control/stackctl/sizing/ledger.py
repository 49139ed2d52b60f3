"""The ledger that the topics of sizing write into: a pin takes the place of a sized value."""

from __future__ import annotations

import re

from stackctl.sizing.catalog import Catalog, Entry
from stackctl.sizing.model import MANDATORY, SIZED, Parameter, Pins
from stackctl.units import Bytes, floor_to, pg_size

# A name in double quotes may hold a comma.
_LIBRARY = re.compile(r'"(?:[^"]|"")*"|[^,"\s]+')


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

    def set(self, name: str, value: str, why: str, source: str) -> str:
        """Enter a value unless the version lacks the parameter; gives back the value in force, the pin's if pinned."""
        entry = self._catalog.entries.get(name)
        if entry is None:
            return value
        provenance = SIZED
        if pin := self._pins.get(name):
            why, value, provenance = f"pinned by {pin.provenance}; sized would be {value}", pin.value, pin.provenance
        self._enter(name, value, why, source, provenance)
        return value

    def libraries(self, name: str, required: str, why: str, source: str) -> str:
        """Enter a list of libraries: the required one first, then those of the pin. Gives back the list."""
        value, provenance = required, MANDATORY
        pin = self._pins.get(name)
        listed = _LIBRARY.findall(pin.value) if pin else []
        more = [library for library in dict.fromkeys(listed) if library.strip('"') != required]
        if pin and more:
            value, provenance = ", ".join([required, *more]), pin.provenance
            why = f"{required}: {why}; pinned by {pin.provenance}: {', '.join(more)}"
        self._enter(name, value, why, source, provenance)
        return value

    def _enter(self, name: str, value: str, why: str, source: str, provenance: str) -> None:
        entry = self._catalog.entries[name]
        self._parameters[name] = Parameter(
            name, value, entry.default, entry.restart, why, source, provenance, self._topic
        )

    def memory(self, name: str, size: Bytes, why: str, source: str) -> Bytes:
        """Enter a memory value in bytes; gives back the one in force, in bytes."""
        value = self.set(name, pg_size(size), why, source)
        return Bytes(int(self._catalog.entries[name].number(value)))

    def exact(self, name: str, size: float, step: int, why: str, source: str) -> float:
        """Enter a memory value rounded down to `step`; gives back the exact size, or the pin's, in bytes.

        What is sized from it then does not jump where the rounding does.
        """
        entered = self.memory(name, floor_to(int(size), step), why, source)
        return entered if self.pinned(name) else size

    def offer(self, name: str, value: str, why: str, source: str) -> str:
        """Enter a value where it differs from the version's default; gives back the one in force."""
        if not self.has(name) or (self.pinned(name) is None and self._is_default(name, value)):
            return value
        return self.set(name, value, why, source)

    def offer_count(self, name: str, value: int, why: str, source: str) -> int:
        """Enter a count where it differs from the version's default; gives back the one in force."""
        text = self.offer(name, str(value), why, source)
        return int(self._catalog.entries[name].number(text)) if self.has(name) else value

    def _is_default(self, name: str, value: str) -> bool:
        entry = self._catalog.entries[name]
        return entry.number(value) == entry.number(entry.default) if entry.numeric else value == entry.default

    def count(self, name: str, value: int, why: str, source: str) -> int:
        """Enter a count; gives back the one in force."""
        text = self.set(name, str(value), why, source)
        return int(self._catalog.entries[name].number(text)) if self.has(name) else value

    def pinned(self, name: str) -> str | None:
        """Where the pin of `name` comes from; None where there is none, or the version lacks the parameter."""
        return self._pins[name].provenance if name in self._pins and self.has(name) else None

    def given(self, name: str, default: str) -> str:
        """The pin of a setting that is no parameter of PostgreSQL, or its default."""
        return self._pins[name].value if name in self._pins else default

    def pinned_number(self, name: str, default: int) -> int:
        """The pin of a parameter that nothing entered yet, in bytes, milliseconds or plain units; else `default`."""
        return self.number(name) if self.pinned(name) else default

    def value(self, name: str) -> str:
        """The value in force: as entered, else the pin's, else the default. KeyError where the version lacks it."""
        if name in self._parameters:
            return self._parameters[name].value
        return self._pins[name].value if name in self._pins else self._catalog.entries[name].default

    def number(self, name: str) -> int:
        """The value in force in bytes, milliseconds or plain units; 0 where the version lacks the parameter."""
        return int(self.entry(name).number(self.value(name))) if self.has(name) else 0

    def real(self, name: str) -> float:
        """The value in force of a parameter that has a fraction. KeyError where the version lacks it."""
        return self.entry(name).number(self.value(name))

    def entry(self, name: str) -> Entry:
        """The catalogue's entry of `name`. KeyError where the version lacks it."""
        return self._catalog.entries[name]

    def parameters(self) -> tuple[Parameter, ...]:
        """Everything entered, then the pins of parameters that no topic sizes."""
        self._topic = "Pinned"
        for name, pin in self._pins.items():
            if name in self._catalog.entries and name not in self._parameters:
                self._enter(name, pin.value, f"pinned by {pin.provenance}", "the user", pin.provenance)
        return tuple(self._parameters.values())
