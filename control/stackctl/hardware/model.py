"""The hardware profile: what the stack may use, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackctl.units import Bytes, human


class Storage(StrEnum):
    """Kind of disk under the data directory."""

    HDD = "hdd"
    SSD = "ssd"
    NVME = "nvme"
    NETWORK = "network"


class Workload(StrEnum):
    """What the database mostly does."""

    WEB = "web"
    OLTP = "oltp"
    OLAP = "olap"
    MIXED = "mixed"
    DEV = "dev"


class Pooler(StrEnum):
    """Connection pooler between app and database."""

    NONE = "none"
    PGBOUNCER = "pgbouncer"


POSTGRES_MAJORS = (15, 16, 17, 18)


@dataclass(frozen=True)
class Host:
    """What this machine has, as far as this process may use it."""

    ram: Bytes
    cpus: int
    disk: Bytes
    storage: Storage


@dataclass(frozen=True)
class HardwareProfile:
    """One machine and its purpose. `ram` and `disk` are the host's, in bytes; sizing divides them."""

    ram: Bytes
    cpus: int
    storage: Storage
    disk: Bytes
    workload: Workload
    postgres: int
    app_workers: int
    pooler: Pooler = Pooler.NONE


@dataclass(frozen=True)
class Build:
    """Optional features that a PostgreSQL build may lack; asking for a missing one is fatal at its start."""

    lz4: bool = False
    zstd: bool = False
    llvm: bool = False


PORTABLE_BUILD = Build()
FULL_BUILD = Build(lz4=True, zstd=True, llvm=True)


def profile_line(profile: HardwareProfile) -> str:
    """The profile on one line, for the first line of every file."""
    return (
        f"{human(profile.ram)} RAM, {profile.cpus} CPUs, {profile.storage}, {human(profile.disk)} disk, "
        f"{profile.workload}, PostgreSQL {profile.postgres}, {profile.app_workers} workers"
    )
