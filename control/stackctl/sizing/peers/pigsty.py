"""Pigsty (pgsty/pigsty): four templates, of which the machine and the workload choose one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.peers.pigsty_templates import LITERALS, versioned
from stackctl.units import GIB, MIB


@dataclass(frozen=True)
class _Template:
    """What is worked out differently in each template."""

    connections: int
    direct_connections: int
    work_mem: tuple[int, int]
    maintenance_share: float
    extra_workers: int
    parallel_share: float
    least_parallel: int
    io_workers: tuple[float, int]
    temp_file_shares: int = 1


_TEMPLATES: Mapping[str, _Template] = {
    "oltp": _Template(500, 1000, (64, 1024), 0.25, 8, 0.5, 2, (0.25, 16)),
    "olap": _Template(500, 500, (64, 8192), 0.5, 12, 0.8, 2, (0.5, 32), 4),
    "crit": _Template(500, 1000, (64, 1024), 0.25, 8, 0.5, 2, (0.25, 8)),
    "tiny": _Template(250, 250, (16, 256), 0.25, 4, 0.5, 1, (0, 3)),
}


def peer(profile: HardwareProfile, template: str = "", *, direct: bool = False) -> Mapping[str, str]:
    """A template's parameters; `direct` where clients do not come through its PgBouncer, which they do by default.

    Source: Pigsty's templates (roles/pgsql/templates) of 2025 and 2026, shared_buffers at their quarter of RAM. Left
    out is what names files, certificates and the backup tool of Pigsty's own nodes.
    """
    name = template or _chosen(profile)
    rules = _TEMPLATES[name]
    connections = rules.direct_connections if direct else rules.connections
    return {
        "max_connections": str(connections),
        "max_locks_per_transaction": str(2 * connections if name == "olap" else connections),
        **_memory(profile, rules, connections),
        **_workers(profile.cpus, name, rules),
        **_disk(profile, rules),
        **_planner(profile.storage),
        **LITERALS[name],
        **versioned(name, profile.postgres),
        **({"io_method": "worker", "io_workers": _io_workers(profile.cpus, rules)} if profile.postgres == 18 else {}),
    }


def _chosen(profile: HardwareProfile) -> str:
    """The template that Pigsty means for the machine; crit is for who asks for it."""
    if profile.cpus < 4:
        return "tiny"
    return "olap" if profile.workload is Workload.OLAP else "oltp"


def _memory(profile: HardwareProfile, rules: _Template, connections: int) -> Mapping[str, str]:
    ram = profile.ram // MIB
    shared = -(-ram // 4)
    least, most = rules.work_mem
    return {
        "shared_buffers": f"{shared}MB",
        "maintenance_work_mem": f"{math.ceil(shared * rules.maintenance_share)}MB",
        "work_mem": f"{min(max(shared // connections, least), most)}MB",
        "effective_cache_size": f"{ram - shared}MB",
    }


def _workers(cpus: int, name: str, rules: _Template) -> Mapping[str, str]:
    rounded = math.floor if name == "tiny" else math.ceil
    gather = {"oltp": min(max(cpus // 5, 2), 8), "olap": max(cpus // 2, 2)}.get(name, 0)
    return {
        "max_worker_processes": str(max(cpus, 8) + rules.extra_workers + 8),
        "max_parallel_workers": str(max(rounded(cpus * rules.parallel_share), rules.least_parallel)),
        "max_parallel_maintenance_workers": str(max(rounded(cpus * 0.33), rules.least_parallel)),
        "max_parallel_workers_per_gather": str(gather),
    }


def _io_workers(cpus: int, rules: _Template) -> str:
    share, most = rules.io_workers
    return str(min(max(math.ceil(cpus * share), 4), most))


def _disk(profile: HardwareProfile, rules: _Template) -> Mapping[str, str]:
    """Twentieths of the disk, each 1 to 100 GB."""
    twentieth = min(max(-(-profile.disk // (20 * GIB)), 1), 100)
    return {
        "min_wal_size": f"{twentieth}GB",
        "max_wal_size": f"{4 * twentieth}GB",
        "max_slot_wal_keep_size": f"{6 * twentieth}GB",
        "temp_file_limit": f"{rules.temp_file_shares * twentieth}GB",
    }


def _planner(storage: Storage) -> Mapping[str, str]:
    if storage is Storage.HDD:
        return {}
    return {"random_page_cost": "1.1", "effective_io_concurrency": "200", "maintenance_io_concurrency": "100"}
