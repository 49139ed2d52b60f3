"""The catalogue of a server version: which parameters exist, their units, ranges and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.errors import Problem
from stackctl.units import parse_pg_size, parse_pg_time, pg_size

_MEMORY_UNITS = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2}
_TIME_UNITS = {"ms": 1, "s": 1000, "min": 60_000}
_TIME_NAMES = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))
_BOOLEANS = {
    "on": "on",
    "true": "on",
    "yes": "on",
    "1": "on",
    "off": "off",
    "false": "off",
    "no": "off",
    "0": "off",
}
# Lines of postgresql.conf that follow the engine: where files, sockets and ports are, and how passwords are kept.
ENGINE_PARAMETERS = frozenset(
    [
        "archive_command",
        "archive_library",
        "cluster_name",
        "config_file",
        "data_directory",
        "dynamic_shared_memory_type",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "password_encryption",
        "port",
        "unix_socket_directories",
        "unix_socket_permissions",
    ]
)
# As strtol and strtod read them: 0700, 0x1c0, 12, .5, 1e5; the rest is a unit.
_NUMBER = re.compile(r"([+-]?)(?:(0[xX][0-9a-fA-F]+)|(0[0-7]+)(?![0-9.eE])|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))(.*)")


@dataclass(frozen=True)
class Entry:
    """One parameter as `pg_settings` of a real server describes it."""

    name: str
    kind: str
    unit: str
    context: str
    boot: str
    low: str
    high: str
    choices: tuple[str, ...]

    @property
    def restart(self) -> bool:
        """Whether a change needs a restart of the server."""
        return self.context == "postmaster"

    @property
    def default(self) -> str:
        """The boot value in postgresql.conf spelling, with its unit."""
        return self.spell(self.boot)

    @property
    def memory(self) -> bool:
        """Whether it is an amount of memory, or of disk."""
        return self.unit in _MEMORY_UNITS

    @property
    def time(self) -> bool:
        """Whether it is a length of time."""
        return self.unit in _TIME_UNITS

    @property
    def numeric(self) -> bool:
        """Whether it is a number, with a unit or without."""
        return self.kind in ("integer", "real")

    def switched_on(self, value: str) -> bool:
        """Whether `value` of a boolean parameter means on."""
        return _boolean(value) == "on"

    def spell(self, raw: str) -> str:
        """`raw`, a bare number of this parameter's unit, with the largest unit that fits; other values as they are."""
        if not re.fullmatch(r"\d+", raw) or raw == "0":
            return raw
        if self.unit in _MEMORY_UNITS:
            return pg_size(int(raw) * _MEMORY_UNITS[self.unit])
        if self.unit in _TIME_UNITS:
            return self.spell_millis(int(raw) * _TIME_UNITS[self.unit])
        return raw

    def spell_millis(self, millis: int) -> str:
        """A length of time with the largest unit that fits."""
        unit, factor = next((u, f) for u, f in _TIME_NAMES if millis % f == 0)
        return f"{millis // factor}{unit}"

    def number(self, value: str) -> float:
        """`value` in bytes, milliseconds or plain units. Raises ValueError for a spelling the server would refuse."""
        match = _NUMBER.fullmatch(value.strip())
        if match is None or (match[3] and self.kind != "integer"):
            return self._with_unit(value, value)
        sign, other, octal, plain, unit = match.groups()
        number = float(plain) if plain else float(int(other, 16) if other else int(octal, 8))
        signed = -number if sign == "-" else number
        if unit.strip():
            return signed * self._with_unit(f"1{unit}", value)
        return signed * (_MEMORY_UNITS.get(self.unit) or _TIME_UNITS.get(self.unit) or 1)

    def _with_unit(self, text: str, value: str) -> float:
        """`text` in bytes or milliseconds; the error speaks of `value`."""
        parse = {True: parse_pg_size, False: parse_pg_time}[self.memory] if self.memory or self.time else None
        try:
            if parse is not None:
                return float(parse(text))
        except ValueError as error:
            raise ValueError(str(error).replace(repr(text), repr(value))) from error
        raise ValueError(f"{value!r} is not a number")

    def hint(self, value: str) -> str:
        """What to write instead of a `value` that cannot be used."""
        meant = re.fullmatch(r"(\d+)\s*([kmgt])b?", value.strip(), re.IGNORECASE)
        if self.memory and meant:
            unit = {"k": "kB", "m": "MB", "g": "GB", "t": "TB"}[meant[2].lower()]
            if self.fault(f"{meant[1]}{unit}") is None:
                return f"write {meant[1]}{unit}"
        bare = f"; a number alone counts in {self.unit}" if self.unit and value.strip().isdigit() else ""
        return f"its default is {self.default or 'empty'}{bare}"

    def fault(self, value: str) -> str | None:
        """What is wrong with `value`, None where the server would take it."""
        if "\n" in value or "\0" in value:
            return "a value is one line"
        if self.kind == "bool":
            return None if _boolean(value) else f"{value!r} is not on or off"
        if self.kind == "enum":
            known = value.lower() in self.choices or ("on" in self.choices and _boolean(value))
            return None if known else f"{value!r} is not one of {', '.join(self.choices)}"
        return self._range_fault(value) if self.numeric else None

    def _range_fault(self, value: str) -> str | None:
        try:
            number = self.number(value)
        except ValueError as error:
            return str(error)
        factor = _MEMORY_UNITS.get(self.unit) or _TIME_UNITS.get(self.unit) or 1
        if not float(self.low) * factor <= number <= float(self.high) * factor:
            return f"{value!r} is outside {self.spell(self.low)} to {self.spell(self.high)}"
        return None


@dataclass(frozen=True)
class Catalog:
    """All parameters of one PostgreSQL major version."""

    major: int
    entries: Mapping[str, Entry]

    def spelled(self, name: str) -> str:
        """The parameter's own spelling of `name`: the server does not mind case; `name` itself where it is none."""
        if name in self.entries:
            return name
        return next((known for known in self.entries if known.lower() == name.lower()), name)

    def check(self, name: str, value: str, origin: str) -> Problem | None:
        """What is wrong with setting `name` to `value` at `origin`, None where it is fine."""
        entry = self.entries.get(name)
        if entry is None:
            import difflib

            near = difflib.get_close_matches(name, self.entries, 1)
            hint = f"did you mean {near[0]}?" if near else f"see pg_settings of PostgreSQL {self.major}"
            return Problem("unknown_parameter", f"{origin}: PostgreSQL {self.major} has no parameter {name!r}", hint)
        fault = entry.fault(value)
        if fault is None:
            return None
        return Problem("bad_value", f"{origin}: {name}: {fault}", entry.hint(value))


def _boolean(value: str) -> str | None:
    """`on` or `off` for what the server takes as such, a part of the word included (`t`, `of`); None for the rest."""
    word = value.strip().lower()
    meant = {state for spelling, state in _BOOLEANS.items() if word and spelling.startswith(word)}
    return meant.pop() if len(meant) == 1 else None


def parse_catalog(major: int, text: str) -> Catalog:
    """Read the tab-separated catalogue of `major` (tools/settings-catalog writes it from a real server)."""
    entries = {}
    for line in text.splitlines():
        name, kind, unit, context, boot, low, high, choices = line.split("\t")
        picks = tuple(choices.split(",")) if choices else ()
        entries[name] = Entry(name, kind, unit, context, boot, low, high, picks)
    return Catalog(major, entries)
