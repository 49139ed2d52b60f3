"""A parallel hash join that fills a hash table to a given size, and processes that wait with what they took."""

from __future__ import annotations

# Sessions that would give their memory back at once wait for this lock, which an administrator holds meanwhile.
GATE = "SELECT pg_advisory_lock(1)"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
# The leader of a parallel query only waits: what its session has is filled already.
HOLD = """CREATE FUNCTION hold(bytes int, leader int) RETURNS boolean LANGUAGE plpgsql PARALLEL SAFE AS $$
DECLARE taken text := repeat('x', CASE WHEN pg_backend_pid() = leader THEN 1 ELSE bytes END);
BEGIN
    PERFORM pg_advisory_lock_shared(1);
    PERFORM pg_advisory_unlock_shared(1);
    RETURN true;
END $$"""
# Without these a planner that knows better ways than a parallel hash join would take one of them.
FORCED = (
    "enable_mergejoin = off",
    "enable_nestloop = off",
    "min_parallel_table_scan_size = 0",
    "parallel_setup_cost = 0",
    "parallel_tuple_cost = 0",
)
JOIN = "SELECT count(*), max(length(pad)) FROM probe JOIN build USING (k)"
# Bytes of one row in the hash table: its text and the tuple around it.
_ROW = 1040


def tables(room: int) -> tuple[str, ...]:
    """Statements that make the tables of `JOIN`; its hash table takes 95 % of `room` bytes, so it is not split up."""
    rows = int(room * 0.95) // _ROW
    return (
        f"CREATE UNLOGGED TABLE build AS SELECT k, repeat('x', 1000) AS pad FROM generate_series(1, {rows}) k",
        # More rows, so that the planner hashes the other table.
        f"CREATE UNLOGGED TABLE probe AS SELECT k % {rows} + 1 AS k FROM generate_series(1, {8 * rows}) k",
        "VACUUM ANALYZE build",
        "VACUUM ANALYZE probe",
    )
