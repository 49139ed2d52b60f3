"""Which cluster the repository takes the WAL of, and how it gets to know another one."""

from __future__ import annotations

import time

from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.protocol import AWAY
from stackctl.errors import EngineFailed, Locked

# A cluster's identifier begins with the second in which it was made; one that was restored is older than what was
# archived in its place meanwhile.
_CLUSTER = """
SELECT system_identifier::text AS system, (current_setting('server_version_num')::int / 10000)::text AS postgres,
       CASE WHEN timeline_id = 1 THEN system_identifier >> 32
            ELSE extract(epoch FROM pg_postmaster_start_time())::bigint END AS since
FROM pg_control_system(), pg_control_checkpoint()
"""
_TRIES, _PAUSE = 8, 2.0


def make_ready(tool: Tool, stored: StanzaStored, *, adopt: bool) -> None:
    """Let the repository know the running cluster, so that its WAL can be archived. Raises StackError.

    Another cluster than the last one, as after its volume was lost, gets an archive of its own beside the old one,
    where we are to `adopt` that: from then on, the repository takes no WAL of the old one.
    """
    (running,) = tool.engine.query(_CLUSTER)
    known = stored.present()
    if known == (running["system"], running["postgres"]):
        # What follows wants all locks, and would find that of WAL on its way.
        return
    if known and known[0] != running["system"]:
        _refuse_other(tool, stored, known[0], running["since"], adopt=adopt)
    _introduce(tool, "stanza-upgrade" if known else "stanza-create")
    # What failed before it was known is else tried again after a minute, which is as long as a backup waits for it.
    tool.engine.reload()


def _refuse_other(tool: Tool, stored: StanzaStored, other: str, since: int, *, adopt: bool) -> None:
    """`since` is when the running one was made, or where it was restored, started: seconds of Unix."""
    where = f"{tool.where} takes the WAL of cluster {other}"
    last = stored.archive(other).latest()
    if last is not None and last > since:
        raise EngineFailed(
            f"{where}, and got some since this one was made: another server archives there",
            hint="give this project a backup.repository of its own",
            code=AWAY,
        )
    if not adopt:
        raise EngineFailed(
            f"{where}, which is not this one",
            hint=f"stackctl restore --cluster {other} brings it back; "
            f"if it is no more, stackctl backup --adopt {other} begins anew beside its backups",
            code=AWAY,
        )


def _introduce(tool: Tool, command: str) -> None:
    """Try again while what sends WAL holds its lock: without a known cluster, it fails soon."""
    for _ in range(_TRIES - 1):
        try:
            tool.beside(command, quick=True)
        except Locked:
            time.sleep(_PAUSE)
        else:
            return
    tool.beside(command, quick=True)
