"""Pins that lose data, fill the disk or stop the server: what each does, and what to do instead."""

from __future__ import annotations

from stackctl.errors import Problem
from stackctl.hardware.model import HardwareProfile, Wal, Workload
from stackctl.sizing.catalog import Entry
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.wal import RECEIVER, SEGMENT
from stackctl.units import KIB, MIB, floor_to, human, pg_size

DANGEROUS = "dangerous"
RISKY = "risky"

_COPY = "leave it off; to save what is left, set it for one session, on a copy of the data directory"
# Switch, the state that is the mistake, what it does, what to do instead
_SWITCHES = (
    (
        "autovacuum",
        False,
        "tables bloat, and writes stop when transaction numbers run out",
        "leave it on; for one table: ALTER TABLE ... SET (autovacuum_enabled = off)",
    ),
    (
        "track_counts",
        False,
        "autovacuum counts nothing, and never runs",
        "leave it on",
    ),
    (
        "fsync",
        False,
        "a crash of the machine can destroy the whole database",
        "leave it on; synchronous_commit=off gains most of the speed and loses the last transactions only",
    ),
    (
        "full_page_writes",
        False,
        "a crash of the machine can leave half-written pages",
        "leave it on; a larger max_wal_size makes full pages rarer",
    ),
    ("zero_damaged_pages", True, "damaged pages are overwritten with nothing", _COPY),
    ("ignore_checksum_failure", True, "damaged pages are read as if they were sound, and damage spreads", _COPY),
    ("ignore_invalid_pages", True, "recovery goes on over missing pages", _COPY),
    (
        "ignore_system_indexes",
        True,
        "every look into the catalogue reads it whole",
        "leave it off; for a repair: PGOPTIONS='-c ignore_system_indexes=on' for one session, then REINDEX",
    ),
)
_OFF = ("off", "false", "no", "0")
_STACK = 7680 * KIB
_SHORT = 1000
_FOR_DEV = ("fsync", "full_page_writes")


def find(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    """The mistakes among the pins; all of them refuse the stack but those with the code `risky`."""
    return [
        *_switches(ledger, profile),
        *_commits(ledger),
        *(() if profile.wal is Wal.SYNC else _standby(ledger)),
        *_receiver(ledger, profile),
        *_wal(ledger, profile),
        *_archiving(ledger),
        *_start(ledger),
        *_buffers(ledger, profile),
        *_short(ledger),
    ]


def _problem(code: str, ledger: Ledger, name: str, effect: str, hint: str) -> Problem:
    return Problem(code, f"{name} = {ledger.value(name)}, pinned by {ledger.pinned(name)}: {effect}", hint)


def _switches(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    found = []
    for name, wrong, effect, hint in _SWITCHES:
        if ledger.pinned(name) is None or ledger.entry(name).switched_on(ledger.value(name)) is not wrong:
            continue
        code = RISKY if profile.workload is Workload.DEV and name in _FOR_DEV else DANGEROUS
        found.append(_problem(code, ledger, name, effect, hint))
    return found


def _commits(ledger: Ledger) -> list[Problem]:
    if ledger.value("synchronous_commit").lower() != "off":
        return []
    effect = "a crash loses the last transactions, although they were confirmed"
    hint = "leave it on, and say SET LOCAL synchronous_commit = off in the transactions that may be lost"
    return [_problem(RISKY, ledger, "synchronous_commit", effect, hint)]


def _wal(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    found = [*_level(ledger)]
    for name, percent, what in (
        ("max_wal_size", 20, "checkpoints may let the WAL fill"),
        ("min_wal_size", 20, "checkpoints keep WAL that fills"),
        ("wal_keep_size", 30, "kept WAL may fill"),
        ("max_slot_wal_keep_size", 30, "a slot that nobody reads may fill"),
        ("temp_file_limit", 30, "one session may fill"),
    ):
        size = ledger.number(name)
        if ledger.pinned(name) is None or 0 <= size * 100 <= profile.disk * percent:
            continue
        most = pg_size(floor_to(profile.disk * percent // 100, SEGMENT))
        effect = f"{what} more than {percent} % of the disk, {human(profile.disk)}"
        code = RISKY if name == "temp_file_limit" else DANGEROUS
        found.append(_problem(code, ledger, name, effect, f"write {most} or less, or use a larger disk (--disk)"))
    return found


def _archiving(ledger: Ledger) -> list[Problem]:
    """Pins without which the stack's archive would reach to the last moment."""
    found = []
    if ledger.pinned("archive_mode") and ledger.value("archive_mode").lower() in _OFF:
        effect = "a restore gives the state at the end of a backup, and no other moment"
        found.append(
            _problem(RISKY, ledger, "archive_mode", effect, "leave it on; backups without WAL are rarely enough")
        )
    if ledger.pinned("archive_timeout") and ledger.number("archive_timeout") == 0:
        effect = "on a quiet server the last commits wait for days to be archived"
        found.append(_problem(RISKY, ledger, "archive_timeout", effect, "write 60s; cut segments take little room"))
    return found


def _level(ledger: Ledger) -> list[Problem]:
    """What does not go with wal_level = minimal; the server would not start."""
    if ledger.value("wal_level").lower() != "minimal":
        return []
    found = []
    if senders := ledger.number("max_wal_senders"):
        effect = f"the server does not start with it while max_wal_senders is {senders}"
        hint = "leave it at replica; or pin max_wal_senders=0 too, and have no base backups"
        found.append(_problem(DANGEROUS, ledger, "wal_level", effect, hint))
    for name in ("archive_mode", "summarize_wal"):
        if ledger.has(name) and ledger.value(name).lower() not in _OFF:
            effect = f"the server does not start with it while {name} is {ledger.value(name)}"
            found.append(_problem(DANGEROUS, ledger, "wal_level", effect, f"leave it at replica, or {name} off"))
    return found


def _start(ledger: Ledger) -> list[Problem]:
    """Values inside their range that a server refuses at its start."""
    found = []
    for name in ("max_wal_size", "min_wal_size"):
        if ledger.number(name) < 2 * SEGMENT:
            effect = "the server does not start with less than two segments of WAL"
            found.append(_problem(DANGEROUS, ledger, name, effect, "write 32MB or more"))
    if ledger.pinned("max_stack_depth") and ledger.number("max_stack_depth") > _STACK:
        effect = "the server does not start with more than the kernel's usual stack of 8MB less 512kB"
        found.append(_problem(DANGEROUS, ledger, "max_stack_depth", effect, "write 7680kB or less"))
    return found


def _short(ledger: Ledger) -> list[Problem]:
    """A bare number is milliseconds, also where seconds were meant."""
    given = {
        "PG_STATEMENT_TIMEOUT": int(ledger.given("PG_STATEMENT_TIMEOUT", "0")),
        "statement_timeout": ledger.pinned_number("statement_timeout", 0),
    }
    return [
        Problem(RISKY, f"{name}: every statement of the app ends after {millis} ms", f"write {millis}s for seconds")
        for name, millis in given.items()
        if 0 < millis < _SHORT
    ]


def dangerous_value(entry: Entry, value: str) -> str | None:
    """What a switch does that loses data in the state `value`; None for all others."""
    for name, wrong, effect, _ in _SWITCHES:
        if name == entry.name and entry.switched_on(value) is wrong:
            return effect
    return None


def _standby(ledger: Ledger) -> list[Problem]:
    if ledger.pinned("synchronous_standby_names") is None or not ledger.value("synchronous_standby_names").strip(" '"):
        return []
    effect = "every commit waits for a standby, and this stack has none"
    return [_problem(RISKY, ledger, "synchronous_standby_names", effect, "leave it empty until a standby streams")]


def _receiver(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    """Pins that leave the receiver nothing to receive, or break what `backup.wal: sync` promises."""
    if profile.wal is Wal.ARCHIVE:
        return []
    needed = {name: ledger.number(name) > 0 for name in ("max_wal_senders", "max_replication_slots")}
    if profile.wal is Wal.SYNC:
        # The receiver applies nothing, and what it only wrote is not on its disk.
        needed["synchronous_commit"] = ledger.value("synchronous_commit").lower() in ("on", "true", "yes", "1")
        needed["synchronous_standby_names"] = ledger.value("synchronous_standby_names").strip(" '\"") == RECEIVER
    hint = "take the pin out, or choose another backup.wal"
    effect = f"not what backup.wal: {profile.wal} needs"
    return [_problem(DANGEROUS, ledger, name, effect, hint) for name, fine in needed.items() if not fine]


def _buffers(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    if ledger.pinned("effective_cache_size") and ledger.number("effective_cache_size") > profile.ram:
        effect = f"more than RAM, {human(profile.ram)}: the planner believes in a cache that is not there"
        hint = f"write {pg_size(floor_to(profile.ram * 3 // 4, MIB))} or less"
        return [_problem(RISKY, ledger, "effective_cache_size", effect, hint)]
    if ledger.number("shared_buffers") * 100 <= profile.ram * 40:
        return []
    effect = f"more than 40 % of RAM, {human(profile.ram)}: the page cache holds the same pages once more"
    hint = f"{pg_size(floor_to(profile.ram * 40 // 100, MIB))} or less leaves the page cache its room"
    return [_problem(RISKY, ledger, "shared_buffers", effect, hint)]
