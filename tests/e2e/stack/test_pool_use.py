"""Use of the app's pools, as an operator sees it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from running_stack import Stack, eventually

# Tools called held wait for as long as the table has a row.
HOLD = """
CREATE TABLE hold AS SELECT 1 AS row;
GRANT SELECT ON hold TO app;
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN WHILE EXISTS (SELECT FROM hold) LOOP PERFORM pg_sleep(0.2); END LOOP; RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE INSERT ON tools FOR EACH ROW WHEN (NEW.name = 'held') EXECUTE FUNCTION hold();
"""
SECONDS = 25


@pytest.fixture
def held(stack: Stack) -> Iterator[None]:
    """Whoever adds a tool called held keeps a connection."""
    stack.sql(HOLD)
    yield
    stack.sql("DELETE FROM hold")
    stack.sql("DROP FUNCTION hold CASCADE; DROP TABLE hold; DELETE FROM tools WHERE name = 'held'")


def pool(stack: Stack) -> dict[str, int]:
    found: dict[str, int] = stack.run("status", "--json").data["pool"]
    return found


def test_a_pool_that_is_full_is_shown_and_reported(stack: Stack, held: None) -> None:
    at_rest = pool(stack)
    capacity = at_rest["size"] + at_rest["max_overflow"]
    sized = stack.run("size", "--json").data["connections"]
    assert capacity == sized["app_total"]
    assert at_rest["in_use"] == 0

    def insert(_: int) -> int:
        return httpx.post(stack.address("app", "/tools"), json={"name": "held"}, timeout=60).status_code

    # Which worker gets a request is up to the kernel: with so many, each has enough.
    with ThreadPoolExecutor(4 * capacity) as threads:
        answers = threads.map(insert, range(4 * capacity))
        eventually(lambda: pool(stack)["in_use"] > 0.9 * capacity, SECONDS, "the pools are nearly full")
        done = stack.run("health", "--json")
        stack.sql("DELETE FROM hold")
        assert set(answers) <= {201, 503, 504}
    (check,) = [each for each in done.data["checks"] if each["id"] == "pool"]
    assert (done.code, check["status"]) == (30, "fail")
    assert f"of {capacity} pooled connections in use" in check["evidence"]
    eventually(lambda: pool(stack)["in_use"] == 0, 20, "the pools are idle again")
    text = stack.run("status").out
    assert f"of {at_rest['size']} and {at_rest['max_overflow']} in bursts" in text
