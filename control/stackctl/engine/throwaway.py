"""What every throwaway server has: settings of its own, an administrator, and words for why it did not start."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackctl.engine.query import PSQL, as_json, rows
from stackctl.engine.runner import Completed
from stackctl.errors import DamagedCopy, EngineFailed, StackError, TimedOut, Unhealthy

# Nobody but the account itself comes in; nothing is archived from a copy.
_HBA = "local all postgres trust\n"
# Seconds for a clean end, which writes what is in shared_buffers to a disk that others may have first.
END_SECONDS = 3600
# What those hear who ask whether it is ready.
_TURNED_AWAY = re.compile(r"FATAL:\s+the database system is ")

# What a server says of the files that it is to start from, in PostgreSQL 15 to 18 (xlog.c, xlogrecovery.c, xlogutils.c,
# miscinit.c, relmapper.c, twophase.c, md.c, bufmgr.c); of memory, disks and settings it says other things.
_DAMAGE = re.compile(
    r"could not locate (?:a valid|required) checkpoint record|could not find redo location"
    r"|invalid redo in checkpoint record|WAL ends before (?:end of online backup|consistent recovery point)"
    r"|WAL contains references to invalid pages|incorrect checksum in control file"
    r"|control file contains invalid (?:checkpoint location|database cluster state)"
    r'|invalid data in file "backup_label"|backup_label contains data inconsistent with control file'
    r'|is not a valid data directory|relation mapping file ".*" contains|corrupted two-phase state'
    r"|could not read (?:file|blocks?) .*: read (?:only )?\d+ of \d+|invalid page in block"
    r'|could not open file "(?:.*/)?(?:global|base|pg_(?:wal|xact|multixact|twophase))/.*": No such file or directory'
)


def write_hba(folder: Path) -> Path:
    """A pg_hba.conf in `folder` that lets the administrator in over the socket."""
    path = folder / "pg_hba.conf"
    path.write_text(_HBA)
    path.chmod(0o644)
    return path


def settings(hba: Path, socket: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Settings of the command line, which win over every file of the copy."""
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(socket),
        "port": "5432",
        "hba_file": str(hba),
        "archive_mode": "off",
        # The primary's limits bind a standby that is open for reading, and nobody else.
        "hot_standby": "off",
        "shared_preload_libraries": "",
        "logging_collector": "off",
        "log_destination": "stderr",
        "ssl": "off",
        **wanted,
    }


def options(found: Mapping[str, str]) -> list[str]:
    """The settings as options of `postgres`."""
    return [word for name, value in found.items() for word in ("-c", f"{name}={value}")]


def not_started(log: str) -> EngineFailed | DamagedCopy:
    """The error for a server that ended while it started: its last FATAL or PANIC says why, and of what."""
    lines = [
        line for line in log.splitlines() if ("FATAL:" in line or "PANIC:" in line) and not _TURNED_AWAY.search(line)
    ]
    reason = lines[-1].split(": ", 1)[-1].strip() if lines else (log.strip().splitlines() or ["no word"])[-1]
    said = f"the restored server does not start: {reason}"
    if _DAMAGE.search(reason):
        return DamagedCopy(said, hint="restore another backup with --backup; its log is above, with --verbose")
    return EngineFailed(said, hint="its log is above, with --verbose")


def not_ended(log: str, reason: str) -> EngineFailed:
    """The error for a server that did not end cleanly, so that its files are not whole: its last PANIC, or `reason`."""
    lines = [line for line in log.splitlines() if "PANIC:" in line] or reason.strip().splitlines()[:1] or ["no word"]
    said = lines[-1].split(": ", 1)[-1].strip()
    return EngineFailed(f"the restored server did not end cleanly: {said}", hint="free memory and disk; run it again")


class Reached(ABC):
    """A server that is asked through client programs, however its engine runs them."""

    @abstractmethod
    def run(self, program: str, *arguments: str, check: bool = True, timeout: float = 60) -> Completed:
        """Run a client program on it, as the administrator."""

    @abstractmethod
    def log(self) -> str:
        """What the server wrote."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether it still runs."""

    def query(self, sql: str, database: str = "postgres", timeout: float = 60) -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator. Raises Unhealthy where it does not answer."""
        try:
            done = self.run("psql", *PSQL, "-d", database, "-c", as_json(sql), timeout=timeout)
        except StackError as error:
            raise Unhealthy(f"the restored server does not answer: {error}", hint="see its log") from error
        return rows(done.stdout)

    def wait(self, timeout: float) -> None:
        """Wait until it takes connections, which is after recovery.

        Raises EngineFailed where it ended, DamagedCopy where that is for its files, or TimedOut.
        """
        deadline = time.monotonic() + timeout
        while self.run("pg_isready", "-q", check=False).returncode != 0:
            if not self.alive():
                raise not_started(self.log())
            if time.monotonic() > deadline:
                raise TimedOut("the restored server takes no connections yet", hint="look at its log with --verbose")
            time.sleep(0.2)
