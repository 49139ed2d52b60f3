"""A picture of what a bench found: ratios to stock with their intervals, and latency over time. SVG, pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from stackctl.bench.statistics import Ratio, Verdict

_LEFT, _WIDE, _LINE, _TOP = 230, 640, 22, 46
_HIGH = 150
_TICKS = (0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 20, 50)
# Told apart by those who see no red or green, too (Okabe and Ito, 2008); what says nothing is grey.
_GREY = "#666666"
_COLOURS = {Verdict.FASTER: "#0072b2", Verdict.SLOWER: "#d55e00", Verdict.NOISE: _GREY, Verdict.NOT_COUNTED: _GREY}
_STOCK, _OURS = _GREY, "#0072b2"
_STYLE = "text{font:13px system-ui,sans-serif;fill:#222}.small{font-size:11px;fill:#555}"


@dataclass(frozen=True)
class Row:
    """One line of the picture of ratios: what was measured, what came of it, and what that says."""

    label: str
    ratio: Ratio
    verdict: Verdict


@dataclass(frozen=True)
class Course:
    """Milliseconds of slices in the order in which they were taken, by who was measured; stock comes first."""

    label: str
    sides: Mapping[str, Sequence[float]]


def drawn(title: str, rows: Sequence[Row], courses: Sequence[Course]) -> str:
    """An SVG document: the ratios on a logarithmic axis with stock at 1, then a picture for each course."""
    parts, y = _ratios(rows, _TOP), _TOP + _LINE * (len(rows) + 2)
    for course in courses:
        parts += _course(course, y)
        y += _HIGH + 70
    width, height = _LEFT + _WIDE + 150, y + 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            _text(12, 24, title),
            *parts,
            "</svg>\n",
        ]
    )


def _ratios(rows: Sequence[Row], top: float) -> list[str]:
    if not rows:
        return []
    low = min(0.5, *(row.ratio.low for row in rows)) * 0.9
    high = max(2, *(row.ratio.high for row in rows)) * 1.1

    def x(value: float) -> float:
        return _LEFT + _WIDE * math.log(value / low) / math.log(high / low)

    bottom = top + _LINE * len(rows)
    parts = []
    for tick in _TICKS:
        if low <= tick <= high:
            colour = "#222" if tick == 1 else "#ddd"
            parts.append(_stroke(x(tick), top - 6, x(tick), bottom, colour))
            parts.append(_text(x(tick), bottom + 16, f"{tick:g}", anchor="middle", small=True))
    for number, row in enumerate(rows):
        y, colour = top + _LINE * (number + 0.5), _COLOURS[row.verdict]
        told = f"{row.ratio.median:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
        parts += [
            _text(_LEFT - 10, y + 4, row.label, anchor="end"),
            _stroke(x(row.ratio.low), y, x(row.ratio.high), y, colour, 2),
            f'<circle cx="{x(row.ratio.median):.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>',
            _text(_LEFT + _WIDE + 8, y + 4, told, small=True),
        ]
    return parts


def _course(course: Course, top: float) -> list[str]:
    most = max((value for side in course.sides.values() for value in side), default=0) or 1
    parts = [
        _text(12, top + 14, course.label),
        _text(_LEFT - 10, top + 34, f"{most:.3g} ms", anchor="end", small=True),
        _text(_LEFT - 10, top + 28 + _HIGH, "0", anchor="end", small=True),
        _stroke(_LEFT, top + 28 + _HIGH, _LEFT + _WIDE, top + 28 + _HIGH, "#222"),
    ]
    for number, ((name, values), colour) in enumerate(zip(course.sides.items(), (_STOCK, _OURS), strict=False)):
        step = _WIDE / max(1, len(values) - 1)
        points = " ".join(
            f"{_LEFT + step * place:.1f},{top + 28 + _HIGH * (1 - value / most):.1f}"
            for place, value in enumerate(values)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<rect x="{_LEFT + _WIDE + 8}" y="{top + 26 + 18 * number}" width="10" height="10" fill="{colour}"/>'
        )
        parts.append(_text(_LEFT + _WIDE + 24, top + 35 + 18 * number, name, small=True))
    return parts


def _text(x: float, y: float, said: str, *, anchor: str = "start", small: bool = False) -> str:
    kind = ' class="small"' if small else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(said)}</text>'


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'
