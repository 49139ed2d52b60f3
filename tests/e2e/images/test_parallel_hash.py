"""A parallel hash join at the sized work_mem: it needs the rendered /dev/shm, and breaks in the engine's 64 MB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from e2e.images.docker_client import Docker
from e2e.images.limited_postgres import Server, launch
from e2e.images.parallel_join import FORCED, JOIN, tables
from profiles import MIB, changed, sized
from stackctl.hardware.model import Workload
from stackctl.units import parse_pg_size

SIZING = sized(changed(workload=Workload.OLAP))
NAMES = (
    "work_mem",
    "hash_mem_multiplier",
    "max_worker_processes",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
)
ENGINE_DEFAULT = 64 * MIB


def start(docker: Docker, image: str, volume: str, shm_size: int) -> Server:
    """A server with what the sizing says about a join, and so much of /dev/shm."""
    settings = [f"{setting.name}={setting.value}" for setting in SIZING.parameters if setting.name in NAMES]
    return launch(docker, image, "--shm-size", str(shm_size), settings=settings, volume=volume)


def join(server: Server) -> dict[str, Any]:
    """The plan of the join, with what happened when it ran."""
    with server.connect() as session:
        for setting in FORCED:
            session.execute(f"SET {setting}".encode())
        row = session.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {JOIN}".encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_a_parallel_hash_join_needs_the_rendered_shared_memory(docker: Docker, built: dict[str, str]) -> None:
    operation = int(parse_pg_size(SIZING.value("work_mem")) * float(SIZING.value("hash_mem_multiplier")))
    assert SIZING.shm_size > ENGINE_DEFAULT
    volume = docker.volume("data")
    with start(docker, built["postgres"], volume, SIZING.shm_size) as server:
        gather = server.numbers()["max_parallel_workers_per_gather"]
        with server.connect() as admin:
            for statement in tables(operation * (gather + 1)):
                admin.execute(statement.encode())
        found = {node["Node Type"]: node for node in nodes(join(server))}
        assert found["Gather"]["Workers Planned"] == found["Gather"]["Workers Launched"] == gather
        assert found["Hash Join"]["Parallel Aware"]
        assert found["Hash"]["Hash Batches"] == 1
        assert found["Hash"]["Peak Memory Usage"] * 1024 > ENGINE_DEFAULT
    docker("stop", server.name)

    with start(docker, built["postgres"], volume, ENGINE_DEFAULT) as server:
        with pytest.raises(psycopg.OperationalError, match="could not resize shared memory segment"):
            join(server)
        assert server.answers()
