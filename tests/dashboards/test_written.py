"""What is below dashboards/ is what the code writes."""

from __future__ import annotations

from grafana.boards import files
from stackctl import assets


def test_the_files_are_those_that_the_code_writes() -> None:
    folder = assets.root() / "dashboards"
    assert {path.name: path.read_text() for path in folder.iterdir()} == files(), "run `make dashboards`"
