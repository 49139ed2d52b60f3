"""Every golden machine, and a sample of all others, boots on PostgreSQL 17 in Docker with its values in force."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from booted_postgres import Cluster, conf, machine_id
from e2e.images.docker_client import Docker
from e2e.images.hardening import tmpfs, user
from golden.test_golden import OLAP, SMALL
from profiles import REFERENCE, sample, sized
from stackctl.hardware.model import HardwareProfile
from stackctl.images.builds import declared_build

MACHINES = [REFERENCE, SMALL, OLAP, *sample(12)]


@pytest.fixture(scope="module")
def cluster(built: dict[str, str]) -> Iterator[Cluster]:
    docker = Docker()
    options = (*user(999, 999), *tmpfs("/tmp", 999, 512), "--shm-size", "64m", "--entrypoint", "sleep")
    name = docker.start("confs", built["postgres"], *options, command=["900"])

    def shell(script: str, variables: dict[str, str], text: str) -> str:
        given = [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
        argv = ["docker", "exec", "--interactive", *given, name, "bash", "-c", script]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    made = Cluster(shell, "/usr/lib/postgresql/17/bin", "/tmp/cluster")
    made.create()
    yield made
    docker.clean()


@pytest.mark.parametrize("machine", MACHINES, ids=machine_id)
def test_a_machine_boots_with_its_values(cluster: Cluster, machine: HardwareProfile) -> None:
    sizing = sized(replace(machine, postgres=17), declared_build("debian"))
    assert cluster.refused(conf(sizing)) == ""


def test_the_server_shows_the_values_of_the_reference_machine(cluster: Cluster) -> None:
    shown = {"shared_buffers": "4GB", "work_mem": "32MB", "max_wal_size": "4GB", "wal_compression": "lz4", "jit": "off"}
    assert cluster.values(conf(sized(REFERENCE, declared_build("debian"))), shown) == shown


def test_a_line_that_the_server_does_not_take_is_seen(cluster: Cluster) -> None:
    """The check itself can fail: a value that ALTER SYSTEM or a second line would override is not in force."""
    text = conf(sized(REFERENCE, declared_build("debian"))) + b"work_mem = 1MB\n"
    assert "work_mem|32MB" in cluster.refused(text)
