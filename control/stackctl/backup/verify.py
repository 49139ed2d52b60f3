"""Read a repository byte by byte: is everything as it was written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.backup import archived_list, catalog, checksums
from stackctl.backup.archive import Archive, damage
from stackctl.backup.checksums import DamagedList, Told
from stackctl.backup.model import Backup
from stackctl.backup.plain_file import content, is_verdict
from stackctl.backup.repository import Repository, Unreadable
from stackctl.backup.wal_name import parse_segment
from stackctl.errors import Damaged, EngineFailed, failed_disk

_FEW = 3
# A line of the list for each of ten million files.
_MOST_LISTED = 2**30
_AGAIN = "this says nothing of its bytes: mend what is named, and verify again"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and with what."""

    what: str
    reason: str


@dataclass(frozen=True)
class Unread(Finding):
    """What could not be read, for a reason that says nothing of its bytes: no verdict."""

    hint: str = _AGAIN


def unread(what: str, error: OSError, inside: str = "") -> Unread:
    """Of a file that could not be read, for a reason that is no verdict; `inside` is its path in the backup."""
    failed = failed_disk(error, Path(what))
    hint = f"{failed.hint}; {_AGAIN}" if failed else _AGAIN
    return Unread(what, _reason(error, inside), hint)


def of_error(what: str, error: OSError, inside: str = "") -> Finding:
    """What an error of reading says; `inside` as `unread` has it."""
    if not is_verdict(error):
        return unread(what, error, inside)
    return Finding(what, _reason(error, inside))


def _reason(error: OSError, inside: str) -> str:
    reason = f"cannot be read: {error.strerror or error}"
    return f"{inside}: {reason}" if inside else reason


def refuse(found: Sequence[Finding], hint: str) -> None:
    """Raise Damaged for the first that is wrong, else EngineFailed for the first that could not be read."""
    for each in found:
        if not isinstance(each, Unread):
            raise Damaged(f"{each.what}: {each.reason}", hint=hint)
    for each in found:
        if isinstance(each, Unread):
            raise EngineFailed(f"{each.what}: {each.reason}", hint=each.hint)


def verify_all(repository: Repository, told: Told = lambda _bytes: None) -> list[Finding]:
    """Everything in the repository that is not as it was written, or cannot be read."""
    found: list[Finding] = []
    known = {entry.id for entry in repository.entries() if isinstance(entry, Backup) or entry.error}
    for entry in repository.entries():
        if isinstance(entry, Unreadable):
            found.append(_of_record(entry))
            continue
        found += verify_backup(repository, entry, told)
        if entry.parent is not None and entry.parent not in known:
            found.append(Finding(entry.id, f"{entry.parent}, which it is built on, is not there"))
    found += [_stranger(name) for name in repository.strangers()]
    for system in repository.systems():
        found += verify_archive(repository.archive(system))
    return found


def verify_records(repository: Repository) -> list[Finding]:
    """Of a folder that is for dumps: those whose records are damaged, and what beside them is no backup at all."""
    within = f"{repository.backups_folder.name}/"
    try:
        found = [_of_record(entry) for entry in repository.dumps() if isinstance(entry, Unreadable)]
        return found + [_stranger(name) for name in repository.strangers() if name.startswith(within)]
    except OSError as error:
        return [unread(str(error.filename or repository.backups_folder), error)]


def _stranger(name: str) -> Finding:
    return Finding(name, "does not belong to the repository")


def _of_record(entry: Unreadable) -> Finding:
    if entry.error is not None:
        return unread(entry.id, entry.error, catalog.RECORD)
    return Finding(entry.id, entry.reason)


def verify_archive(archive: Archive, told: Told = lambda _bytes: None) -> list[Finding]:
    """What is wrong with the archived WAL of one cluster; missing segments are another matter.

    `told` hears of the bytes that were read.
    """
    found: list[Finding] = []
    for findings in (_in_list(archive), _in_files(archive, told)):
        try:
            found.extend(findings)
        except OSError as error:
            found.append(unread(str(error.filename or archive.place), error))
    return found


def _in_list(archive: Archive) -> Iterator[Finding]:
    yield from (Finding(name, "does not belong to the archive") for name in archive.strangers())
    listed = archive.listed()
    if listed.wrong:
        yield Finding(archived_list.LIST, listed.wrong)
    yield from (Finding(archived_list.LIST, f"has the line {line!r}") for line in listed.damaged)
    if listed.changed is not None:
        yield Finding(archived_list.LIST, f"its first {listed.changed} bytes are not those that were written")
    yield from _unlisted(archive.unlisted())
    yield from (Finding(name, "is missing") for name in archive.lost() if parse_segment(name) is None)


def _in_files(archive: Archive, told: Told) -> Iterator[Finding]:
    names = Counter(file.name for file in archive.files())
    for name, count in names.items():
        if count > 1:
            yield Finding(name, f"is archived {count} times, with other bytes")
    for file in archive.files():
        try:
            if wrong := damage(file):
                yield Finding(file.path.name, wrong)
        except OSError as error:
            yield unread(file.path.name, error)
        told(file.size)


def _unlisted(names: Sequence[str]) -> list[Finding]:
    """One for each, or one for the list where it lacks more than somebody would have put there."""
    if len(names) > _FEW:
        return [Finding(archived_list.LIST, f"lacks {len(names)} files that are there, {names[0]} to {names[-1]}")]
    return [Finding(name, f"is not in {archived_list.LIST}") for name in names]


def verify_backup(repository: Repository, backup: Backup, told: Told = lambda _bytes: None) -> list[Finding]:
    """What is wrong with one backup, or could not be read of it; `told` hears of the bytes that were read."""
    folder = repository.path(backup.id)
    try:
        stated = content(folder / checksums.LIST, _MOST_LISTED)
        if checksums.digest_of(stated) != backup.checksums:
            return [Finding(backup.id, f"{checksums.LIST}: its bytes are not those of the backup")]
        listed = checksums.read(stated)
    except DamagedList as error:
        return [Finding(backup.id, f"{checksums.LIST}: {error}")]
    except OSError as error:
        return [of_error(backup.id, error, checksums.LIST)]
    try:
        return _wrong(backup.id, folder, listed, told)
    except OSError as error:
        inside = Path(error.filename or folder)
        return [of_error(backup.id, error, str(inside.relative_to(folder)) if inside != folder else "")]


def _wrong(identifier: str, folder: Path, listed: Mapping[str, str], told: Told) -> list[Finding]:
    failed: dict[str, OSError] = {}
    there = checksums.digests(
        folder, catalog.PROVEN | {checksums.LIST}, told, lambda path, error: failed.update({path: error})
    )
    # Of those that cannot be read, no more is said.
    sentences = checksums.differences(listed, {**there, **{path: listed.get(path, "") for path in failed}})
    # A damaged list of folders says nothing of them.
    if checksums.FOLDERS in listed and there.get(checksums.FOLDERS) == listed[checksums.FOLDERS]:
        wanted = (folder / checksums.FOLDERS).read_bytes()
        sentences += checksums.folder_differences(wanted, checksums.folders_below(folder))
    found = [Finding(identifier, sentence) for sentence in sentences]
    return found + [of_error(identifier, error, path) for path, error in failed.items()]
