"""The worked examples of the documentation: literal tables, worked out by hand, that sizing must agree with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from golden.test_golden import OLAP, SMALL
from profiles import MIB, REFERENCE, catalog, changed, sized
from stackctl.settings.resolve import default_workers
from stackctl.units import human

PAGES = Path(__file__).parents[3] / "docs" / "explanation"
MACHINES = {"reference": REFERENCE, "small": SMALL, "large": OLAP}
RULE = 2


def _rows():
    """First cell and machine cells of every table in sizing.md that has a column for each machine."""
    columns = False
    for line in (PAGES / "sizing.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[RULE:] == list(MACHINES):
            columns = True
        elif not line.startswith("|"):
            columns = False
        elif columns and not cells[0].startswith("-"):
            yield cells[0], dict(zip(MACHINES, cells[RULE:], strict=True))


ROWS = list(_rows())


def _given(machine, name):
    profile = MACHINES[machine]
    sizing = sized(profile)
    if share := sizing.share(name):
        return str(share.memory // MIB)
    if name == "`/dev/shm`, MiB":
        return str(sizing.shm_size // MIB)
    if name == "stop grace, seconds":
        return str(sizing.stop_grace_seconds)
    parameter = name.strip("`")
    written = {p.name: p.value for p in sizing.parameters}
    entry = catalog(profile.postgres).entries.get(parameter)
    return written.get(parameter, entry.default if entry else None)


def test_the_tables_are_found():
    assert len(ROWS) > 45


@pytest.mark.parametrize(("name", "cells"), ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_worked_example_is_what_sizing_gives(name, cells):
    assert cells == {machine: _given(machine, name) for machine in MACHINES}


def test_the_table_of_small_machines():
    text = (PAGES / "sizing.md").read_text().split("With 2 CPUs and")[1]
    rows = re.findall(r"\| ([\d.]+) (MiB|GiB) \| (.+) \| (\w+) \| (\w+) \| (\d+) \| (.+) \|", text)
    assert len(rows) == 5
    for size, unit, share, *rest in rows:
        ram = int(size) * (1 if unit == "MiB" else 1024)
        sizing = sized(changed(ram_mib=ram, cpus=2, app_workers=default_workers(ram * MIB, 2)))
        shape = sizing.connections
        values = [sizing.value(name) for name in ("shared_buffers", "work_mem", "max_connections")]
        pool = f"({shape.pool_size} + {shape.max_overflow}) x {shape.workers}"
        assert (share, *rest) == (human(sizing.memory.limit), *values, pool)


def test_the_proof_that_the_page_shows():
    block = re.search(r"```text\n(.+?)```", (PAGES / "memory-proof.md").read_text(), re.DOTALL)[1]
    shown = [tuple(re.split(r"  +", line)) for line in block.splitlines()[1:-2]]
    assert shown == [(item.name, human(item.size), item.formula) for item in sized(REFERENCE).memory.items]
