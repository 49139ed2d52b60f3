"""Plans in one line each, as EXPLAIN (FORMAT JSON, COSTS OFF) of PostgreSQL 17 wrote them."""

from __future__ import annotations

from stackctl.bench.plans import questions, spelled


def test_ten_questions_of_one_statement_each() -> None:
    found = questions()
    assert len(found) == 10
    assert all(sql.startswith("SELECT ") and ";" not in sql and "--" not in sql for sql in found.values())


def test_a_parallel_plan_names_its_workers_tables_and_strategy() -> None:
    scan = {"Node Type": "Seq Scan", "Parallel Aware": True, "Relation Name": "pgbench_accounts"}
    partial = {"Node Type": "Aggregate", "Strategy": "Hashed", "Parallel Aware": False, "Plans": [scan]}
    gather = {"Node Type": "Gather Merge", "Parallel Aware": False, "Workers Planned": 2, "Plans": [partial]}
    assert spelled(gather) == "Gather Merge (2) > Aggregate hashed > Parallel Seq Scan pgbench_accounts"


def test_both_sides_of_a_join_are_named() -> None:
    left = {"Node Type": "Index Scan", "Relation Name": "a"}
    right = {"Node Type": "Hash", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "b"}]}
    assert spelled({"Node Type": "Hash Join", "Plans": [left, right]}) == "Hash Join (Index Scan a, Hash > Seq Scan b)"
