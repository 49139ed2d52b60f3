"""The hardware profile: what the stack may use, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from stackctl.units import MIB, Bytes, counted, human


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


class Wal(StrEnum):
    """How WAL leaves the server: in whole segments, as it is written too, or before a commit is confirmed."""

    ARCHIVE = "archive"
    STREAM = "stream"
    SYNC = "sync"


class Backlog(StrEnum):
    """What becomes of WAL that cannot be archived and would fill the disk: given up, or kept until the disk is full."""

    DROP = "drop"
    KEEP = "keep"


UNKNOWN = Bytes(0)
POSTGRES_MAJORS = (15, 16, 17, 18)


@dataclass(frozen=True)
class Host:
    """What this machine has, as far as this process may use it.

    `ram_source` and `cpus_source` say what made them less than the machine's, and are empty where nothing did.
    """

    ram: Bytes
    cpus: int
    disk: Bytes
    storage: Storage
    ram_source: str = ""
    cpus_source: str = ""


@dataclass(frozen=True)
class DiskLimit:
    """What the database may ask of the disk in a second, reads and writes each: operations, bytes. 0 is no limit."""

    iops: int = 0
    rate: Bytes = UNKNOWN

    def __bool__(self) -> bool:
        return bool(self.iops or self.rate)

    def __str__(self) -> str:
        """As `--disk-limit` takes it."""
        return ",".join([f"iops={self.iops}"] * bool(self.iops) + [f"mbps={self.rate // MIB}"] * bool(self.rate))


# Published for one volume, without what it may do for a while. AWS: "Amazon EBS volume types", the baseline of gp3
# whatever its size; Microsoft: "Azure managed disk types", Premium SSD of 128, 512 and 1024 GiB.
DISKS = {
    "aws-gp3": DiskLimit(3000, Bytes(125 * MIB)),
    "azure-p10": DiskLimit(500, Bytes(100 * MIB)),
    "azure-p20": DiskLimit(2300, Bytes(150 * MIB)),
    "azure-p30": DiskLimit(5000, Bytes(200 * MIB)),
}


@dataclass(frozen=True)
class HardwareProfile:
    """One machine and its purpose. `ram` and `disk` are the host's, in bytes; sizing divides them.

    `wal_rate` is the WAL that it writes when busy, in bytes for each second; 0 where nobody knows. `scheduled` says
    that work on backups is done by a service of its own, `pgbackrest` that it is done in the database's container.
    """

    ram: Bytes
    cpus: int
    storage: Storage
    disk: Bytes
    workload: Workload
    postgres: int
    app_workers: int
    pooler: Pooler = Pooler.NONE
    wal_rate: Bytes = UNKNOWN
    scheduled: bool = False
    pgbackrest: bool = False
    wal: Wal = Wal.ARCHIVE
    backlog: Backlog = Backlog.DROP
    disk_limit: DiskLimit = DiskLimit()


@dataclass(frozen=True)
class Build:
    """Optional features that a PostgreSQL server may lack; asking for a missing one is fatal at its start.

    `io_uring` means that it is compiled in and that the kernel lets the server use it.
    """

    lz4: bool = False
    zstd: bool = False
    llvm: bool = False
    io_uring: bool = False

    def __str__(self) -> str:
        """The features as a person would list them."""
        return ", ".join(self.features) or "no optional features"

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what it has."""
        return tuple(entry.name for entry in fields(self) if getattr(self, entry.name))


PORTABLE_BUILD = Build()
FULL_BUILD = Build(lz4=True, zstd=True, llvm=True, io_uring=True)
# The oldest version that knows of it.
IO_URING_MAJOR = 18


def profile_line(profile: HardwareProfile) -> str:
    """The profile on one line, for the first line of every file."""
    return (
        f"{human(profile.ram)} RAM, {counted(profile.cpus, 'CPU')}, {profile.storage}, {human(profile.disk)} disk, "
        f"{profile.workload}, PostgreSQL {profile.postgres}, {counted(profile.app_workers, 'worker')}"
    )
