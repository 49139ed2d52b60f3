"""Reads apt's two source formats, to find the mirrors this machine already trusts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>\S.*)$")


@dataclass(frozen=True)
class AptSource:
    """One place that serves binary packages of one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirrors:
    """Where Debian's packages and its security updates come from; None where the machine does not say."""

    main: str | None = None
    security: str | None = None


def parse_one_line(text: str) -> tuple[AptSource, ...]:
    """The sources in a `*.list` file, `deb [options] URI SUITE COMPONENT...`; deb-src is left out."""
    matches = (_ONE_LINE.match(line.split("#", 1)[0].strip()) for line in text.splitlines())
    return tuple(AptSource(m["uri"], m["suite"], tuple(m["components"].split())) for m in matches if m)


def parse_deb822(text: str) -> tuple[AptSource, ...]:
    """The enabled binary sources in a `*.sources` file, one for each pair of URI and suite."""
    return tuple(source for stanza in _stanzas(text) for source in _expand(stanza))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for block in re.split(r"\n[ \t]*\n", kept):
        if block.strip():
            yield _fields(block)


def _fields(block: str) -> dict[str, str]:
    """Field names in lower case; continuation lines are joined to the field above them."""
    fields: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line[:1] in " \t" and name:
            fields[name] += " " + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _expand(stanza: dict[str, str]) -> Iterator[AptSource]:
    disabled = stanza.get("enabled", "yes").lower() in {"no", "false", "0", "off"}
    if disabled or "deb" not in stanza.get("types", "").split():
        return
    components = tuple(stanza.get("components", "").split())
    for uri in stanza.get("uris", "").split():
        for suite in stanza.get("suites", "").split():
            yield AptSource(uri, suite, components)


def read(apt: Path) -> tuple[AptSource, ...]:
    """Every source below an apt configuration folder (on a machine: /etc/apt), in apt's own order."""
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    found = [source for path in lists if path.is_file() for source in parse_one_line(_text(path))]
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        found.extend(parse_deb822(_text(path)))
    return tuple(found)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def mirrors(sources: Iterable[AptSource], codename: str) -> Mirrors:
    """The mirrors that serve the machine's own release `codename`; other vendors' sources never match.

    A build container reaches a mirror by http or https only, so other kinds of URI are passed over. Some
    vendors name a suite after the release as well; their component is hardly ever `main`.
    """
    usable = [s for s in sources if "main" in s.components and s.uri.startswith(("http://", "https://"))]
    by_suite = {s.suite.rstrip("/"): s.uri for s in reversed(usable)}
    return Mirrors(by_suite.get(codename), by_suite.get(f"{codename}-security"))
