"""What `pgbackrest verify` prints, as findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stackctl.backup.verify import Finding

# What a finding is about that names nothing else.
WHOLE = "repository"
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
    found = [each for _, each in named]
    found += [each for each in counted if each.what not in {subject for subject, _ in named}]
    found += [Finding(label, "pgbackrest did not read it") for label in expected if label not in seen]
    if not found and not re.search(r"^\s*status: ok\s*$", report(text), re.MULTILINE):
        found = [Finding(WHOLE, _last_words(report(text) or text))]
    return found


def _named(text: str) -> list[tuple[str, Finding]]:
    """Findings of single files, each with the backup or the archive that it belongs to."""
    wrong = [(match["path"], _SENTENCES[match["wrong"]]) for match in _NAMED.finditer(text)]
    wrong += [(path, f"cannot be read: {said.split(' protocol: ')[-1]}") for path, _, said in unread(text)]
    found = []
    for path, sentence in dict(wrong).items():
        if segment := _SEGMENT.fullmatch(path):
            found.append((f"archive {segment['archive']}", Finding(segment["name"], sentence)))
        else:
            label, _, inside = path.partition("/")
            found.append((label, Finding(label, f"{inside}: {sentence}")))
    return found


def _counted(text: str) -> tuple[list[Finding], set[str]]:
    """One finding for each backup and each archive with something wrong, and the backups that were read."""
    found: list[Finding] = []
    subject, seen = "", set()
    for line in text.splitlines():
        if backup := _BACKUP.match(line):
            subject = backup["label"]
            seen.add(subject)
            if backup["status"].strip() not in ("valid", "in-progress"):
                found.append(Finding(subject, f"pgbackrest says {backup['status'].strip()}"))
        elif archive := _ARCHIVE.match(line):
            subject = f"archive {archive['id']}"
            if archive["all"] != archive["good"]:
                found.append(Finding(subject, f"{int(archive['all']) - int(archive['good'])} segments are not valid"))
        elif (counts := _COUNTS.match(line)) and subject and any(int(count) for count in counts.groups()):
            parts = [f"{count} files {word}" for count, word in zip(counts.groups(), _WORDS, strict=True) if int(count)]
            found = [each for each in found if each.what != subject] + [Finding(subject, ", ".join(parts))]
    return found, seen


def _last_words(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return f"pgbackrest says {lines[-1]}" if lines else "pgbackrest said nothing"
