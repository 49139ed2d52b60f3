"""Checks of the configuration: what waits, what was set beside the profile, what was refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.health.drift import ALTER_SYSTEM, Drift, Pending
from stackctl.health.model import Check, Facts, Status

_PLAN = "stackctl plan shows the difference"


def judge_settings(facts: Facts) -> tuple[Check, ...]:
    """What the server's settings say about the stack."""
    return (
        _pending(facts.pending_restart),
        _refused(facts),
        _alter_system([each for each in facts.drift if each.source == ALTER_SYSTEM]),
        _memory(facts.drift),
        _drift(facts),
    )


def told(drift: Drift) -> str:
    """One value beside the profile, in a few words."""
    aim = "as the profile" if drift.as_profile else f"wanted {quoted(drift.wanted)}"
    waits = f", waits for a {drift.waits}" if drift.waits else ""
    danger = f": {drift.danger}" if drift.danger else ""
    return f"{drift.name} = {quoted(drift.value)} ({aim}{waits}{danger})"


def quoted(value: str) -> str:
    """A value that can be seen, also where it is empty."""
    return value or "''"


def _pending(found: Sequence[Pending]) -> Check:
    if not found:
        return Check("pending_restart", Status.OK, "none")
    shown = ", ".join(
        f"{each.name} {each.old} -> {each.new} ({ALTER_SYSTEM if each.by_alter_system else 'postgresql.conf'})"
        for each in found
    )
    ours = any(not each.by_alter_system for each in found)
    hint = "stackctl up restarts for what it wrote" if ours else "stackctl down and up bring it into force"
    if any(each.by_alter_system for each in found):
        hint += "; ALTER SYSTEM RESET NAME and a reload take it back"
    return Check("pending_restart", Status.WARN, f"can only change at a restart: {shown}", hint)


def _refused(facts: Facts) -> Check:
    if not facts.refused:
        return Check("refused_lines", Status.OK, "none")
    lines = ", ".join(f"{line.file}:{line.number} {line.name} = {line.value}: {line.error}" for line in facts.refused)
    return Check(
        "refused_lines", Status.WARN, lines, "correct them: the server keeps the old values, and may not start again"
    )


def _alter_system(found: Sequence[Drift]) -> Check:
    if not found:
        return Check("alter_system", Status.OK, "none")
    shown = ", ".join(told(each) for each in sorted(found, key=lambda each: not each.danger))
    if all(each.as_profile for each in found):
        return Check("alter_system", Status.OK, f"{shown}: wins over later changes")
    if any(each.danger for each in found):
        return Check("alter_system", Status.FAIL, shown, "stackctl plan shows how to take each back")
    return Check("alter_system", Status.WARN, shown, "stackctl plan shows how to take each back; pin what is to stay")


def _memory(drift: Sequence[Drift]) -> Check:
    above = [each for each in drift if each.above_proof]
    if not above:
        return Check("memory_proof", Status.OK, "nothing set beside the profile takes more memory")
    return Check(
        "memory_proof",
        Status.WARN,
        beyond_proof(above),
        "take it back, or pin it in stackctl.yaml: then the proof counts it, and refuses what does not fit",
    )


def beyond_proof(above: Sequence[Drift]) -> str:
    """The sentence for values that the memory proof did not count."""
    values = ", ".join(f"{each.name} = {each.value} set by {each.source}" for each in above)
    return f"the memory proof does not hold with {values}"


def _drift(facts: Facts) -> Check:
    if facts.drift_unknown:
        return Check("drift", Status.SKIP, f"not compared: {facts.drift_unknown}")
    beside = [f"{told(each)} by {each.source}" for each in facts.drift if each.source != ALTER_SYSTEM]
    found = [*facts.drifted, *beside]
    if not found:
        return Check("drift", Status.OK, "none")
    return Check("drift", Status.WARN, f"{', '.join(found)}: not as the profile says", _PLAN)
