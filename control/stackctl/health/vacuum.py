"""Whether autovacuum does what is to be done. Pure."""

from __future__ import annotations

from stackctl.health.model import Check, Status
from stackctl.health.vacuuming import Overdue, VacuumUse

# A table is looked at every minute or sooner; what waits for an hour is not going to be done.
_LATE = 3600.0
# Fewer dead rows cost nobody anything: a few hundred pages.
FEW_DEAD_ROWS = 10_000


def judge_vacuum(use: VacuumUse | None) -> Check:
    """Off, behind, or fine."""
    if use is None:
        return Check("autovacuum", Status.SKIP, "not measured")
    if not use.enabled:
        hint = "turn autovacuum and track_counts on: tables only grow, until the server stops at a wraparound"
        return Check("autovacuum", Status.WARN, "autovacuum is off", hint)
    late = [table for table in use.overdue if table.dead > FEW_DEAD_ROWS and table.seconds > _LATE]
    busy = f"{use.workers} of {use.most} workers busy"
    if not late:
        return Check("autovacuum", Status.OK, f"no table waits for it, {busy}")
    shown = "; ".join(map(_told, late[:3])) + (f" and {len(late) - 3} more" if len(late) > 3 else "")
    return Check("autovacuum", Status.WARN, f"{shown}; {busy}", _hint(late, use))


def _told(table: Overdue) -> str:
    last = f"last vacuum {table.seconds / 3600:.1f} h ago" if table.ever else "no vacuum yet"
    off = ", off for this table" if not table.enabled else ""
    return f"{table.name}: {table.dead} dead rows, due at {table.threshold}, {last}{off}"


def _hint(late: list[Overdue], use: VacuumUse) -> str:
    off = [table.name for table in late if not table.enabled]
    if off:
        return f"ALTER TABLE {off[0]} RESET (autovacuum_enabled)"
    if use.workers >= use.most:
        return "all workers are busy: raise autovacuum_max_workers, or lower autovacuum_vacuum_cost_delay"
    return "VACUUM (VERBOSE) says what holds it back: an old transaction, a lock, a slot"
