"""Read a repository byte by byte: is everything as it was written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.backup import archived_list, catalog, checksums
from stackctl.backup.archive import Archive, damage
from stackctl.backup.checksums import DamagedList, Told
from stackctl.backup.model import Backup
from stackctl.backup.repository import Repository, Unreadable
from stackctl.backup.wal_name import parse_segment

_FEW = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and with what."""

    what: str
    reason: str


def verify_all(repository: Repository, told: Told = lambda _bytes: None) -> list[Finding]:
    """Everything in the repository that is not as it was written, or cannot be read."""
    found: list[Finding] = []
    known = {backup.id for backup in repository.backups()}
    for entry in repository.entries():
        if isinstance(entry, Unreadable):
            found.append(Finding(entry.id, entry.reason))
            continue
        found += verify_backup(repository, entry, told)
        if entry.parent is not None and entry.parent not in known:
            found.append(Finding(entry.id, f"{entry.parent}, which it is built on, is not there"))
    found += [Finding(name, "does not belong to the repository") for name in repository.strangers()]
    for system in repository.systems():
        found += verify_archive(repository.archive(system))
    return found


def verify_archive(archive: Archive, told: Told = lambda _bytes: None) -> list[Finding]:
    """What is wrong with the archived WAL of one cluster; missing segments are another matter.

    `told` hears of the bytes that were read.
    """
    found = [Finding(name, "does not belong to the archive") for name in archive.strangers()]
    listed = archive.listed()
    found += [Finding(archived_list.LIST, listed.wrong)] if listed.wrong else []
    found += [Finding(archived_list.LIST, f"has the line {line!r}") for line in listed.damaged]
    found += _unlisted(archive.unlisted())
    found += [Finding(name, "is missing") for name in archive.lost() if parse_segment(name) is None]
    names = Counter(file.name for file in archive.files())
    found += [
        Finding(name, f"is archived {count} times, with other bytes") for name, count in names.items() if count > 1
    ]
    for file in archive.files():
        if wrong := damage(file):
            found.append(Finding(file.path.name, wrong))
        told(file.size)
    return found


def _unlisted(names: Sequence[str]) -> list[Finding]:
    """One for each, or one for the list where it lacks more than somebody would have put there."""
    if len(names) > _FEW:
        return [Finding(archived_list.LIST, f"lacks {len(names)} files that are there, {names[0]} to {names[-1]}")]
    return [Finding(name, f"is not in {archived_list.LIST}") for name in names]


def verify_backup(repository: Repository, backup: Backup, told: Told = lambda _bytes: None) -> list[Finding]:
    """What is wrong with one backup; `told` hears of the bytes that were read."""
    folder = repository.path(backup.id)
    try:
        content = (folder / checksums.LIST).read_bytes()
        if checksums.digest_of(content) != backup.checksums:
            return [Finding(backup.id, f"{checksums.LIST}: its bytes are not those of the backup")]
        listed = checksums.read(content)
    except (OSError, DamagedList) as error:
        return [Finding(backup.id, f"{checksums.LIST}: {error}")]
    try:
        return [Finding(backup.id, sentence) for sentence in _wrong(folder, listed, told)]
    except OSError as error:
        return [Finding(backup.id, f"cannot be read: {error}")]


def _wrong(folder: Path, listed: Mapping[str, str], told: Told) -> list[str]:
    unread: dict[str, str] = {}

    def failed(path: str, error: OSError) -> None:
        unread[path] = f"{path}: cannot be read: {error.strerror}"

    there = checksums.digests(folder, frozenset([checksums.LIST, catalog.RECORD]), told, failed)
    # Of those that cannot be read, no more is said.
    found = checksums.differences(listed, {**there, **{path: listed.get(path, "") for path in unread}})
    # A damaged list of folders says nothing of them.
    if checksums.FOLDERS in listed and there.get(checksums.FOLDERS) == listed[checksums.FOLDERS]:
        wanted = (folder / checksums.FOLDERS).read_bytes()
        found += checksums.folder_differences(wanted, checksums.folders_below(folder))
    return [*found, *unread.values()]
