"""Paging and search, the same for every list on PostgreSQL and on SQLite."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

PATHS = ["/tools", "/resources", "/tools/1/resources", "/teams", "/teams/1/members"]
LISTS = pytest.mark.parametrize("path", PATHS)


def add(client: TestClient, path: str, name: str) -> int:
    """Store a row that the list at `path` shows and a search for `name` finds; return its id."""
    where = "/resources" if path.endswith("/resources") else path
    body = {"tool_id": 1, "name": name, "uri": "x:y", "email": f"{name}@example.org"}
    created = client.post(where, json=body)
    assert created.status_code == 201, created.text
    row: dict[str, Any] = created.json()
    return int(row["id"])


@pytest.fixture
def api(client: TestClient) -> TestClient:
    """A client with a tool, which has resources, and a team, which has members; neither is counted."""
    client.post("/tools", json={"name": "parent"})
    client.post("/teams", json={"name": "parent"})
    return client


def pages(client: TestClient, path: str, query: str, between: Any = None) -> list[list[int]]:
    """Follow `next` to the end and return each page's ids; call `between` after each page."""
    found, after = [], 0
    while after is not None:
        answer = client.get(f"{path}?after={after}&{query}")
        assert answer.status_code == 200, answer.text
        found.append([item["id"] for item in answer.json()["items"]])
        after = answer.json()["next"]
        if between is not None:
            between(len(found))
    return found


def search(client: TestClient, path: str, text: str) -> list[int]:
    return [number for page in pages(client, path, f"search={quote(text)}") for number in page]


@LISTS
def test_rows_added_while_paging_change_nothing_before_them(api: TestClient, path: str) -> None:
    made = [add(api, path, f"row{number}") for number in range(7)]
    late: list[int] = []

    def between(page: int) -> None:
        if page <= 2:
            late.append(add(api, path, f"late{page}"))

    found = pages(api, path, "limit=3&search=", between)
    assert len(found) >= 3
    assert all(len(page) == 3 for page in found[:-1])
    flat = [number for page in found for number in page]
    assert [number for number in flat if number in made] == made
    assert flat == sorted(set(flat))
    assert set(late) <= set(flat)


@LISTS
def test_rows_removed_while_paging_take_no_other_along(api: TestClient, path: str) -> None:
    made = [add(api, path, f"row{number}") for number in range(6)]
    where = "/resources" if path.endswith("/resources") else path

    def between(page: int) -> None:
        if page == 1:
            # The cursor's own row and one that is still to come.
            assert api.delete(f"{where}/{made[1]}").status_code == 204
            assert api.delete(f"{where}/{made[3]}").status_code == 204

    found = pages(api, path, "limit=2&search=row", between)
    assert found == [made[:2], [made[2], made[4]], [made[5]]]


@LISTS
def test_a_search_ignores_case_and_pages(api: TestClient, path: str) -> None:
    made = [add(api, path, name) for name in ("Saw", "drill", "CHAINSAW", "jigsaw2")]
    assert pages(api, path, "limit=1&search=sAw") == [[made[0]], [made[2]], [made[3]]]
    assert search(api, path, "nothing") == []


def test_a_search_knows_letters_beyond_ascii(api: TestClient) -> None:
    made = [add(api, "/tools", name) for name in ("Säge", "SÄGE", "sage")]
    assert search(api, "/tools", "säge") == made[:2]


def test_a_search_takes_every_character_as_itself(api: TestClient) -> None:
    for name in ("100% steel", "1000 steel", "snake_case", "snakeXcase", "either/or", "back\\slash", "it'; --"):
        add(api, "/tools", name)
    expected = {"%": "100% steel", "0% S": "100% steel", "_": "snake_case", "e_c": "snake_case"}
    expected |= {"/": "either/or", "\\": "back\\slash", "'; --": "it'; --"}
    for text, name in expected.items():
        found = api.get("/tools", params={"search": text}).json()["items"]
        assert [item["name"] for item in found] == [name], text


def test_a_parameter_that_does_not_fit(api: TestClient) -> None:
    wrong = ["limit=0", "limit=x", "after=-1", f"after={2**63}", "search=%00", "search=" + "x" * 201]
    for path in PATHS:
        answers = [api.get(f"{path}?{query}") for query in wrong]
        assert [answer.status_code for answer in answers] == [422] * len(wrong)
        assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
        # The largest cursor and any limit are allowed.
        last = api.get(f"{path}?after={2**63 - 1}&limit={10**30}")
        assert last.json() == {"items": [], "next": None}
