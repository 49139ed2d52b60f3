"""Ten questions, and how a server would answer each: what a configuration changes in its plans."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackctl import assets
from stackctl.bench.instance import Instance

_QUESTION = re.compile(r"^-- (.+)\n((?:(?!--).+\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Planned:
    """What is asked, and the plan of either side: operations from the outermost to the innermost."""

    question: str
    ours: str
    theirs: str


def questions() -> Mapping[str, str]:
    """Statements by what they ask."""
    return {asked: sql.strip().rstrip(";") for asked, sql in _QUESTION.findall(assets.read("config/bench/plans.sql"))}


def compared(ours: Instance, theirs: Instance) -> list[Planned]:
    """The plans of both servers, whose tables are the same."""
    return [Planned(asked, _plan(ours, sql), _plan(theirs, sql)) for asked, sql in questions().items()]


def _plan(instance: Instance, sql: str) -> str:
    return spelled(json.loads(instance.session(f"EXPLAIN (FORMAT JSON, COSTS OFF) {sql}"))[0]["Plan"])


def spelled(plan: Mapping[str, Any]) -> str:
    """A plan in one line: `Gather (2) > Hash Join (Seq Scan pgbench_accounts, Hash > Seq Scan pgbench_branches)`."""
    inner = [spelled(each) for each in plan.get("Plans", ())]
    kind = f"{'Parallel ' if plan.get('Parallel Aware') else ''}{plan['Node Type']}"
    strategy = {"Hashed": " hashed", "Sorted": " sorted"}.get(plan.get("Strategy", ""), "")
    place = f" {plan['Relation Name']}" if "Relation Name" in plan else ""
    workers = f" ({plan['Workers Planned']})" if "Workers Planned" in plan else ""
    head = f"{kind}{strategy}{place}{workers}"
    if not inner:
        return head
    return f"{head} > {inner[0]}" if len(inner) == 1 else f"{head} ({', '.join(inner)})"
