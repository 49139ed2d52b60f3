"""Importing many rows at once: the same on PostgreSQL and on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

ROWS: dict[str, dict[str, Any]] = {
    "/tools": {"description": "x"},
    "/resources": {"tool_id": 1, "uri": "x:y"},
    "/teams": {},
    "/teams/1/members": {"role": "owner"},
}
PATHS = pytest.mark.parametrize("path", ROWS)


@pytest.fixture
def api(client: TestClient) -> TestClient:
    """A client with a tool and a team."""
    client.post("/tools", json={"name": "parent"})
    client.post("/teams", json={"name": "parent"})
    return client


def rows(path: str, count: int) -> list[dict[str, Any]]:
    # In an order of names that is not the order of ids.
    names = [f"row{-number}" for number in range(count)]
    return [ROWS[path] | {"name": name, "email": f"{name}@example.org"} for name in names]


def stored(client: TestClient, path: str) -> int:
    count, after = 0, 0
    while after is not None:
        found = client.get(f"{path}?limit=500&after={after}").json()
        count, after = count + len(found["items"]), found["next"]
    return count


@PATHS
def test_the_ids_are_in_the_order_of_the_rows(api: TestClient, path: str) -> None:
    before, sent = stored(api, path), rows(path, 1203)
    imported = api.post(f"{path}/import", json=sent)
    assert imported.status_code == 201
    assert imported.json()["imported"] == 1203
    ids = imported.json()["ids"]
    assert len(set(ids)) == 1203
    for index in (0, 1, 499, 500, 1202):
        row = api.get(f"{path}/{ids[index]}").json()
        assert row.items() >= {key: value for key, value in sent[index].items() if key in row}.items()
    assert stored(api, path) == before + 1203


@PATHS
def test_each_wrong_row_is_named_and_none_is_stored(api: TestClient, path: str) -> None:
    before, sent = stored(api, path), rows(path, 600)
    for wrong in (3, 550):
        sent[wrong] |= {"name": "", "email": "nobody"}
    refused = api.post(f"{path}/import", json=sent)
    assert refused.status_code == 422
    assert [error["loc"][:2] for error in refused.json()["errors"]] == [["body", 3], ["body", 550]]
    assert stored(api, path) == before


def test_the_list_of_wrong_rows_is_bounded(api: TestClient) -> None:
    refused = api.post("/tools/import", json=[{}] * 10_000)
    assert refused.status_code == 422
    assert [error["loc"] for error in refused.json()["errors"]] == [["body", row, "name"] for row in range(20)]


def test_what_contradicts_the_database_is_all_undone(api: TestClient) -> None:
    # Both come with the second statement of their transaction.
    twice = [*rows("/teams", 600), {"name": "row0"}]
    assert api.post("/teams/import", json=twice).status_code == 409
    orphan = [*rows("/resources", 600), {"tool_id": 99, "name": "x", "uri": "x:y"}]
    assert api.post("/resources/import", json=orphan).status_code == 422
    assert api.post("/teams/99/members/import", json=[{"email": "a@b"}]).status_code == 404
    assert (stored(api, "/teams"), stored(api, "/resources")) == (1, 0)


@pytest.mark.parametrize("body", [[], {"name": "x"}, [{"name": "x"}] * 10_001])
def test_what_is_no_import(api: TestClient, body: Any) -> None:
    assert api.post("/tools/import", json=body).status_code == 422
    assert stored(api, "/tools") == 1


def test_the_largest_import(api: TestClient) -> None:
    imported = api.post("/tools/import", json=rows("/tools", 10_000))
    assert imported.json()["imported"] == 10_000
    assert stored(api, "/tools") == 10_001


def test_import_is_no_id(api: TestClient) -> None:
    answers = [api.request(method, "/tools/import", json={"name": "x"}) for method in ("GET", "PUT", "DELETE", "PATCH")]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 405]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert api.post("/tools/1").status_code == 405
