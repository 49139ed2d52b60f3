"""What `pgbackrest info` and `pgbackrest repo-ls` print, in our words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.wal_name import Segment, history_of, lsn, parse_segment

VERIFIED, DAMAGED, KEPT = "stackctl-verified", "stackctl-damaged", "stackctl-kept"
SUMS = "stackctl-sums"
_DRILLED, _RTO, _RPO, _FAILED = (f"stackctl-{name}" for name in ("drilled", "rto", "rpo", "drill-failed"))
_TRIED, _FAILING = "stackctl-drill-tried", "stackctl-drill-failing"
_KINDS = {"full": Kind.FULL, "diff": Kind.INCREMENTAL, "incr": Kind.INCREMENTAL}
# WAL files carry a checksum of what was archived and the name of what compressed them; histories do not.
_FILE = re.compile(
    r"(?P<archive>[0-9.]+-\d+)/(?:[0-9A-F]{16}/)?(?P<name>[0-9A-F]{8,24}(?:\.history)?)(?:-(?P<sum>[0-9a-f]{40})\S*)?"
)
# No folder of the stanza, and no list in it; without backups alone, it is 2.
_NO_STANZA = (1, 3)
_OTHER = 99


@dataclass(frozen=True)
class Info:
    """Backups of one stanza, oldest first; the cluster of each archive by its id; what is wrong, empty for nothing.

    `present` is the cluster whose WAL it takes: its identifier and its version. `sizes` are those of restored copies,
    `sums` what was noted of each backup's files that have no checksum elsewhere, by their names. `archives` says where
    the WAL of each backup is. `bare` says that there is no list of backups.
    """

    backups: Sequence[Backup]
    systems: Mapping[str, str]
    fault: str = ""
    present: tuple[str, str] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    archives: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False


def in_progress(printed: str) -> tuple[int, int] | None:
    """Bytes of the backup that is being taken that are done, and all of them; None where nobody says so.

    pgBackRest 2.46 and later keep both in the lock of the backup. Raises ValueError for what it does not print.
    """
    for stanza in json.loads(printed):
        lock = stanza.get("status", {}).get("lock", {}).get("backup", {})
        if lock.get("held") and lock.get("size"):
            return int(lock.get("size-cplt", 0)), int(lock["size"])
    return None


@dataclass(frozen=True)
class Listed:
    """The files of one archive: bytes of segments, paths of histories by timeline, files, bytes, time of the newest."""

    segments: Mapping[Segment, int]
    histories: Mapping[int, str]
    files: int
    size: int
    latest: int
    sums: Sequence[tuple[str, str]] = ()
    """The names of segments, each with the SHA-1 of its bytes before they were compressed."""
    paths: Mapping[Segment, str] = field(default_factory=dict)
    """Where segments are, below the archives of the stanza."""


@dataclass(frozen=True)
class _Entry:
    """One file of an archive; `time` is when it was written, in seconds of Unix."""

    name: str
    sum: str
    path: str
    size: int
    time: int


def read_info(text: str) -> Info:
    """The stanza of what `info --output=json` printed; without one there is nothing yet. Raises ValueError."""
    # What it quotes of a list that it cannot read may be anything.
    found = json.loads(text, strict=False)
    if not found:
        return Info([], {})
    stanza = found[0]
    for repository in stanza.get("repo", ()):
        if repository["status"]["code"] == _OTHER:
            return Info([], {}, repository["status"]["message"])
        if repository["status"]["code"] in _NO_STANZA:
            return Info([], {}, bare=True)
    clusters = {each["id"]: each for each in stanza["db"]}
    systems = {f"{each['version']}-{number}": str(each["system-id"]) for number, each in clusters.items()}
    last = clusters[max(clusters)] if clusters else None
    present = (str(last["system-id"]), str(last["version"])) if last else None
    backups = [_backup(each, clusters[each["database"]["id"]]) for each in stanza["backup"]]
    return Info(
        backups,
        systems,
        "",
        present,
        {each["label"]: each["info"]["size"] for each in stanza["backup"]},
        {each["label"]: _sums(each.get("annotation") or {}) for each in stanza["backup"]},
        {each["label"]: _archive(each, clusters) for each in stanza["backup"]},
    )


def _archive(found: Mapping[str, Any], clusters: Mapping[int, Mapping[str, Any]]) -> str:
    number = found["database"]["id"]
    return f"{clusters[number]['version']}-{number}"


def _sums(notes: Mapping[str, str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in notes.get(SUMS, "").split())


def spelled_sums(sums: Mapping[str, str]) -> str:
    """As an annotation says it."""
    return " ".join(f"{name}={digest}" for name, digest in sorted(sums.items()))


def notes(backup: Backup) -> Mapping[str, str]:
    """What is known of a backup besides its bytes, by the names of annotations; an empty one is to be removed."""
    return {
        DAMAGED: "" if backup.status is Status.OK else "yes",
        KEPT: backup.kept,
        _DRILLED: spelled(backup.drilled_at) if backup.drilled_at else "",
        _RTO: _number(backup.rto_seconds),
        _RPO: _number(backup.rpo_seconds),
        _FAILED: backup.drill_failed,
        _TRIED: spelled(backup.drill_tried_at) if backup.drill_tried_at else "",
        _FAILING: backup.drill_failing,
    }


def _number(seconds: float | None) -> str:
    return "" if seconds is None else str(seconds)


def _stated(notes: Mapping[str, str], name: str) -> float | None:
    return float(notes[name]) if name in notes else None


def read_listing(text: str) -> dict[str, Listed]:
    """The archives of a stanza by their ids, of what `repo-ls --recurse --output=json` printed. Raises ValueError."""
    found: dict[str, list[_Entry]] = {}
    for path, entry in json.loads(text).items():
        match = _FILE.fullmatch(path)
        if match and entry["type"] == "file":
            found.setdefault(match["archive"], []).append(
                _Entry(match["name"], match["sum"] or "", path, entry["size"], entry.get("time", 0))
            )
    return {archive: _listed(files) for archive, files in found.items()}


def _listed(files: Sequence[_Entry]) -> Listed:
    return Listed(
        {segment: file.size for file in files if (segment := parse_segment(file.name))},
        {timeline: file.path for file in files if (timeline := history_of(file.name)) is not None},
        len(files),
        sum(file.size for file in files),
        max(file.time for file in files),
        [(file.name, file.sum) for file in files if file.sum],
        {segment: file.path for file in files if (segment := parse_segment(file.name))},
    )


def _backup(found: Mapping[str, Any], cluster: Mapping[str, Any]) -> Backup:
    notes = found.get("annotation") or {}
    damaged = found.get("error") or DAMAGED in notes
    start = found["archive"]["start"]
    return Backup(
        id=found["label"],
        kind=_KINDS[found["type"]],
        engine="pgbackrest",
        started_at=_moment(found["timestamp"]["start"]),
        finished_at=_moment(found["timestamp"]["stop"]),
        bytes=found["info"]["repository"]["delta"],
        postgres=int(cluster["version"].split(".")[0]),
        system=str(cluster["system-id"]),
        checksums="",
        timeline=int(start[:8], 16) if start else None,
        wal_start=lsn(found["lsn"]["start"]) if found.get("lsn") else None,
        wal_stop=lsn(found["lsn"]["stop"]) if found.get("lsn") else None,
        parent=found["prior"],
        status=Status.DAMAGED if damaged else Status.OK,
        verified_at=_noted_moment(notes, VERIFIED),
        drilled_at=_noted_moment(notes, _DRILLED),
        kept=notes.get(KEPT, ""),
        rto_seconds=_stated(notes, _RTO),
        rpo_seconds=_stated(notes, _RPO),
        drill_failed=notes.get(_FAILED, ""),
        drill_tried_at=_noted_moment(notes, _TRIED),
        drill_failing=notes.get(_FAILING, ""),
    )


def _noted_moment(notes: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(notes[name]) if name in notes else None


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
