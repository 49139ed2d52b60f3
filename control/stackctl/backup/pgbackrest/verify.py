"""What `pgbackrest verify` prints, as findings. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from stackctl.backup.pgbackrest.faults import unread_error
from stackctl.backup.verify import Finding, Unread, of_error

# What a finding is about that names nothing else.
WHOLE = "repository"
# All that it says of a backup without a manifest.
INVALID = "pgbackrest says invalid"
_BACKUP = re.compile(r"\s*backup: (?P<label>\S+), status: (?P<status>[^,]+)")
_ARCHIVE = re.compile(r"\s*archiveId: (?P<id>[^,]+), total WAL checked: (?P<all>\d+), total valid WAL: (?P<good>\d+)")
_COUNTS = re.compile(r"\s*missing: (\d+), checksum invalid: (\d+), size invalid: (\d+), other: (\d+)")
_WORDS = ("missing", "not as they were written", "of another size", "not readable")
# Files are named in its log alone, which comes before its report.
_NAMED = re.compile(r"INFO: (?P<wrong>file missing|invalid checksum|invalid size) '(?P<path>[^']+)'")
_UNREAD = re.compile(r"INFO: invalid result (?P<path>\S+): \[(?P<code>\d+)\] (?P<said>.*)")
_SENTENCES = {
    "file missing": "is missing",
    "invalid checksum": "its bytes are not those that were written",
    "invalid size": "has another size",
}
_SEGMENT = re.compile(r"(?P<archive>[0-9.]+-\d+)/[0-9A-F]{16}/(?P<name>[0-9A-F]{24})\S*")


def report(text: str) -> str:
    """The report at the end, without the log before it; empty where there is none."""
    parts = re.split(r"^(?=stanza: )", text, flags=re.MULTILINE)
    return parts[-1] if len(parts) > 1 else ""


def unread(text: str) -> list[tuple[str, int, str]]:
    """The files that could not be read: their paths, the numbers of the errors, and what was said."""
    return [(found["path"], int(found["code"]), found["said"]) for found in _UNREAD.finditer(text)]


def findings(text: str, expected: Iterable[str] = ()) -> list[Finding]:
    """What is wrong, with the names of files where they are known; empty where nothing is.

    Nothing is known of what is not in it: the `expected` backups must be.
    """
    named = _named(text)
    counted, seen = _counted(report(text))
    lost = Counter(_parts(path)[0] for path, code, said in unread(text) if unread_error(code, said))
    damaged = {subject for subject, each in named if not isinstance(each, Unread)}
    found = [each for _, each in named]
    for subject, (said, counts) in counted.items():
        unnamed = counts[3] - lost[subject] if counts and not any(counts[:3]) else None
        # What is named needs no number.
        if subject in damaged or unnamed == 0:
            continue
        if unnamed and _builds_on_unread(subject, lost, damaged):
            found.append(Unread(subject, f"{unnamed} files of backups that it is built on cannot be read"))
        else:
            found.append(Finding(subject, said))
    found += [Finding(label, "pgbackrest did not read it") for label in expected if label not in seen]
    if not found and not re.search(r"^\s*status: ok\s*$", report(text), re.MULTILINE):
        found = [Finding(WHOLE, _last_words(report(text) or text))]
    return found


def _builds_on_unread(label: str, lost: Counter[str], damaged: set[str]) -> bool:
    """Whether what is counted of an incremental backup, and not named, can only be of others that were not read.

    All that build on one full backup begin with its label.
    """
    full, incremental, _ = label.partition("_")
    others = [each for each in {*lost, *damaged} - {label} if each.partition("_")[0] == full]
    return bool(incremental) and any(lost[each] for each in others) and damaged.isdisjoint(others)


def _named(text: str) -> list[tuple[str, Finding]]:
    """Findings of single files, each with the backup or the archive that it belongs to."""
    lost = [(path, unread_error(code, said)) for path, code, said in unread(text)]
    wrong: dict[str, str | OSError] = {path: error for path, error in lost if error}
    # Of a bundle there is one for each file in it. What has other bytes is damaged, whatever else was not read.
    wrong |= {match["path"]: _SENTENCES[match["wrong"]] for match in _NAMED.finditer(text)}
    others = [(path, said) for path, code, said in unread(text) if not unread_error(code, said)]
    wrong |= {path: f"cannot be read: {said.split(' protocol: ')[-1]}" for path, said in others}
    return [(_parts(path)[0], _finding(path, each)) for path, each in wrong.items()]


def _finding(path: str, wrong: str | OSError) -> Finding:
    _, what, inside = _parts(path)
    if isinstance(wrong, OSError):
        return of_error(what, wrong, inside)
    return Finding(what, f"{inside}: {wrong}" if inside else wrong)


def _parts(path: str) -> tuple[str, str, str]:
    """The archive or the backup that a file belongs to, what is found to be wrong with it, and its path in there."""
    if segment := _SEGMENT.fullmatch(path):
        return f"archive {segment['archive']}", segment["name"], ""
    label, _, inside = path.partition("/")
    return label, label, inside


def _counted(text: str) -> tuple[Mapping[str, tuple[str, tuple[int, ...]]], set[str]]:
    """A sentence and the counts for each backup and archive with something wrong, and the backups that were read."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    subject, seen = "", set()
    for line in text.splitlines():
        if backup := _BACKUP.match(line):
            subject = backup["label"]
            seen.add(subject)
            if backup["status"].strip() not in ("valid", "in-progress"):
                found[subject] = f"pgbackrest says {backup['status'].strip()}", ()
        elif archive := _ARCHIVE.match(line):
            subject = f"archive {archive['id']}"
            if archive["all"] != archive["good"]:
                found[subject] = f"{int(archive['all']) - int(archive['good'])} segments are not valid", ()
        elif (match := _COUNTS.match(line)) and subject and any(counts := tuple(map(int, match.groups()))):
            parts = [f"{count} files {word}" for count, word in zip(counts, _WORDS, strict=True) if count]
            found[subject] = ", ".join(parts), counts
    return found, seen


def _last_words(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return f"pgbackrest says {lines[-1]}" if lines else "pgbackrest said nothing"
