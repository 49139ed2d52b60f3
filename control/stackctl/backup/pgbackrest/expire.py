"""Lets pgBackRest delete what was shown, and nothing else: other machines know nothing of our lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stackctl.backup.model import Backup, Kind
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.retention import ancestors
from stackctl.errors import EngineFailed


def expire(tool: Tool, gone: Sequence[Backup], *, wal: bool) -> None:
    """Delete backups, the youngest first; with `wal`, also what lies before all full backups that are left then.

    Raises EngineFailed where one was built meanwhile on what is to go.
    """
    going = {backup.id for backup in gone}
    with tool.programs() as programs:
        for backup in reversed(gone):
            _refuse_dependents(tool, backup, going)
            tool.work(programs, "expire", f"--set={backup.id}")
        # What was taken meanwhile counts too.
        full = sum(backup.kind is Kind.FULL for backup in StanzaStored(tool).backups()) if wal else 0
        if full:
            # It says where WAL begins to be needed. As the number of backups to retain, it would delete one of them
            # where there is one more by then.
            words = (f"--repo1-retention-archive={full}", "--repo1-retention-archive-type=full")
            tool.work(programs, "expire", *words)


def _refuse_dependents(tool: Tool, backup: Backup, going: Collection[str]) -> None:
    """pgBackRest deletes with a backup what is built on it, whoever built that."""
    by_id = {each.id: each for each in StanzaStored(tool).backups()}
    for each in by_id.values():
        if each.id not in going and backup.id in {found.id for found in ancestors(each, by_id)}:
            raise EngineFailed(
                f"{each.id} was built on {backup.id} meanwhile, by another machine or by hand",
                hint="stackctl backup expire shows what would go now",
            )
