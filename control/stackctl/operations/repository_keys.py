"""The keys of pgBackRest's repository change with the change that needs them, and go back with it."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.engine.project import Project
from stackctl.operations.backups.engines import archives_there
from stackctl.operations.stack import Prepared
from stackctl.settings.repository_keys import FILE, held_keys, put_keys, remove_keys, wanted_keys
from stackctl.settings.vault import Vault


def bring_keys(prepared: Prepared) -> Mapping[str, bytes] | None:
    """Write what opens the repository, while the files of the last change are still there; gives back what was.

    Where no repository is asked for any more, the keys stay for the server that still archives to it.
    """
    project = prepared.opened.project
    before, chosen = held_keys(project.repository_keys), project.pgbackrest
    if chosen is not None:
        vault = Vault(project.secrets)
        if chosen.encryption:
            vault.ensure_passphrase(new=not archives_there(project, prepared.engine))
        put_keys(project.repository_keys, wanted_keys(vault, chosen, project.folder))
    return before


def put_back(project: Project, before: Mapping[str, bytes] | None) -> None:
    """Have the keys again that `bring_keys` found; a passphrase that was made meanwhile stays among the secrets."""
    if before is None:
        remove_keys(project.repository_keys)
    else:
        put_keys(project.repository_keys, before)


def keys_at_hand(prepared: Prepared) -> None:
    """Make keys that were lost, as with the machine; those that are there change with the stack alone."""
    project = prepared.opened.project
    if archives_there(project, prepared.engine) and not (project.repository_keys / FILE).is_file():
        bring_keys(prepared)


def drop_keys(project: Project) -> None:
    """Leave none where nobody needs them any more; only once the stack runs without."""
    if project.pgbackrest is None:
        remove_keys(project.repository_keys)
