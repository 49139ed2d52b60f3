"""Lets pgBackRest read what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.backup.gaps import own_segments
from stackctl.backup.model import Backup
from stackctl.backup.pgbackrest.faults import cut_short, first_words, number, outage, unread_error
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.pgbackrest.verify import WHOLE, findings, report, unread
from stackctl.backup.verify import Finding, Unread
from stackctl.backup.verify import unread as unread_file
from stackctl.engine.base import Programs
from stackctl.engine.runner import Completed
from stackctl.errors import Locked


def read_back(tool: Tool, programs: Programs, backup: Backup) -> list[Finding]:
    """What is wrong with one backup and the WAL of its time. Raises StackError where the store does not answer."""
    done = _verify(tool, programs, f"--set={backup.id}")
    if not _stopped(tool, done):
        return _found(tool, done, [backup])
    # It reads the first segment for what it must know of all others.
    first = min(own_segments(backup), key=lambda each: each.number, default=None)
    named = [_stop(done, first.name, f"cannot be read: {_why(done)}")] if first else []
    return [*named, _stop(done, backup.id, f"pgbackrest reads none of it: {_why(done)}")]


def read_everything(tool: Tool, programs: Programs, stored: StanzaStored) -> list[Finding]:
    """What is wrong with all backups and all WAL. Raises StackError where the store does not answer.

    Where the first segment of an archive is damaged, pgBackRest reads nothing at all: then the backups are read one by
    one, each with the WAL of its time.
    """
    before = stored.backups()
    done = _verify(tool, programs)
    if not _stopped(tool, done):
        # Another machine may have taken one meanwhile, or let one go.
        there = {backup.id for backup in StanzaStored(tool).backups()}
        return _found(tool, done, [backup for backup in before if backup.id in there])
    firsts = [min(names) for names in stored.names().values() if names]
    what = firsts[0] if len(firsts) == 1 else WHOLE
    where = "" if len(firsts) == 1 else f", the first segment of an archive, which is one of {', '.join(firsts)}"
    why = f"cannot be read{where}, so that only WAL which backups need was read: {_why(done)}"
    return [_stop(done, what, why)] + [
        each for backup in stored.backups() for each in read_back(tool, programs, backup)
    ]


def in_need(backup: Backup, found: Sequence[Finding], there: frozenset[str]) -> list[Finding]:
    """What is wrong with a backup as it needs WAL that is damaged, was not read, or is not among what is `there`."""
    bad = {each.what for each in found if not isinstance(each, Unread)}
    unread_names = {each.what for each in found if isinstance(each, Unread)} - bad
    own = sorted(segment.name for segment in own_segments(backup))
    needs = [Finding(backup.id, f"it needs {name}, which is damaged") for name in own if name in bad]
    needs += [Unread(backup.id, f"it needs {name}, which cannot be read") for name in own if name in unread_names]
    return needs + [Finding(backup.id, f"it needs {name}, which is missing") for name in own if name not in there]


def _verify(tool: Tool, programs: Programs, *options: str) -> Completed:
    done = tool.tried(programs, "verify", "--output=text", "--verbose", "--log-level-console=info", *options)
    if ended := cut_short(done.returncode, done.stdout + done.stderr):
        raise ended
    for _, code, said in unread(done.stdout):
        if not unread_error(code, said) and (error := outage(code, said, tool.where)):
            raise error
    return done


def _found(tool: Tool, done: Completed, expected: Sequence[Backup]) -> list[Finding]:
    found = findings(done.stdout, [backup.id for backup in expected])
    if any(each.what == WHOLE for each in found):
        # It says so too where the store just went away.
        StanzaStored(tool).entries()
    return found


def _stopped(tool: Tool, done: Completed) -> bool:
    """Whether damage stopped it, or a file that cannot be read; raises StackError where anything else did."""
    if report(done.stdout):
        return False
    error, code = tool.refused(done), number(done.stdout + done.stderr)
    away = code is not None and not unread_error(code, _why(done)) and outage(code, _why(done), tool.where)
    if isinstance(error, Locked) or away:
        raise error
    # A header that is wrong can end it in many ways. What is no damage ends this too.
    StanzaStored(tool).entries()
    return True


def _stop(done: Completed, what: str, reason: str) -> Finding:
    """What it stopped at, which is no verdict where the system could not read a file."""
    error = unread_error(number(done.stdout + done.stderr) or 0, _why(done))
    return replace(unread_file(what, error), reason=reason) if error else Finding(what, reason)


def _why(done: Completed) -> str:
    return first_words(done.stdout + done.stderr)
