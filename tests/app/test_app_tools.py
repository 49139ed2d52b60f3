"""The API of tools, the same on PostgreSQL and on SQLite."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient


def assert_problem(response: httpx.Response, status: int, title: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["title"], body["status"]) == ("about:blank", title, status)
    assert body["detail"]
    return body


def test_create_and_read(client: TestClient) -> None:
    created = client.post("/tools", json={"name": "hammer", "description": "hits"})
    assert created.status_code == 201
    assert created.headers["location"] == "/tools/1"
    body = created.json()
    assert list(body) == ["id", "name", "description", "created_at", "updated_at"]
    assert (body["id"], body["name"], body["description"]) == (1, "hammer", "hits")
    moment = datetime.fromisoformat(body["created_at"])
    offset = moment.utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
    assert client.get("/tools/1").json() == body


def test_the_description_is_optional_and_names_repeat(client: TestClient) -> None:
    assert client.post("/tools", json={"name": "saw"}).json()["description"] == ""
    assert client.post("/tools", json={"name": "saw"}).json()["id"] == 2


def test_replace(client: TestClient) -> None:
    before = client.post("/tools", json={"name": "saw", "description": "old"}).json()
    after = client.put("/tools/1", json={"name": "rip saw"})
    assert after.status_code == 200
    assert (after.json()["name"], after.json()["description"]) == ("rip saw", "")
    assert after.json()["created_at"] == before["created_at"]
    assert after.json()["updated_at"] >= before["updated_at"]
    assert client.get("/tools/1").json() == after.json()


def test_delete(client: TestClient) -> None:
    client.post("/tools", json={"name": "saw"})
    gone = client.delete("/tools/1")
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(client.get("/tools/1"), 404, "Not Found")


def test_paging_visits_every_row_once(client: TestClient) -> None:
    for number in range(1, 8):
        client.post("/tools", json={"name": f"tool {number}"})
    first = client.get("/tools?limit=3").json()
    assert ([item["id"] for item in first["items"]], first["next"]) == ([1, 2, 3], 3)
    client.delete("/tools/5")
    second = client.get("/tools?limit=3&after=3").json()
    assert ([item["id"] for item in second["items"]], second["next"]) == ([4, 6, 7], None)


def test_a_full_last_page_has_no_next(client: TestClient) -> None:
    for _ in range(2):
        client.post("/tools", json={"name": "x"})
    assert client.get("/tools?limit=2").json()["next"] is None
    assert client.get("/tools?after=2").json() == {"items": [], "next": None}


def test_the_default_page_and_the_largest(client: TestClient) -> None:
    for _ in range(501):
        client.post("/tools", json={"name": "x"})
    assert len(client.get("/tools").json()["items"]) == 50
    largest = client.get("/tools?limit=10000").json()
    assert (len(largest["items"]), largest["next"]) == (500, 500)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tools/9"), ("PUT", "/tools/9"), ("DELETE", "/tools/9"), ("GET", "/nowhere")],
)
def test_not_found(client: TestClient, method: str, path: str) -> None:
    assert_problem(client.request(method, path, json={"name": "x"}), 404, "Not Found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "x", "description": "x" * 10_001},
        {"name": 7},
        {"name": "nul \x00"},
        {"name": "half \ud800"},
    ],
)
def test_a_body_that_does_not_fit(client: TestClient, body: dict[str, Any]) -> None:
    problem = assert_problem(client.post("/tools", content=json.dumps(body)), 422, "Unprocessable Entity")
    assert problem["errors"][0]["loc"][0] == "body"
    assert "input" not in problem["errors"][0]


@pytest.mark.parametrize(
    "path", ["/tools/x", "/tools/0", f"/tools/{2**63}", "/tools?limit=0", "/tools?after=-1", "/tools?limit=x"]
)
def test_a_parameter_that_does_not_fit(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 422, "Unprocessable Entity")


def test_the_limits_of_a_name_are_inside(client: TestClient) -> None:
    tool = {"name": "é" * 200, "description": "x" * 10_000}
    assert client.post("/tools", json=tool).json().items() >= tool.items()


def test_no_redirects_and_wrong_methods(client: TestClient) -> None:
    assert_problem(client.get("/tools/", follow_redirects=False), 404, "Not Found")
    wrong = client.patch("/tools/1")
    assert_problem(wrong, 405, "Method Not Allowed")
    assert "GET" in wrong.headers["allow"]


def test_healthy_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
