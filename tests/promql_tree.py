"""Expressions of PromQL as trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

Node = Any
# Intervals that no dashboard writes, so that what stood there can be told.
RATE_INTERVAL, RANGE = "11m", "13m"
RATE_SECONDS, RANGE_SECONDS = 660, 780


def parsed(expression: str) -> Node:
    """The tree of a dashboard's expression; Grafana's intervals are times, its variables stay in the strings."""
    text = expression.replace("$__rate_interval", RATE_INTERVAL).replace("$__range", RANGE)
    return promql_parser.parse(text)


def children(node: Node) -> list[Node]:
    """The nodes right below."""
    if isinstance(node, BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, AggregateExpr):
        return [node.expr, *([node.param] if node.param is not None else [])]
    if isinstance(node, Call):
        return list(node.args)
    if isinstance(node, (ParenExpr, UnaryExpr, SubqueryExpr)):
        return [node.expr]
    if isinstance(node, MatrixSelector):
        return [node.vector_selector]
    return []


def walked(node: Node, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Each node with those above it, the nearest last."""
    yield node, above
    for child in children(node):
        yield from walked(child, (*above, node))


def selectors(node: Node) -> Iterator[tuple[VectorSelector, tuple[Node, ...]]]:
    """Each selector of series with the nodes above it."""
    for each, above in walked(node):
        if isinstance(each, VectorSelector):
            yield each, above


def matchers(selector: VectorSelector) -> list[tuple[str, str, str]]:
    """Label, operator and value of each matcher."""
    signs = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
    return [(m.name, signs[str(m.op)], m.value) for m in selector.matchers.matchers]


def bare(node: Node) -> Node:
    """Without the parentheses around it."""
    while isinstance(node, ParenExpr):
        node = node.expr
    return node


def sign(node: Node) -> str:
    """An operator as it is written; empty for what is none."""
    return str(node.op) if isinstance(node, (BinaryExpr, AggregateExpr)) else ""


def grouped(expression: str) -> set[str]:
    """All labels that the expression groups by."""
    return {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
