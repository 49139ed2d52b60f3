"""Resources, teams and members: the same on PostgreSQL and on SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

Body = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of rows: where they are, and two ways to write one."""

    path: str
    first: Body
    second: Body


TOOLS = Kind("/tools", {"name": "saw", "description": "cuts"}, {"name": "rip saw", "description": ""})
RESOURCES = Kind(
    "/resources",
    {"tool_id": 1, "name": "manual", "uri": "https://example.org/saw?page=1", "description": "how to"},
    {"tool_id": 2, "name": "log", "uri": "file:///var/log/saw", "description": ""},
)
TEAMS = Kind("/teams", {"name": "red", "description": "first"}, {"name": "blue", "description": ""})
MEMBERS = Kind(
    "/teams/1/members",
    {"email": "ada@example.org", "role": "owner"},
    {"email": "bob@example.org", "role": "member"},
)
KINDS = pytest.mark.parametrize("kind", [TOOLS, RESOURCES, TEAMS, MEMBERS], ids=lambda kind: kind.path)


@pytest.fixture
def api(client: TestClient) -> TestClient:
    """A client with what the rows refer to: two tools, and a team beside those of the tests."""
    for name in ("hammer", "drill"):
        assert client.post("/tools", json={"name": name}).status_code == 201
    assert client.post("/teams", json={"name": "white"}).status_code == 201
    return client


def is_problem(response: httpx.Response, status: int) -> bool:
    kind = response.headers["content-type"]
    return (response.status_code, kind) == (status, "application/problem+json") and response.json()["status"] == status


def ids(client: TestClient, path: str) -> list[int]:
    return [item["id"] for item in client.get(path).json()["items"]]


@KINDS
def test_the_life_of_a_row(api: TestClient, kind: Kind) -> None:
    created = api.post(kind.path, json=kind.first)
    assert created.status_code == 201
    row, where = created.json(), created.headers["location"]
    assert where == f"{kind.path}/{row['id']}"
    assert row.items() >= kind.first.items()
    assert {"id", "created_at", "updated_at"} < set(row)
    assert api.get(where).json() == row
    assert row in api.get(kind.path).json()["items"]
    replaced = api.put(where, json=kind.second)
    assert replaced.status_code == 200
    assert replaced.json().items() >= (kind.second | {"id": row["id"], "created_at": row["created_at"]}).items()
    assert api.get(where).json() == replaced.json()
    gone = api.delete(where)
    assert (gone.status_code, gone.content) == (204, b"")
    assert is_problem(api.delete(where), 404)
    assert row["id"] not in ids(api, kind.path)


@KINDS
def test_a_row_that_is_not_there(api: TestClient, kind: Kind) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert is_problem(api.request(method, f"{kind.path}/99", json=kind.first), 404)
        assert is_problem(api.request(method, f"{kind.path}/0", json=kind.first), 422)


def test_a_missing_row_is_named(api: TestClient) -> None:
    missing = {"/tools/9/resources": "tool", "/teams/9/members": "team", "/teams/9/members/1": "member"}
    for path, name in missing.items():
        assert is_problem(api.get(path), 404)
        assert api.get(path).json()["detail"] == f"There is no {name} with this id."


def test_nothing_is_made_without_its_parent(api: TestClient) -> None:
    assert is_problem(api.post("/teams/9/members", json=MEMBERS.first), 404)
    assert is_problem(api.post("/resources", json=RESOURCES.first | {"tool_id": 9}), 422)
    made = api.post("/resources", json=RESOURCES.first).headers["location"]
    assert is_problem(api.put(made, json=RESOURCES.first | {"tool_id": 9}), 422)
    assert api.get(made).json()["tool_id"] == 1


def test_blanks_around_an_id_in_the_path(api: TestClient) -> None:
    # They are taken off the number; this one, U+3000, no header could carry as it is.
    api.post("/teams", json=TEAMS.first)
    made = api.post("/teams/1%E3%80%80/members", json=MEMBERS.first)
    assert made.status_code == 201
    assert api.get(made.headers["location"]).json() == made.json()


@pytest.mark.parametrize("kind", [TEAMS, MEMBERS], ids=lambda kind: kind.path)
def test_a_value_that_is_taken(api: TestClient, kind: Kind) -> None:
    first = api.post(kind.path, json=kind.first).json()
    assert is_problem(api.post(kind.path, json=kind.first), 409)
    second = api.post(kind.path, json=kind.second).headers["location"]
    assert is_problem(api.put(second, json=kind.first), 409)
    assert api.get(second).json().items() >= kind.second.items()
    # Its own value is not taken.
    assert api.put(f"{kind.path}/{first['id']}", json=kind.first).status_code == 200


def test_a_user_may_be_in_two_teams_once(api: TestClient) -> None:
    api.post("/teams", json=TEAMS.first)
    assert api.post("/teams/1/members", json={"email": "Ada@Example.org"}).json()["email"] == "ada@example.org"
    again = api.post("/teams/1/members", json={"email": "ADA@example.org"})
    assert is_problem(again, 409)
    assert again.json()["fields"] == ["team_id", "email"]
    other = api.post("/teams/2/members", json={"email": "ada@example.org"})
    assert (other.status_code, other.json()["role"]) == (201, "member")
    # A member is found only in its team.
    assert is_problem(api.get(f"/teams/1/members/{other.json()['id']}"), 404)
    assert is_problem(api.delete(f"/teams/1/members/{other.json()['id']}"), 404)


WRONG: list[tuple[Kind, Body]] = [
    (RESOURCES, {"tool_id": None}),
    (RESOURCES, {"tool_id": 2**63}),
    (RESOURCES, {"name": ""}),
    (RESOURCES, {"uri": "no scheme"}),
    (RESOURCES, {"uri": "x:" + "y" * 2000}),
    (RESOURCES, {"uri": "x:nul\x00"}),
    (TEAMS, {"name": "x" * 201}),
    (TEAMS, {"description": "x" * 10_001}),
    (MEMBERS, {"email": "ada"}),
    (MEMBERS, {"email": "a da@example.org"}),
    (MEMBERS, {"email": "nul\x00@example.org"}),
    (MEMBERS, {"email": "a" * 243 + "@example.org"}),
    (MEMBERS, {"role": "guest"}),
]


def test_a_body_that_does_not_fit(api: TestClient) -> None:
    for kind, wrong in WRONG:
        refused = api.post(kind.path, json=kind.first | wrong)
        assert is_problem(refused, 422), wrong
        assert refused.json()["errors"][0]["loc"] == ["body", *wrong]


def test_a_tool_takes_its_resources_along(api: TestClient) -> None:
    for tool in (1, 2, 1):
        api.post("/resources", json=RESOURCES.first | {"tool_id": tool})
    assert ids(api, "/tools/1/resources") == [1, 3]
    assert api.delete("/tools/1").status_code == 204
    assert ids(api, "/resources") == [2]
    assert is_problem(api.get("/tools/1/resources"), 404)
    assert api.delete("/resources/2").status_code == 204
    assert api.get("/tools/2/resources").json() == {"items": [], "next": None}


def test_a_team_takes_its_members_along(api: TestClient) -> None:
    api.post("/teams", json=TEAMS.first)
    api.post("/teams/1/members", json=MEMBERS.first)
    api.post("/teams/2/members", json=MEMBERS.first)
    assert api.delete("/teams/1").status_code == 204
    assert is_problem(api.get("/teams/1/members/1"), 404)
    assert is_problem(api.get("/teams/1/members"), 404)
    assert ids(api, "/teams/2/members") == [2]
    api.delete("/teams/2/members/2")
    assert api.get("/teams/2/members").json() == {"items": [], "next": None}
