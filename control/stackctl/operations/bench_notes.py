"""What there is to say beside the numbers of a bench: what was left out, traded, cut short, or went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.bench.contenders import STOCK, Contender
from stackctl.bench.pairing import Measured
from stackctl.bench.slices import Slice
from stackctl.bench.statistics import LEAST_ROUNDS
from stackctl.errors import Problem
from stackctl.operations.bench_report import Run


def notes_of(run: Run, warnings: Sequence[Problem]) -> list[Problem]:
    """The warnings of a run, behind those that there were before it."""
    return [
        # Throwaway servers have no monitoring, whatever a stack would lack here.
        *(each for each in warnings if each.code != "service_missing"),
        *(problem for each in run.compared for problem in (*_left_out(each.contender), *_traded(each.contender))),
        *(problem for each in run.compared for found in each.measured for problem in _undone(each.contender, found)),
        *_few(run),
        *_cut(run),
    ]


def _left_out(contender: Contender) -> list[Problem]:
    return [
        Problem("left_out", f"{contender.name}: {name} was left out: {reason}", "another build of the server has it")
        for name, reason in contender.left_out.items()
    ]


def _traded(contender: Contender) -> list[Problem]:
    if not contender.traded:
        return []
    said = f"{contender.name} may lose or tear commits in a crash, by {', '.join(contender.traded)} = off"
    return [Problem("durability_traded", f"{said}: its speed is not counted", "measure it with them on")]


def _undone(contender: Contender, found: Measured) -> Iterator[Problem]:
    """What a side failed to do, or had no connection for: a rate counts neither."""
    for side, slices in ((STOCK, found.theirs), (contender.name, found.ours)):
        yield from _undone_by(f"{contender.name}: {found.workload.name}", side, slices)


def _undone_by(what: str, side: str, slices: Sequence[Slice]) -> Iterator[Problem]:
    failed, refused = sum(each.failed for each in slices), sum(each.refused for each in slices)
    tried = failed + sum(each.transactions for each in slices)
    if failed:
        said = f"{what}: {failed} of {tried} transactions failed on {side}"
        yield Problem("work_failed", said, "its rate counts what was done")
    if refused:
        said = f"{what}: {refused} of {tried + refused} times {side} had no connection for a client"
        yield Problem("work_refused", said, "who is refused tries again: its latency has that in it")


def _cut(run: Run) -> list[Problem]:
    """Workloads whose time was over before their rounds, or the checkpoints that they wait for.

    What broke others off was told where it did.
    """
    return [
        Problem("cut", f"{found.contender.name}: {said}", "what was measured until then counts")
        for found in run.compared
        for each in found.measured
        if (said := each.cut) and not each.ended
    ]


def _few(run: Run) -> list[Problem]:
    """Workloads with too few rounds for a verdict, by why they have no more."""
    hints: dict[str, set[str]] = {}
    for each in (each for found in run.compared for each in found.measured if len(each.ours) < LEAST_ROUNDS):
        hints.setdefault(_more(each), set()).add(each.workload.name)
    few = f"fewer than {LEAST_ROUNDS} rounds tell nothing from noise"
    return [Problem("few_rounds", f"{', '.join(sorted(names))}: {few}", hint) for hint, names in hints.items()]


def _more(found: Measured) -> str:
    if found.ended:
        return "what broke it off is told beside"
    if found.workload.rounds < LEAST_ROUNDS:
        return f"--rounds {LEAST_ROUNDS} or more"
    return "smaller tables take less time"
