"""How drift is told: as data, as tables, as warnings. `up` leaves all of it as it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stackctl.errors import Problem
from stackctl.health.configuration import beyond_proof, quoted, told
from stackctl.health.drift import ALTER_SYSTEM, RELOAD, RESTART, Drift
from stackctl.operations.changes import Changes, reload_needed
from stackctl.operations.result import Block, Line, Table

_TAKE_BACK = "stackctl plan shows how to take each back; pin in stackctl.yaml what is to stay"


def drift_data(drift: Sequence[Drift]) -> list[dict[str, Any]]:
    """What `--json` prints."""
    return [
        {
            "name": each.name,
            "value": each.value,
            "wanted": each.wanted,
            "source": each.source,
            "action": each.action,
            "fix": each.fix,
            "waits": each.waits,
            "hides_change": each.hides,
            "above_proof": each.above_proof,
        }
        for each in drift
    ]


def drift_blocks(changes: Changes) -> list[Block]:
    """What a person reads: values with the line for psql that takes each back."""
    by_system = [each for each in changes.drift if each.source == ALTER_SYSTEM]
    others = [each for each in changes.drift if each.source != ALTER_SYSTEM]
    out: list[Block] = []
    if by_system:
        rows = [[each.name, quoted(each.value), quoted(each.wanted), _state(each), each.fix] for each in by_system]
        columns = ["parameter", "set to", "profile", "state", "line for psql that takes it back"]
        out.append(Table(columns, rows, "Set by ALTER SYSTEM, left as it is"))
    if others:
        rows = [[each.name, quoted(each.value), quoted(each.wanted), each.source, each.fix] for each in others]
        out.append(Table(["parameter", "set to", "profile", "by", "to take it back"], rows, "Set elsewhere"))
    if changes.refused:
        rows = [[f"{line.file}:{line.number}", f"{line.name} = {line.value}", line.error] for line in changes.refused]
        out.append(Table(["where", "line", "error"], rows, "Refused by the server"))
    return out


def mild_lines(changes: Changes) -> list[Block]:
    """Values that are as the profile says, and will not be once it changes."""
    names = [each.name for each in changes.drift if each.as_profile]
    if not names:
        return []
    return [Line(f"Also set beside the profile, which will win over later changes: {', '.join(names)}", "dim")]


def drift_warnings(changes: Changes, *, done: bool = False) -> Iterator[Problem]:
    """What must not be overlooked, of a plan or, with `done`, of what is left after it was applied."""
    by_system = [each for each in changes.drift if each.source == ALTER_SYSTEM and not each.as_profile]
    others = [each for each in changes.drift if each.source != ALTER_SYSTEM and not each.as_profile]
    if by_system:
        yield Problem("alter_system", f"set by ALTER SYSTEM, left as it is: {_all(by_system)}", _TAKE_BACK)
    if hidden := [each for each in changes.drift if each.hides]:
        values = ", ".join(f"{each.name} = {quoted(each.wanted)}" for each in hidden)
        yield Problem("alter_system", f"no effect until ALTER SYSTEM RESET: {values}", hidden[0].fix)
    yield from _not_yet(changes) if done else _by_the_way(changes)
    if above := [each for each in changes.drift if each.above_proof]:
        yield Problem("memory_proof", beyond_proof(above), "take it back, or pin it: then the proof counts it")
    if others:
        values = ", ".join(f"{told(each)} by {each.source}" for each in others)
        yield Problem("drift", f"set beside the profile: {values}", _TAKE_BACK)
    if changes.refused:
        lines = "; ".join(f"{line.name} = {line.value}: {line.error}" for line in changes.refused)
        yield Problem("refused_line", f"PostgreSQL refuses {lines}", "correct it: PostgreSQL may not start again")


def _by_the_way(changes: Changes) -> Iterator[Problem]:
    """What waits by ALTER SYSTEM, and comes into force when the server is restarted or reloaded for another reason."""
    restart = "postgres" in changes.services
    kinds = {RESTART, RELOAD} if restart else {RELOAD} if reload_needed(changes) else set()
    if taken := [each for each in changes.drift if each.waits in kinds]:
        verb = "restart" if restart else "reload"
        values = ", ".join(f"{each.name} = {each.value}" for each in taken)
        hint = "ALTER SYSTEM RESET first what must not come into force"
        yield Problem("alter_system", f"the {verb} also brings into force: {values} (set by ALTER SYSTEM)", hint)


def _not_yet(changes: Changes) -> Iterator[Problem]:
    """What was written and still waits for a restart, by the server's own word."""
    if waiting := [each for each in changes.pending if not each.by_alter_system]:
        values = ", ".join(f"{each.name} {each.old} -> {each.new}" for each in waiting)
        yield Problem("pending_restart", f"waits for a restart of PostgreSQL: {values}", "stackctl down, stackctl up")


def _all(drift: Sequence[Drift]) -> str:
    return ", ".join(told(each) for each in drift)


def _state(drift: Drift) -> str:
    if drift.waits:
        return f"waits for a {drift.waits}"
    return "as the profile" if drift.as_profile else "in force"
