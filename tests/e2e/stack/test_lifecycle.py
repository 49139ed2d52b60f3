"""Up, again, down, up: what an operator does every day, on both engines."""

from __future__ import annotations

from collections import Counter

from running_stack import Stack, eventually

RESOURCES = {"app", "postgres"}
# The metric names that dashboards and alerts are written against.
METRICS = (
    "app_db_pool_size",
    "app_db_pool_max_overflow",
    "app_db_pool_checked_out",
    "app_db_pool_idle",
    "app_db_pool_overflow",
    "app_db_pool_wait_seconds",
    "app_db_pool_timeouts_total",
    "app_db_connection_errors_total",
    "app_db_pool_invalidations_total",
    "app_db_query_duration_seconds",
    "http_requests_total",
    "http_request_duration_seconds",
)


def test_up_prints_one_json_document_with_the_addresses(stack: Stack) -> None:
    document = stack.run("up", "--json").document
    assert document["schema"] == "stackctl/v1"
    assert document["command"] == "up"
    assert document["ok"] is True
    assert document["errors"] == []
    assert document["data"]["engine"] == stack.engine
    assert document["data"]["addresses"]["app"] == stack.address("app", "/tools")
    assert document["data"]["addresses"]["metrics"] == stack.address("metrics", "/metrics")
    assert {s["name"]: s["health"] for s in document["data"]["services_running"]}.items() >= {
        ("app", "healthy"),
        ("postgres", "healthy"),
    }


def test_after_up_there_is_nothing_to_plan(stack: Stack) -> None:
    done = stack.run("plan", "--json")
    assert done.code == 0, done.said
    assert (done.data["files"], done.data["parameters"], done.data["services"]) == ([], [], [])
    assert "Nothing to change." in stack.run("plan").out


def test_a_second_up_changes_nothing_and_leaves_every_process_alone(stack: Stack) -> None:
    before = stack.identity()
    assert set(before) >= RESOURCES
    done = stack.up()
    assert done.data["changed"] is False
    assert stack.identity() == before


def test_rows_written_through_the_api_are_there_after_down_and_up(stack: Stack) -> None:
    names = {f"kept over down {number}" for number in range(20)}
    stack.add_tools(*names)
    assert stack.tools() >= names
    down = stack.run("down", "--json")
    assert down.code == 0, down.said
    assert down.data == {"name": stack.name, "stopped": True, "data_destroyed": False}
    assert stack.leftovers() == []
    status = stack.run("status", "--json")
    assert (status.code, status.data["running"]) == (0, False)
    health = stack.run("health", "--json")
    assert health.code == 30
    assert [c["hint"] for c in health.data["checks"] if c["id"] == "services"] == ["stackctl up"]
    again = stack.run("down")
    assert again.code == 0, again.said
    assert "was not running" in again.out
    assert stack.up().data["changed"] is True
    assert stack.tools() >= names


def test_status_names_services_addresses_and_versions(stack: Stack) -> None:
    done = stack.run("status", "--json")
    assert done.code == 0, done.said
    services = {service["name"]: service for service in done.data["services"]}
    assert set(services) >= RESOURCES
    assert {service["state"] for service in services.values()} == {"running"}
    assert {service["health"] for service in services.values()} == {"healthy"}
    assert services["app"]["address"] == f"127.0.0.1:{stack.ports['app']}"
    assert all(service["memory_bytes"] > 0 for service in services.values())
    assert done.data["postgres"] == stack.sql("SHOW server_version")
    assert done.data["drift"] == {"alter_system": [], "pending_restart": []}
    # The database of the Docker engine has no address that the host could use.
    assert bool(services["postgres"]["address"]) == (stack.engine == "embedded")


def test_health_gives_each_check_an_id_of_its_own_and_evidence(stack: Stack) -> None:
    done = stack.run("health", "--json")
    assert done.code == 0, done.said
    checks = done.data["checks"]
    assert [name for name, count in Counter(check["id"] for check in checks).items() if count > 1] == []
    assert [check["id"] for check in checks if not check["evidence"]] == []
    assert {check["status"] for check in checks} <= {"ok", "skip", "warn"}
    assert {check["id"] for check in checks} >= {"database", "connections", "drift", "pending_restart", "disk"}
    assert [check for check in checks if check["status"] == "warn" and not check["hint"]] == []


def test_logs_show_what_the_server_wrote_without_control_characters(stack: Stack) -> None:
    done = stack.run("logs", "postgres", "--tail", "1000", "--json")
    assert done.code == 0, done.said
    lines = done.data["lines"]
    assert any("database system is ready to accept connections" in line for line in lines), lines[-20:]
    assert [line for line in lines if "\x1b" in line] == []
    assert len(stack.run("logs", "postgres", "--tail", "3").out.splitlines()) == 3
    refused = stack.run("logs", "nosuch")
    assert refused.code == 2
    assert "postgres" in refused.err


def test_a_statement_of_more_than_a_second_is_among_the_slow_ones(stack: Stack) -> None:
    assert stack.psql("app", stack.secret("app_password"), "SELECT pg_sleep(1.2)").code == 0
    lines = eventually(
        lambda: [x for x in stack.run("logs", "--slow", "--json").data["lines"] if "pg_sleep(1.2)" in x],
        10,
        "the slow statement is in the log",
    )
    assert "user=app,db=app" in lines[-1]


def test_liveness_readiness_and_metrics_answer(stack: Stack) -> None:
    assert stack.get("app", "/healthz").status_code == 200
    assert stack.get("app", "/readyz").json() == {"status": "ready"}
    stack.tools()
    text = stack.get("metrics", "/metrics").text
    assert [name for name in METRICS if f"\n{name}" not in f"\n{text}"] == []
    # Two workers with ten connections each.
    (size,) = (line for line in text.splitlines() if line.startswith("app_db_pool_size "))
    assert float(size.split()[1]) == 20.0


def test_a_folder_where_nothing_was_brought_up_says_so(stack: Stack) -> None:
    other = Stack(stack.folder / "never", stack.engine)
    other.folder.mkdir()
    status = other.run("status", "--json")
    assert (status.code, status.data["running"], status.data["services"]) == (0, False, [])
    assert other.run("health").code == 30
    logs = other.run("logs", "--json")
    assert logs.code == 21, logs.said
    assert logs.document["errors"][0]["hint"] == "stackctl up"
    assert other.run("down").code == 0
    assert list(other.folder.iterdir()) == []
