"""Read a repository byte by byte: is everything as it was written?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from stackctl.backup import catalog, checksums
from stackctl.backup.archive import Archive, damage
from stackctl.backup.checksums import DamagedList
from stackctl.backup.model import Backup
from stackctl.backup.repository import Repository, Unreadable


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and with what."""

    what: str
    reason: str


def verify_all(repository: Repository) -> list[Finding]:
    """Everything in the repository that is not as it was written. Raises OSError where it cannot be read."""
    found: list[Finding] = []
    known = {backup.id for backup in repository.backups()}
    for entry in repository.entries():
        if isinstance(entry, Unreadable):
            found.append(Finding(entry.id, entry.reason))
            continue
        found += verify_backup(repository, entry)
        if entry.parent is not None and entry.parent not in known:
            found.append(Finding(entry.id, f"{entry.parent}, which it is built on, is not there"))
    found += [Finding(name, "does not belong to the repository") for name in repository.strangers()]
    for system in repository.systems():
        found += verify_archive(repository.archive(system))
    return found


def verify_archive(archive: Archive) -> list[Finding]:
    """What is wrong with the archived WAL of one cluster; missing files are another matter."""
    found = [Finding(name, "does not belong to the archive") for name in archive.strangers()]
    names = Counter(file.name for file in archive.files())
    found += [
        Finding(name, f"is archived {count} times, with other bytes") for name, count in names.items() if count > 1
    ]
    for file in archive.files():
        if wrong := damage(file):
            found.append(Finding(file.path.name, wrong))
    return found


def verify_backup(repository: Repository, backup: Backup) -> list[Finding]:
    """What is wrong with one backup."""
    folder = repository.path(backup.id)
    try:
        content = (folder / checksums.LIST).read_bytes()
        if checksums.digest_of(content) != backup.checksums:
            return [Finding(backup.id, f"{checksums.LIST}: its bytes are not those of the backup")]
        listed = checksums.read(content)
    except (FileNotFoundError, DamagedList) as error:
        return [Finding(backup.id, f"{checksums.LIST}: {error}")]
    there = checksums.digests(folder, frozenset([checksums.LIST, catalog.RECORD]))
    return [Finding(backup.id, sentence) for sentence in checksums.differences(listed, there)]
