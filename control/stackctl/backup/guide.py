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
   and check the result: pg_verifybackup THE-COPY"""
    return f"""Restore {identifier} with PostgreSQL {postgres} alone

1. Check that every byte is as it was written:      sha256sum --check checksums.txt
2. {copy}
3. As it is, the server starts with the state at the end of this backup.
   To go on from there, add to postgresql.auto.conf of the copy:
       restore_command = 'cp WAL/%f-* %p'           WAL is wal/{system} of this repository
       recovery_target_time = '2026-03-01 12:00:00+00'    or leave it out for everything there is
   and make an empty file recovery.signal beside it.
   What wal/{system} lacks may be in tail/{system}/*/, where there is one: of a segment that is there more than
   once, the whole one, else the one with the most in it; none without its full length. Beside tail/:
       for one in $(find tail/{system} -size 16777216c -name '*.partial'); do
           echo "$(tr -d '\\0' <"$one" | wc -c) $one"
       done | sort -n | while read -r most one; do cp "$one" "THE-COPY/pg_wal/$(basename "$one" .partial)"; done
       find tail/{system} -size 16777216c ! -name '*.*' -exec cp {{}} THE-COPY/pg_wal/ ';'
       find tail/{system} -name '*.history' -exec cp {{}} THE-COPY/pg_wal/ ';'
       chown --reference=THE-COPY THE-COPY/pg_wal/*
4. Start PostgreSQL {postgres}: pg_ctl -D THE-COPY start
5. Once it has been stopped, every page can be checked: pg_checksums --check -D THE-COPY
"""
