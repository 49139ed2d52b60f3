"""Every golden machine, and a sample of all others, boots on PostgreSQL 15 and 18 with its values in force."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from booted_postgres import Cluster, conf, machine_id
from e2e.stack.server_programs import identity, place, programs_of
from golden.test_golden import OLAP, SMALL
from profiles import REFERENCE, catalog, sample, sized
from stackctl.hardware.model import PORTABLE_BUILD, Build, HardwareProfile

__all__ = ["place"]
BUILDS = {15: Build(lz4=True, zstd=True, llvm=True), 18: PORTABLE_BUILD}
MACHINES = [REFERENCE, SMALL, OLAP, *sample(12, seed=4)]


@pytest.fixture(scope="module", params=[15, 18])
def cluster(request: pytest.FixtureRequest, place: Path) -> tuple[int, Cluster]:
    programs = programs_of(place, request.param)
    who, _ = identity()
    folder = tempfile.mkdtemp(prefix=f"m{request.param}-", dir=place)
    if who:
        os.chown(folder, who["user"], who["group"])

    def shell(script: str, variables: dict[str, str], text: str) -> str:
        given = {**os.environ, **variables, "LC_ALL": "C"}
        done = subprocess.run(
            ["bash", "-c", script],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=given,
            cwd=folder,
            **who,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    made = Cluster(shell, str(programs), f"{folder}/c")
    made.create()
    return request.param, made


# Spellings that the server reads in its own way: other bases, fractions, exponents, units.
SPELLINGS = [
    ("work_mem", "0x10000"),
    ("work_mem", "0200000"),
    ("work_mem", "1e5kB"),
    ("work_mem", "0.5GB"),
    ("work_mem", "0x40MB"),
    ("work_mem", "100.4kB"),
    ("shared_buffers", "0x800"),
    ("shared_buffers", "1TB"),
    ("checkpoint_timeout", "0x400"),
    ("checkpoint_timeout", "1.5h"),
    ("statement_timeout", "30s"),
    ("statement_timeout", "1e3"),
    ("random_page_cost", ".5"),
    ("max_connections", "0310"),
    ("unix_socket_permissions", "0700"),
]


@pytest.mark.parametrize(("name", "value"), SPELLINGS)
def test_a_number_means_what_the_server_reads(cluster: tuple[int, Cluster], name: str, value: str) -> None:
    version, server = cluster
    read = server.shell(f'"$BIN/postgres" -C {name} -c {name}={value} -D "$DIR/data"', server.variables, "").strip()
    entry = catalog(version).entries[name]
    assert round(entry.number(value), 6) == pytest.approx(entry.number(read), rel=0.01)


@pytest.mark.parametrize("machine", MACHINES, ids=machine_id)
def test_a_machine_boots_with_its_values(cluster: tuple[int, Cluster], machine: HardwareProfile) -> None:
    version, server = cluster
    sizing = sized(replace(machine, postgres=version), BUILDS[version])
    assert server.refused(conf(sizing)) == ""
