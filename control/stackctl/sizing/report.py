"""The role `report`: long reads with more memory for each operation, few at once, inside the memory proof."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.hardware.model import HardwareProfile
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import Role
from stackctl.units import GIB, KIB, Bytes, floor_to, parse_pg_size, pg_size

NAME = "report"
CONNECTIONS = "PG_REPORT_CONNECTIONS"
WORK_MEM = "PG_REPORT_WORK_MEM"
STATEMENT_TIMEOUT = "PG_REPORT_STATEMENT_TIMEOUT"
# Ten minutes: a report that takes longer holds back vacuum in the tables that the app writes.
_STATEMENT_TIMEOUT_MS = 600_000
_STATEMENTS = 3
_LONGEST_MS = 2_147_483_647
# Its memory is counted for each process. A shared hash table in /dev/shm would take half as much again, at this size.
_SETTINGS = {"enable_parallel_hash": "off", "default_transaction_read_only": "on"}
_LIMITS = {"lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}


@dataclass(frozen=True)
class Report:
    """How many sessions there may be, and what each operation of theirs may take.

    That is `factor` times the app's work_mem, or `pinned` bytes.
    """

    connections: int
    factor: float
    pinned: Bytes | None
    statement_timeout_ms: int

    def work_mem(self, app_work_mem: float) -> Bytes:
        """Bytes of one operation as ALTER ROLE gives them, beside this work_mem of the app."""
        if self.pinned is not None:
            return self.pinned
        return floor_to(int(app_work_mem * self.factor), 64 * KIB)


def report_of(ledger: Ledger, profile: HardwareProfile, max_connections: int) -> Report:
    """Reports with the pins in force: 1 session, 2 from 100 connections on, with up to twice the app's work_mem."""
    pinned = ledger.given(WORK_MEM, "")
    return Report(
        connections=int(ledger.given(CONNECTIONS, "2" if max_connections >= 100 else "1")),
        # A machine below 4 GiB gives the app's operations hardly what stock gives a hash.
        factor=max(1.0, min(profile.ram / (2 * GIB), 2.0)),
        pinned=Bytes(parse_pg_size(pinned)) if pinned else None,
        statement_timeout_ms=int(ledger.given(STATEMENT_TIMEOUT, str(_STATEMENT_TIMEOUT_MS))),
    )


def role_of(report: Report, ledger: Ledger) -> Role:
    """The role with its limits. It sees one app's work_mem, so the ledger must have that."""
    work_mem = pg_size(report.work_mem(ledger.number("work_mem")))
    statement = report.statement_timeout_ms
    times = {"statement_timeout": _time(ledger, statement), **_LIMITS}
    if ledger.has("transaction_timeout"):
        # A few statements on one snapshot.
        times["transaction_timeout"] = _time(ledger, min(statement * _STATEMENTS, _LONGEST_MS))
    return Role(NAME, report.connections, {"work_mem": work_mem, **_SETTINGS, **times})


def _time(ledger: Ledger, millis: int) -> str:
    return ledger.entry("statement_timeout").spell_millis(millis) if millis else "0"
