"""A stack whose WAL is archived: wait for it, and note moments that it can be restored to."""

from __future__ import annotations

from running_stack import Stack, eventually


def archived(stack: Stack) -> None:
    """Wait until all that was written is in the archive."""
    # The byte before, as with nothing written since the last switch it gives the first one of a new segment.
    name = stack.sql("SELECT pg_walfile_name(pg_switch_wal() - 1)")
    done = f"SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver"
    eventually(lambda: stack.sql(done) == "t", 90, f"{name} is archived")


def moment(stack: Stack) -> str:
    """Now, by the server's clock, with its zone."""
    return stack.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
