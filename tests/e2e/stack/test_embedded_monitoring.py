"""Monitoring without Docker: the programs run where they are installed, and it is said where they are not."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.stack.conftest import NewStack
from running_stack import Stack, docker, eventually
from stackctl.engine.docker import images
from stackctl.engine.runner import Runner

PROGRAMS = {"prometheus": "prometheus", "exporter": "prometheus-postgres-exporter"}


@pytest.fixture
def programs(docker_engine: None) -> Iterator[Path]:
    """Debian 13's Prometheus and exporter, out of the images that are built from its packages."""
    supply = images.supply("debian", 17, tuple(PROGRAMS))
    images.ensure(supply, Runner(), print)
    folder = Path(tempfile.mkdtemp(prefix="programs-", dir="/var/tmp"))
    folder.chmod(0o755)
    for service, program in PROGRAMS.items():
        container = docker("create", supply.images[service].reference).out.strip()
        assert docker("cp", "-q", f"{container}:/usr/bin/{program}", str(folder)).code == 0
        docker("rm", container)
    yield folder
    shutil.rmtree(folder)


def asked(stack: Stack, path: str, **query: str) -> Any:
    url = f"http://127.0.0.1:{stack.ports['prometheus']}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def test_prometheus_sees_the_database_and_the_app(new_stack: NewStack, programs: Path) -> None:
    stack = new_stack("embedded")
    stack.variables["PATH"] = f"{programs}:{os.environ['PATH']}"
    done = stack.up()
    running = {service["name"]: service["health"] for service in done.data["services_running"]}
    assert running == {"app": "healthy", "exporter": "healthy", "postgres": "healthy", "prometheus": "healthy"}
    assert "prometheus" in done.data["addresses"]
    (missing,) = [each for each in done.document["warnings"] if each["code"] == "service_missing"]
    assert missing["message"] == "the stack runs without alertmanager, grafana"
    assert "alertmanager is not installed" in missing["hint"]

    def all_up() -> bool:
        targets = asked(stack, "targets")["activeTargets"]
        return {t["labels"]["job"]: t["health"] for t in targets} == dict.fromkeys(
            ("app", "postgres", "prometheus"), "up"
        )

    eventually(all_up, 60, "all targets are up")
    eventually(lambda: bool(asked(stack, "query", query="pg_up == 1")["result"]), 60, "the exporter has logged in")
    rules = {rule["name"] for group in asked(stack, "rules")["groups"] for rule in group["rules"]}
    assert {"DatabaseDown", "ExporterDown", "AppDown"} <= rules
