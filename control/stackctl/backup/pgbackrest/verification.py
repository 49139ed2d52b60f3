"""What verification finds in a repository of pgBackRest, and what is noted of each backup then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from stackctl.backup.model import Backup, spelled
from stackctl.backup.pgbackrest.catalogue import Looked, look
from stackctl.backup.pgbackrest.info import DAMAGED, SUMS, VERIFIED, spelled_sums
from stackctl.backup.pgbackrest.reading import in_need, read_back, read_everything
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.pgbackrest.verify import INVALID
from stackctl.backup.verify import Finding, Unread
from stackctl.engine.base import Programs

_MANIFEST = "backup.manifest"


def read(tool: Tool, programs: Programs, chosen: Sequence[Backup], *, everything: bool) -> Looked:
    """Read what pgBackRest reads, then what it passes over; say of each chosen backup what it lacks by that."""
    # Its own list, as WAL comes and goes.
    stored = StanzaStored(tool)
    if everything:
        found = read_everything(tool, programs, stored)
    else:
        found = [each for backup in chosen for each in read_back(tool, programs, backup)]
    looked = look(tool, programs, stored.files(), chosen, everything=everything)
    found = [*_without_echoes(found, looked.found), *looked.found]
    for backup in chosen:
        there = frozenset(segment.name for segment in stored.archive(backup.system).segments())
        found += in_need(backup, found, there)
    return Looked(list(dict.fromkeys(found)), looked.sums)


def _without_echoes(found: Sequence[Finding], looked: Sequence[Finding]) -> list[Finding]:
    """Where it could read neither manifest of a backup, it calls that invalid, which says no more."""
    lost = Counter(each.what for each in looked if isinstance(each, Unread) and each.reason.startswith(_MANIFEST))
    return [each for each in found if not (each.reason == INVALID and lost[each.what] == 2)]


def to_note(chosen: Sequence[Backup], looked: Looked, moment: datetime) -> Mapping[str, Mapping[str, str]]:
    """What is to be noted of backups, by their ids; nothing of one that could not be read."""
    unread = {finding.what for finding in looked.found if isinstance(finding, Unread)}
    bad = {finding.what for finding in looked.found if not isinstance(finding, Unread)}
    # Where it was WAL, or a list, the times would say that everything was verified.
    done = unread <= {backup.id for backup in chosen}
    marks: dict[str, Mapping[str, str]] = {}
    for backup in chosen:
        if backup.id in unread - bad:
            # Nobody knows; a disk or a mount that comes back may have all of it.
            continue
        # What only a drill can find is not healed by bytes that are as they were written.
        damaged = backup.id in bad or backup.drill_failed
        verified = {VERIFIED: spelled(moment)} if done or backup.id in bad else {}
        sums = spelled_sums(looked.sums[backup.id])
        marks[backup.id] = {**verified, DAMAGED: "yes" if damaged else "", SUMS: sums}
    return marks
