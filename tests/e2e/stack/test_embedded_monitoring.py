"""Monitoring without Docker: the programs run where they are installed, and it is said where they are not."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from typing import Any

import httpx

from e2e.stack.conftest import NewStack
from metric_inventory import INVENTORY, parsed, read
from monitoring_programs import MonitoringPrograms
from running_stack import Stack, eventually


def asked(stack: Stack, path: str, **query: str) -> Any:
    url = f"http://127.0.0.1:{stack.ports['prometheus']}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def test_prometheus_sees_the_database_and_the_app(new_stack: NewStack, monitoring: MonitoringPrograms) -> None:
    stack = new_stack("embedded")
    stack.variables["PATH"] = monitoring.path("prometheus", "exporter")
    done = stack.up()
    running = {service["name"]: service["health"] for service in done.data["services_running"]}
    assert running == dict.fromkeys(("app", "exporter", "observer", "postgres", "prometheus"), "healthy")
    assert "prometheus" in done.data["addresses"]
    (missing,) = [each for each in done.document["warnings"] if each["code"] == "service_missing"]
    assert missing["message"] == "the stack runs without alertmanager, grafana"
    assert "alertmanager is not installed" in missing["hint"]

    def all_up() -> bool:
        targets = asked(stack, "targets")["activeTargets"]
        return {t["labels"]["job"]: t["health"] for t in targets} == dict.fromkeys(
            ("app", "postgres", "prometheus", "stackctl"), "up"
        )

    eventually(all_up, 60, "all targets are up")
    eventually(lambda: bool(asked(stack, "query", query="pg_up == 1")["result"]), 60, "the exporter has logged in")
    for path in ("/metrics", "/probe?target=postgresql:///app%3Fhost=%2Ftmp%26user=postgres"):
        assert stack.get("exporter", path).status_code == 401, "whoever may ask could have it log in as superuser"
    rules = {rule["name"] for group in asked(stack, "rules")["groups"] for rule in group["rules"]}
    assert {"PostgresDown", "PostgresExporterDown", "AppDown"} <= rules


# What there is only while somebody streams, vacuums or replicates, or on a standby.
SOMETIMES = re.compile(r"pg_(stat_replication|replication_slot|stat_activity_autovacuum|wal_receiver)")


def test_the_inventory_is_what_the_exporter_tells(new_stack: NewStack, monitoring: MonitoringPrograms) -> None:
    """Rules and dashboards are checked against the inventory: a stale one would let them ask for what is not there."""
    stack = new_stack("embedded")
    stack.variables["PATH"] = monitoring.path("exporter")
    stack.up()
    login = ("prometheus", (stack.private / "secrets" / "exporter_password").read_text())
    url = f"http://127.0.0.1:{stack.ports['exporter']}/metrics"
    told = parsed(httpx.get(url, auth=login, timeout=30).raise_for_status().text)
    _, known = read(INVENTORY / "postgres_exporter-0.17-pg18.tsv")
    assert told["pg_up"] == known["pg_up"]
    assert {name: series for name, series in told.items() if known.get(name) != series} == {}
    assert {name for name in known.keys() - told.keys() if not SOMETIMES.match(name)} == set()
