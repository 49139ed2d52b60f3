"""The picture of a run, read as a browser reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.bench.chart import Course, Row, drawn
from stackctl.bench.statistics import Ratio
from stackctl.engine.rooms import Limits
from stackctl.errors import StackError
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench_chart import draw, refuse_unwritable
from stackctl.operations.bench_report import Run
from stackctl.units import Bytes

SVG = "{http://www.w3.org/2000/svg}"


def picture(rows: list[Row], courses: list[Course]) -> ET.Element:
    return ET.fromstring(drawn("Times as fast", rows, courses))


def places(root: ET.Element, tag: str, name: str) -> list[float]:
    return [float(each.attrib[name]) for each in root.iter(f"{SVG}{tag}")]


def test_stock_is_in_the_middle_of_half_and_twice_as_fast() -> None:
    ratios = [Ratio(value, value * 0.9, value * 1.1, 12) for value in (0.5, 1, 2)]
    rows = [Row(f"<{each.median}>", each, each.verdict) for each in ratios]
    root = picture(rows, [])
    half, one, twice = places(root, "circle", "cx")
    assert one - half == pytest.approx(twice - one, abs=0.2)
    (axis,) = {float(each.attrib["x1"]) for each in root.iter(f"{SVG}line") if each.attrib["stroke"] == "#222"}
    assert axis == pytest.approx(one, abs=0.1)
    assert half < one < twice
    said = [each.text for each in root.iter(f"{SVG}text")]
    assert {"<0.5>", "0.50 [0.45, 0.55]"} <= set(said)


def test_what_is_slower_faster_and_neither_is_told_apart() -> None:
    slow, fast, alike = Ratio(0.5, 0.4, 0.6, 12), Ratio(2, 1.5, 3, 12), Ratio(1, 0.9, 1.1, 12)
    root = picture([Row("", each, each.verdict) for each in (slow, fast, alike)], [])
    colours = [each.attrib["fill"] for each in root.iter(f"{SVG}circle")]
    assert len(set(colours)) == 3


def test_a_course_has_a_line_for_each_side_and_its_highest_value_on_top() -> None:
    root = picture([], [Course("mix", {"stock": [10, 40, 20], "ours": [10, 10, 10]})])
    lines = [each.attrib["points"].split() for each in root.iter(f"{SVG}polyline")]
    heights = [[float(point.split(",")[1]) for point in line] for line in lines]
    assert len(lines) == 2
    assert heights[0].index(min(heights[0])) == 1
    assert len(set(heights[1])) == 1
    assert "40 ms" in [each.text for each in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(("name", "code"), [("a.png", 2), ("none/a.svg", 2), ("folder.svg", 10)])
def test_a_picture_that_cannot_be_made_is_refused_before_the_run(tmp_path: Path, name: str, code: int) -> None:
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(StackError) as refused:
        refuse_unwritable(tmp_path / name)
    assert refused.value.exit_code == code


def test_a_disk_that_is_full_in_the_end_takes_the_picture_and_not_the_result() -> None:
    run = Run(Limits(Bytes(1), Bytes(1), 1, DiskLimit()), "", 1, 0, datetime.now(UTC), 3600, [])
    (problem,) = draw(Path("/dev/full"), run)
    assert (problem.code, problem.message) == ("no_chart", "--chart /dev/full: No space left on device")
