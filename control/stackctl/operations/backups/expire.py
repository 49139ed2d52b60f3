"""`stackctl backup expire` and `backup keep`: which backups stay, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from stackctl.backup.archive import Archive, Archived
from stackctl.backup.model import Backup
from stackctl.backup.repository import Repository, Unreadable
from stackctl.backup.retention import Policy, Retention, retain
from stackctl.backup.wal_retention import unneeded
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, StackError, UsageError
from stackctl.operations.archives import known_histories
from stackctl.operations.backup import Opened, backup_data, find, open_backups, working
from stackctl.operations.restoring.present import present_data
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.settings.backup import BackupSettings
from stackctl.units import Bytes, counted, human

_LONGEST_REASON = 200


@dataclass(frozen=True)
class Verdict:
    """What stays and what may go: backups, and WAL that none of those that stay needs."""

    retention: Retention
    wal: Sequence[Archived]

    @property
    def bytes(self) -> Bytes:
        """What goes with it."""
        return Bytes(sum(each.bytes for each in self.retention.expired) + sum(file.size for file in self.wal))


def policy_of(settings: BackupSettings) -> Policy:
    """The policy that the project file states."""
    return Policy(settings.window, settings.redundancy, settings.minimum, settings.weekly, settings.monthly)


def judge(repository: Repository, settings: BackupSettings, cluster: str | None = None) -> Verdict:
    """Apply the policy to what is there now, of one `cluster`, or of each by itself where that is not known.

    While a backup cannot be read, no WAL goes: it may need it.
    """
    entries = repository.entries()
    backups = [entry for entry in entries if isinstance(entry, Backup)]
    mine = [backup for backup in backups if cluster in (None, backup.system)]
    histories = {system: known_histories(repository.archive(system)) for system in repository.systems()}
    verdict = retain(mine, policy_of(settings), datetime.now(UTC), histories=histories)
    kept = [backup for backup in mine if backup.id in verdict.reasons]
    others = {each.id: f"of another cluster ({each.system})" for each in backups if cluster not in (None, each.system)}
    verdict = replace(verdict, reasons={**verdict.reasons, **others})
    if len(backups) < len(entries) or not repository.wal_folder.is_dir():
        return Verdict(verdict, [])
    archives = [Archive(folder) for folder in sorted(repository.wal_folder.iterdir()) if folder.is_dir()]
    mine_too = [each for each in archives if cluster in (None, each.folder.name)]
    return Verdict(verdict, [file for each in mine_too for file in unneeded(each.files(), kept, each.folder.name)])


def own_cluster(opened: Opened) -> str | None:
    """Of which cluster the stack's data is, None where nobody can tell."""
    state = opened.recorded.state
    try:
        return present_data(opened.engine, state.generations.current).system if state else None
    except StackError:
        return None


def expire_command(request: Request, runner: Runner, note: Note, *, apply: bool, cluster: str | None = None) -> Result:
    """Show what the policy lets go, and why the others stay; with `apply`, delete it.

    Of the stack's own cluster, where that is known, or of `cluster`: another may belong to a project whose policy is
    another, or be all that is left of data that was lost.
    """
    opened = open_backups(request, runner)
    repository = opened.repository
    if cluster:
        _refuse_unknown(repository, cluster)
    wanted = cluster or own_cluster(opened)
    if not apply:
        verdict = judge(repository, opened.settings, wanted)
    else:
        with working(opened, "stackctl backup expire", note):
            verdict = judge(repository, opened.settings, wanted)
            _delete(repository, verdict)
    data = {
        "applied": apply,
        "expired": [{"id": backup.id, "bytes": backup.bytes} for backup in verdict.retention.expired],
        "kept": [{"id": identifier, "reason": reason} for identifier, reason in verdict.retention.reasons.items()],
        "wal": {"files": len(verdict.wal), "bytes": sum(file.size for file in verdict.wal)},
        "bytes": verdict.bytes,
    }
    warnings = (*opened.recorded.warnings, *_unreadable(repository))
    return Result(data, _blocks(verdict, applied=apply), warnings)


def keep_command(request: Request, runner: Runner, note: Note, identifier: str, reason: str | None) -> Result:
    """Keep a backup whatever the policy says, for a reason; without one, let go of it again."""
    if reason is not None and (not reason.strip() or not reason.isprintable() or len(reason) > _LONGEST_REASON):
        raise UsageError("--reason must be one line of text", hint="--reason 'state before the merger'")
    opened = open_backups(request, runner)
    with working(opened, "stackctl backup keep", note):
        backup = replace(find(opened.repository, identifier), kept=(reason or "").strip())
        opened.repository.update(backup)
    said = f"{identifier} is kept: {backup.kept}" if backup.kept else f"{identifier} follows the policy again"
    return Result(backup_data(opened.repository, backup), [Line(said, "good")], opened.recorded.warnings)


def _refuse_unknown(repository: Repository, cluster: str) -> None:
    if cluster not in {*repository.systems(), *(backup.system for backup in repository.backups())}:
        raise UsageError(f"no backup is of cluster {cluster}", hint="stackctl backup show ID says of which it is")


def _delete(repository: Repository, verdict: Verdict) -> None:
    # The youngest first: what is built on another one never outlives it, wherever this ends.
    for backup in reversed(verdict.retention.expired):
        repository.remove(backup.id)
    for folder in {file.path.parent for file in verdict.wal}:
        Archive(folder).remove(file for file in verdict.wal if file.path.parent == folder)


def _blocks(verdict: Verdict, *, applied: bool) -> list[Block]:
    going = [[backup.id, "deleted" if applied else "would go", ""] for backup in verdict.retention.expired]
    staying = [[identifier, "stays", reason] for identifier, reason in verdict.retention.reasons.items()]
    if not going and not staying and not verdict.wal:
        return [Line("no backups yet: stackctl backup")]
    table = Table(["backup", "verdict", "reason"], sorted([*going, *staying]))
    wal = f" and {counted(len(verdict.wal), 'file')} of WAL" if verdict.wal else ""
    many = f"{counted(len(going), 'backup')}{wal}, {human(verdict.bytes)}"
    if not going and not wal:
        return [table, Line("nothing to delete", "good")]
    return [table, Line(f"deleted {many}" if applied else f"stackctl backup expire --apply deletes {many}")]


def _unreadable(repository: Repository) -> list[Problem]:
    hint = "it is left alone, and so is all WAL; stackctl backup verify"
    return [
        Problem("unreadable", f"{entry.id}: {entry.reason}", hint)
        for entry in repository.entries()
        if isinstance(entry, Unreadable)
    ]
