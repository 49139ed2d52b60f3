"""Ports on loopback: which are taken, and by whom."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stackctl.errors import Problem


def taken(ports: Mapping[str, int]) -> list[Problem]:
    """One problem for each port, by service, that cannot be bound on 127.0.0.1 now."""
    problems = []
    for service, port in ports.items():
        if not _free(port):
            holder = _holder(port)
            problems.append(
                Problem(
                    "port_taken",
                    f"port {port} for {service} is taken" + (f" by {holder}" if holder else ""),
                    f"stop it, or set ports.{service} in stackctl.yaml",
                )
            )
    return problems


def _free(port: int) -> bool:
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - only to learn whether somebody listens everywhere
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _holder(port: int) -> str | None:
    """`name (process id)` of the listener, where /proc tells."""
    inodes = _listening(port)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and inodes & _sockets(entry):
            with suppress(OSError):  # gone meanwhile
                return f"{(entry / 'comm').read_text().strip()} (process {entry.name})"
    return None


def _listening(port: int) -> set[str]:
    wanted = f"{port:04X}"
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[1].endswith(f":{wanted}") and fields[3] == "0A":
                found.add(f"socket:[{fields[9]}]")
    return found


def _sockets(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):
        for each in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found.add(str(each.readlink()))
    return found
