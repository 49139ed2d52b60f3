"""Which backups say something of the data that runs."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.backup.model import Backup


def of_cluster(backups: Sequence[Backup], system: str | None) -> Sequence[Backup]:
    """Those of one cluster, as another project may keep its own beside them; all where nobody knows which it is."""
    return [each for each in backups if each.system == system] if system else backups
