"""Follows labels through an expression of PromQL: which it may ask for, and which its result has.

Prometheus takes any name of a series or label, and answers nothing. So every name is compared with the inventories of
what the exporters really have (tests/alerts/inventory, made by tools/metric_inventory.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as promql

TARGET = frozenset({"job", "instance"})
_COUNTING = {"rate", "irate", "increase", "resets"}
_SLOPES = {"delta", "idelta", "deriv", "predict_linear", "avg_over_time"}
_KEEPING = {"topk", "bottomk", "limitk"}
_SETS = {"and", "unless"}


class Wrong(Exception):
    """An expression asks for what is not there, or for what cannot match."""


class Unknown(Wrong):
    """A series that no program in this combination has."""


@dataclass(frozen=True)
class Vector:
    """Labels of a result; `kind` is the type of the series while it is still one."""

    labels: frozenset[str]
    kind: str = ""


Known = Mapping[str, Vector]


def result(text: str, known: Known) -> frozenset[str]:
    """Labels of what an expression gives. Raises Wrong, and Unknown where a series is not known."""
    vector = _of(promql.parse(text), known)
    return vector.labels if vector else frozenset()


def selected(text: str) -> set[str]:
    """Names of all series that an expression asks for."""
    found: set[str] = set()
    _collect(promql.parse(text), found)
    return found


def _collect(node: Any, found: set[str]) -> None:
    if isinstance(node, promql.VectorSelector):
        found.add(str(node.name))
        return
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, (str, int)):
            _collect(child, found)
    for child in getattr(node, "args", None) or []:
        _collect(child, found)


def _of(node: Any, known: Known) -> Vector | None:
    """The vector that a part gives; None for a number."""
    if isinstance(node, (promql.NumberLiteral, promql.StringLiteral)):
        return None
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        return _of(node.expr, known)
    if isinstance(node, promql.MatrixSelector):
        return _selector(node.vector_selector, known)
    if isinstance(node, promql.VectorSelector):
        return _selector(node, known)
    if isinstance(node, promql.AggregateExpr):
        return _aggregate(node, known)
    if isinstance(node, promql.Call):
        return _call(node, known)
    return _binary(node, known)


def _selector(node: Any, known: Known) -> Vector:
    if node.name not in known:
        raise Unknown(f"no series {node.name}")
    vector = known[node.name]
    _within({each.name for each in node.matchers.matchers}, vector, f"series {node.name}")
    return vector


def _within(labels: set[str], vector: Vector, where: str) -> None:
    if missing := labels - vector.labels - TARGET:
        raise Wrong(f"{where} has no label {', '.join(sorted(missing))}")


def _aggregate(node: Any, known: Known) -> Vector:
    inner = _of(node.expr, known)
    if inner is None:
        raise Wrong(f"{node.op} of a number")
    if node.modifier is None:
        return Vector(inner.labels) if str(node.op) in _KEEPING else Vector(frozenset())
    labels = set(node.modifier.labels)
    if missing := labels - inner.labels:
        raise Wrong(f"{node.op} over {', '.join(sorted(missing))}, which is not there")
    if str(node.op) in _KEEPING:
        return Vector(inner.labels)
    by = node.modifier.type == promql.AggModifierType.By
    return Vector(frozenset(labels) if by else inner.labels - labels)


def _call(node: Any, known: Known) -> Vector | None:
    name = node.func.name
    vectors = [vector for vector in (_of(arg, known) for arg in node.args) if vector]
    if name in ("time", "scalar"):
        return None
    if name in ("absent", "absent_over_time"):
        return Vector(
            frozenset({each.name for each in node.args[0].matchers.matchers if each.op == promql.MatchOp.Equal})
        )
    if not vectors:
        return Vector(frozenset())
    (inner,) = vectors
    if name in _COUNTING and inner.kind not in ("counter", "histogram", "summary", "untyped"):
        raise Wrong(f"{name} of a {inner.kind or 'computed value'}")
    if name in _SLOPES and inner.kind in ("counter", "histogram"):
        raise Wrong(f"{name} of a {inner.kind}")
    if name == "histogram_quantile":
        if "le" not in inner.labels:
            raise Wrong("histogram_quantile without the label le")
        return Vector(inner.labels - {"le"})
    added = {str(node.args[1].val)} if name in ("label_replace", "label_join") else set()
    return Vector(inner.labels | added)


def _binary(node: Any, known: Known) -> Vector | None:
    op = str(node.op)
    if op == "or":
        return _either(node, known)
    left, right = _of(node.lhs, known), _of(node.rhs, known)
    if left is None or right is None:
        vector = left or right
        return vector and Vector(vector.labels)
    matched = _matched(node.modifier, left, right, op)
    card = node.modifier.card if node.modifier else None
    if op in _SETS:
        return Vector(left.labels)
    if card in (promql.VectorMatchCardinality.ManyToOne, promql.VectorMatchCardinality.OneToMany):
        many, one = (left, right) if card == promql.VectorMatchCardinality.ManyToOne else (right, left)
        included = set(node.modifier.group_labels or ())
        _within(included, one, "the one side")
        return Vector(many.labels | included)
    return Vector(matched)


def _matched(modifier: Any, left: Vector, right: Vector, op: str) -> frozenset[str]:
    """Labels by which two sides are matched."""
    matching = modifier.matching if modifier else None
    if matching is None:
        if left.labels != right.labels:
            raise Wrong(f"the sides of {op} differ by {', '.join(sorted(left.labels ^ right.labels))}: nothing matches")
        return left.labels
    labels = frozenset(matching.labels)
    if matching.type == promql.LabelModifierType.Include:
        for side in (left, right):
            if missing := labels - side.labels:
                raise Wrong(f"{op} on {', '.join(sorted(missing))}, which a side does not have")
        return labels
    if left.labels - labels != right.labels - labels:
        raise Wrong(f"the sides of {op} differ")
    return left.labels - labels


def _either(node: Any, known: Known) -> Vector:
    """One branch may be of another version of a program; both may not."""
    found: list[Vector] = []
    unknown: list[Unknown] = []
    for side in (node.lhs, node.rhs):
        try:
            vector = _of(side, known)
        except Unknown as error:
            unknown.append(error)
        else:
            found += [vector] if vector else []
    if not found:
        raise unknown[0]
    return Vector(frozenset().union(*(each.labels for each in found)))
