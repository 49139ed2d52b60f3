"""`stackctl wal`: how archiving goes, what the archive holds, and whether every byte of it is as it was archived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackctl.backup.verify import Finding, Unread
from stackctl.backup.windows import Window
from stackctl.engine.base import Engine, Note
from stackctl.engine.runner import Runner
from stackctl.errors import Damaged, Problem, StackError
from stackctl.health.archiving import ArchiveUse
from stackctl.health.model import Status
from stackctl.health.probes import ask_receiver, asked_archiver
from stackctl.health.receiver import judge_receiver
from stackctl.health.receiving import ReceiverUse
from stackctl.operations.archives import (
    Held,
    archive_data,
    found_code,
    found_data,
    found_problem,
    gap_problems,
    gap_warnings,
    held_archives,
)
from stackctl.operations.backup import Opened, open_backups, working
from stackctl.operations.candidates import candidates
from stackctl.operations.receiver import tail_data, tail_table
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.units import Bytes, counted, human


def status_command(request: Request, runner: Runner) -> Result:
    """Archive lag, backlog, gaps, and how far recovery reaches from each backup."""
    opened = open_backups(request, runner)
    use, silence = asked_archiver(opened.engine)
    held, windows, unread = _read(opened, use)
    receiver = _receiver(opened.engine) if use else None
    tails = tail_data(opened.backups.stored().tails())
    data = {
        "archiving": use.as_data() if use else None,
        "receiving": receiver.as_data() if receiver else None,
        "archives": [archive_data(each) for each in held],
        "tails": tails,
        "windows": [_window_data(window) for window in windows],
    }
    rows = [[each.backup, str(each.begin), str(each.end), each.gap.name if each.gap else "-"] for each in windows]
    recovery = [Table(["backup", "from", "to", "ends at gap"], rows, "Recovery")] if rows else []
    shown: list[Block] = [_line(use), *_received(receiver), *_tables(held), *tail_table(tails), *recovery]
    return Result(data, shown, (*opened.recorded.warnings, *silence, *unread, *gap_warnings(held)))


def _read(opened: Opened, use: ArchiveUse | None) -> tuple[list[Held], list[Window], list[Problem]]:
    """What is archived and how far it reaches; a store out of reach is no reason to say nothing of the server."""
    try:
        stored = opened.backups.stored()
        held, reached = held_archives(stored, use), candidates(stored, stored.backups())
    except Damaged:
        raise
    except StackError as error:
        return [], [], [Problem("repository", f"the archive was not read: {error}", error.hint)]
    return held, [each.window for each in reached if each.window], []


def _held(opened: Opened, use: ArchiveUse | None, findings: Sequence[Finding]) -> list[Held]:
    """The archives; none where one of them cannot be read, as the `findings` say."""
    try:
        return held_archives(opened.backups.stored(), use)
    except OSError:
        if not any(isinstance(each, Unread) for each in findings):
            raise
        return []


def verify_command(request: Request, runner: Runner, note: Note) -> Result:
    """Read every archived byte. Exit code 41 where one is not as it was archived, 43 where a segment is missing.

    It is 20 where something could not be read, which says nothing of its bytes.

    Raises Locked where a run that changes the repository is at work.
    """
    opened = open_backups(request, runner)
    use, silence = asked_archiver(opened.engine)
    # What expires meanwhile would be missed.
    with working(opened, "stackctl wal verify", note, shared=True):
        findings = opened.backups.verify_wal(note)
        held = _held(opened, use, findings)
    gaps = gap_problems(held)
    errors = [found_problem(finding) for finding in findings] + gaps
    data = {"archives": [archive_data(each) for each in held], **found_data(findings)}
    files = sum(row["files"] for row in data["archives"])
    shown: list[Block] = [Table(["problem"], [[each.message] for each in errors])]
    return Result(
        data,
        shown if errors else [Line(f"{files} archived files are as they were archived, without a gap.", "good")],
        (*opened.recorded.warnings, *silence),
        errors=errors,
        exit_code=found_code(findings, gaps),
    )


def _receiver(engine: Engine) -> ReceiverUse | None:
    """How the receiver keeps up, where there is one or commits wait for one."""
    try:
        use = ask_receiver(engine)
    except StackError:
        return None
    return use if use.slot is not None or use.synchronous else None


def _received(use: ReceiverUse | None) -> list[Block]:
    if use is None:
        return []
    check = judge_receiver(use)
    what = f"received up to {use.position}, " if use.position else "the receiver: "
    return [Line(what + check.evidence, "good" if check.status is Status.OK else "bad")]


def _line(use: ArchiveUse | None) -> Line:
    if use is None:
        return Line("The server does not answer; this is what the archive holds.", "bad")
    if use.seconds is None:
        return Line(f"Nothing archived yet, {counted(use.waiting, 'file')} waiting.", "bad" if use.failing else "plain")
    waiting, failed = counted(use.waiting, "file"), counted(use.failed, "attempt")
    last = f"{use.last} was archived {use.seconds:.0f} s ago, {waiting} waiting, {failed} failed"
    return Line(last, "bad" if use.failing else "good")


def _tables(held: Sequence[Held]) -> list[Block]:
    rows = []
    for each in held:
        row = archive_data(each)
        gaps = ", ".join(map(str, each.gaps)) or "none"
        rows.append([each.system, str(row["files"]), human(Bytes(row["bytes"])), str(row["last"] or "-"), gaps])
    return [Table(["cluster", "files", "on disk", "newest", "gaps"], rows, "Archive")] if rows else []


def _window_data(found: Window) -> dict[str, Any]:
    return {
        "backup": found.backup,
        "begin": str(found.begin),
        "end": str(found.end),
        "timeline": found.timeline,
        "gap": found.gap.name if found.gap else None,
    }
