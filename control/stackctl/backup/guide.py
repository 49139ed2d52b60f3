"""RESTORE.txt: how a backup is restored with PostgreSQL's own programs alone."""

from __future__ import annotations

from collections.abc import Sequence

GUIDE = "RESTORE.txt"


def guide(identifier: str, postgres: int, system: str, chain: Sequence[str] = ()) -> str:
    """The text; `chain` is what the backup is built on, the full one first."""
    copy = "Copy data/ to where the server will have it, owned by its account, mode 0700."
    if chain:
        words = " ".join(f"../{each}/data" for each in chain)
        copy = f"""Do the same in each of {", ".join(chain)}: pg_combinebackup does not see damage. Then, as the
   account of the server: pg_combinebackup {words} data -o THE-COPY
   and check the result: pg_verifybackup THE-COPY; pg_checksums --check -D THE-COPY"""
    return f"""Restore {identifier} with PostgreSQL {postgres} alone

1. Check that every byte is as it was written:      sha256sum --check checksums.txt
2. {copy}
3. As it is, the server starts with the state at the end of this backup.
   To go on from there, add to postgresql.auto.conf of the copy:
       restore_command = 'cp WAL/%f-* %p'           WAL is wal/{system} of this repository
       recovery_target_time = '2026-03-01 12:00:00+00'    or leave it out for everything there is
   and make an empty file recovery.signal beside it.
   What wal/{system} lacks may be in tail/{system}/*/: copy it into pg_wal/ of the copy, without .partial in its name.
4. Start PostgreSQL {postgres}: pg_ctl -D THE-COPY start
"""
