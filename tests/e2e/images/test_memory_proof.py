"""The memory proof against reality: what it prints is taken from a real server, all of it at once, under its limit."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from e2e.images.cgroup_memory import Cgroup, Sampler
from e2e.images.docker_client import Docker, wait_for
from e2e.images.limited_postgres import launch_sized
from e2e.images.memory_load import Load
from profiles import changed, sized
from stackctl.errors import ProfileError
from stackctl.hardware.model import HardwareProfile, Workload
from stackctl.operations.project import refuse_failing
from stackctl.sizing.model import Sizing, Verdict

# Small enough to be filled in seconds, large enough to have every item.
PROFILE = changed(ram_mib=4096, cpus=2, app_workers=2)
PROFILES = [
    pytest.param(changed(ram_mib=2048, cpus=2, app_workers=2), id="2GiB"),
    pytest.param(PROFILE, id="4GiB"),
    pytest.param(changed(ram_mib=8192, app_workers=2, workload=Workload.OLAP), id="8GiB", marks=pytest.mark.full),
]
CRASHED = "all server processes terminated; reinitializing"


def report(sizing: Sizing, sampler: Sampler) -> str:
    """What was held at the peak, in MiB, beside what the proof prints."""
    peak, mib = sampler.peak, 1_048_576
    taken = {"private": peak.anon, "shared": peak.shmem, "page tables": peak.page_tables, "all": peak.total}
    printed = {item.name: item.size for item in sizing.memory.items} | {"worst case": sizing.memory.worst_case}
    lines = [f"{name} {size / mib:.1f}" for name, size in (*taken.items(), *printed.items())]
    return f"{peak.total / sizing.memory.worst_case:.3f} of the worst case: {', '.join(lines)}"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_server_filled_to_its_proof_stays_below_it(
    docker: Docker, built: dict[str, str], tmp_path: Path, profile: HardwareProfile
) -> None:
    sizing = sized(profile)
    assert sizing.memory.verdict is not Verdict.FAIL
    with launch_sized(docker, built["postgres"], sizing, tmp_path / "config") as server:
        cgroup = Cgroup.of(docker, server.name)
        with Sampler(cgroup) as sampler:
            Load(server, sizing).fill()
            sampler.look()
        assert cgroup.oom_kills() == 0
        assert docker.state(server.name, "{{.State.OOMKilled}}") == "false"
    assert CRASHED not in docker("logs", server.name)
    text = report(sizing, sampler)
    assert 0.85 * sizing.memory.worst_case <= sampler.peak.total <= sizing.memory.worst_case, text


def test_a_refused_work_mem_that_is_forced_in_is_killed_and_recovers(
    docker: Docker, built: dict[str, str], tmp_path: Path
) -> None:
    sizing = sized(PROFILE, work_mem="64MB")
    assert sizing.memory.verdict is Verdict.FAIL
    assert sizing.memory.limit == sized(PROFILE).memory.limit
    with pytest.raises(ProfileError, match="worst case"):
        refuse_failing(sizing)
    with launch_sized(docker, built["postgres"], sizing, tmp_path / "config") as server:
        cgroup = Cgroup.of(docker, server.name)
        with suppress(psycopg.OperationalError):
            Load(server, sizing).fill()
        wait_for(lambda: cgroup.oom_kills() > 0, "the kernel kills a process")
        wait_for(lambda: CRASHED in docker("logs", server.name), "the postmaster sees it")
        wait_for(server.answers, "the server has recovered")
