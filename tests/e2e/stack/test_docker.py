"""The Docker engine: what the containers may do, who can reach them, and what others can read of them."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest
import yaml

from running_stack import Stack, docker, eventually

pytestmark = pytest.mark.parametrize("engine", ["docker"], indirect=True)
SERVICES = {"postgres", "app", "migrate", "exporter", "observer", "prometheus", "alertmanager"}
USERS = {
    "postgres": "999:999",
    "app": "10001:10001",
    "migrate": "10001:10001",
    "exporter": "65534:65534",
    # Whose the backups are, which nobody else may read.
    "observer": f"{os.geteuid()}:{os.getegid()}",
    "prometheus": "65534:65534",
    "alertmanager": "65534:65534",
}


def containers(stack: Stack) -> dict[str, dict[str, Any]]:
    """`docker inspect` of all containers of the project, by service."""
    ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={stack.name}").out.split()
    found = json.loads(docker("inspect", *ids).out)
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}


def test_every_container_is_hardened(stack: Stack) -> None:
    found = containers(stack)
    assert set(found) == SERVICES
    for service, container in found.items():
        host = container["HostConfig"]
        assert container["Config"]["User"] == USERS[service], service
        assert host["ReadonlyRootfs"] is True, service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["Privileged"] is False, service
        assert host["Memory"] > 0, service
        assert host["MemorySwap"] == host["Memory"], f"{service} may swap"
        assert host["NanoCpus"] > 0 or host["CpuQuota"] > 0, service
        assert 0 < host["PidsLimit"] <= 1000, service
        assert host["LogConfig"]["Type"] == "json-file", service
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, service
        assert host["RestartPolicy"]["Name"] == ("no" if service == "migrate" else "unless-stopped"), service
        assert not any("docker.sock" in mount["Source"] for mount in container["Mounts"]), service


def test_no_process_has_a_capability_and_the_root_cannot_be_written(stack: Stack) -> None:
    for service in sorted(SERVICES - {"migrate"}):
        container = stack.container(service)
        status = docker("exec", container, "cat", "/proc/1/status").out
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), service
        assert docker("exec", container, "touch", "/here").code != 0, service


def test_memory_limits_are_within_the_profile(stack: Stack) -> None:
    limits = {service: each["HostConfig"]["Memory"] for service, each in containers(stack).items()}
    # The migration ends before the app starts, and counts all the same.
    assert sum(limits.values()) <= 4 * 2**30
    rendered = yaml.safe_load((stack.rendered / "compose.yaml").read_text())
    for service, limit in limits.items():
        text = rendered["services"][service]["mem_limit"]
        assert re.fullmatch(r"\d+m", text), text
        assert limit == int(text[:-1]) * 2**20


def test_the_database_is_on_an_internal_network_and_has_no_port_on_the_host(stack: Stack) -> None:
    found = containers(stack)
    (network,) = found["postgres"]["NetworkSettings"]["Networks"]
    (described,) = json.loads(docker("network", "inspect", network).out)
    assert described["Internal"] is True
    assert not found["postgres"]["HostConfig"]["PortBindings"]
    assert docker("port", stack.container("postgres")).out == ""
    there = {each["Name"] for each in described["Containers"].values()}
    assert there == {stack.container(service) for service in ("postgres", "app", "exporter", "observer")}
    # From the services' side there is no way to it either.
    lost = docker("exec", stack.container("prometheus"), "wget", "-q", "-T", "3", "-O", "-", "http://postgres:5432/")
    assert lost.code != 0


def test_ports_are_published_on_loopback_only(stack: Stack) -> None:
    published = {
        (service, bind["HostIp"], int(bind["HostPort"]))
        for service, each in containers(stack).items()
        for binds in (each["HostConfig"]["PortBindings"] or {}).values()
        for bind in binds
    }
    expected = {("app", "app"), ("app", "metrics"), ("prometheus", "prometheus"), ("alertmanager", "alertmanager")}
    assert published == {(service, "127.0.0.1", stack.ports[port]) for service, port in expected}


def test_no_secret_is_in_inspect_in_compose_config_in_rendered_files_or_in_logs(stack: Stack) -> None:
    secrets = stack.secrets()
    assert len(secrets) == 15
    compose = ("compose", "--file", str(stack.rendered / "compose.yaml"))
    places = {f"inspect {service}": json.dumps(each) for service, each in containers(stack).items()}
    places |= {f"logs {service}": docker("logs", stack.container(service)).said for service in SERVICES}
    for service in SERVICES - {"migrate"}:
        places[f"environ {service}"] = docker("exec", stack.container(service), "cat", "/proc/1/environ").out
    config = docker(*compose, "config")
    assert config.code == 0, config.said
    assert "/run/secrets/app_password" in config.out
    places["config"] = config.out
    places |= {str(path): path.read_text() for path in stack.rendered.rglob("*") if path.is_file()}
    places["up"] = stack.run("up", "--verbose").said
    assert [(place, name) for place, text in places.items() for name, word in secrets.items() if word in text] == []


def test_each_container_has_only_the_secrets_that_it_needs(stack: Stack) -> None:
    mounted = {
        service: {mount["Destination"] for mount in each["Mounts"] if mount["Destination"].startswith("/run/secrets")}
        for service, each in containers(stack).items()
    }
    assert mounted["app"] == {"/run/secrets/app_password"}
    assert mounted["migrate"] == {"/run/secrets/owner_password"}
    assert mounted["exporter"] == {"/run/secrets/monitor_password", "/run/secrets/exporter_web"}
    assert mounted["prometheus"] == {"/run/secrets/exporter_password"}
    assert mounted["alertmanager"] == set()
    assert not any("password" in name and "superuser" not in name for name in mounted["postgres"])


def test_prometheus_reaches_every_target_and_has_loaded_its_rules(stack: Stack) -> None:
    def down() -> dict[str, str] | None:
        targets = stack.get("prometheus", "/api/v1/targets").json()["data"]["activeTargets"]
        return {each["labels"]["job"]: each["health"] for each in targets}

    def all_up() -> bool:
        return set((down() or {"": ""}).values()) == {"up"}

    eventually(all_up, 45, "every target is up")
    assert set(down() or {}) == {"prometheus", "postgres", "app", "alertmanager", "stackctl"}
    groups = stack.get("prometheus", "/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= {"PostgresDown", "PostgresExporterDown", "AppDown"}
    assert [rule["name"] for rule in rules if rule.get("lastError")] == []

    def watched() -> bool:
        answer = stack.get("prometheus", "/api/v1/query?query=pg_up").json()["data"]["result"]
        return [each["value"][1] for each in answer] == ["1"]

    eventually(watched, 30, "the exporter is in the database")
    found = stack.get("prometheus", "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    assert len(found) == 1


def test_a_killed_server_comes_back_with_every_acknowledged_row(stack: Stack) -> None:
    names = [f"acknowledged {number}" for number in range(10)]
    stack.add_tools(*names)
    # An engine that was asked to signal a container, for a reload, no longer restarts it after a crash.
    stack.up("--set", "log_min_duration_statement=300ms")
    stack.up("--ram", "4G")
    before = stack.identity()
    # Not `docker kill`, after which the engine would leave it stopped, as it was asked to.
    os.kill(int(containers(stack)["postgres"]["State"]["Pid"]), signal.SIGKILL)
    eventually(lambda: stack.identity().get("postgres", before["postgres"]) != before["postgres"], 30, "it restarts")
    eventually(stack.healthy, 60, "the app is ready again")
    assert stack.tools() >= set(names)
    eventually(lambda: stack.run("health").code == 0, 60, "health agrees")
    assert stack.identity()["app"] == before["app"]


def test_a_server_that_was_restarted_archives_its_last_commits_without_up(stack: Stack) -> None:
    """As after a reboot. By itself its checkpointer would sleep for checkpoint_timeout, which is 15 minutes."""
    stack.up("--set", "archive_timeout=5s")
    try:
        assert docker("restart", stack.container("postgres")).code == 0
        eventually(stack.healthy, 60, "the app is ready again")
        stack.add_tools("after the restart")
        written = stack.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        archived = f"SELECT last_archived_wal >= '{written}' FROM pg_stat_archiver"
        eventually(lambda: stack.sql(archived) == "t", 90, f"{written} is archived")
    finally:
        stack.up("--ram", "4G")


def test_a_volume_of_other_secrets_is_refused_with_the_reason(stack: Stack) -> None:
    stack.add_tools("under the first secrets")
    before, secrets, kept = stack.identity(), stack.private / "secrets", stack.private / "kept"
    secrets.rename(kept)
    try:
        done = stack.run("up", "--json")
        assert done.code == 10, done.said
        (error,) = done.document["errors"]
        assert re.search(rf"volume {re.escape(stack.name)}_\w+ was made with other secrets", error["message"])
        assert "restore that folder" in error["hint"]
    finally:
        for path in secrets.iterdir():
            path.unlink()
        secrets.rmdir()
        kept.rename(secrets)
    assert stack.identity() == before
    assert stack.run("plan").code == 0
    assert "under the first secrets" in stack.tools()


def test_the_rendered_files_come_up_with_compose_alone(stack: Stack) -> None:
    stack.add_tools("before bare compose")
    assert stack.run("down").code == 0
    compose = ("compose", "--file", str(stack.rendered / "compose.yaml"))
    done = docker(*compose, "up", "--detach", "--wait", "--wait-timeout", "120", seconds=180)
    assert done.code == 0, done.said
    assert stack.healthy()
    assert "before bare compose" in stack.tools()
    # And stackctl finds nothing to change in what Compose made.
    assert stack.run("plan").code == 0
    assert stack.up().data["changed"] is False


def test_render_gives_the_same_compose_file_without_an_engine(stack: Stack) -> None:
    out = stack.folder / "out"
    done = stack.run("render", "--out", str(out), "--json")
    assert done.code == 0, done.said
    assert set(done.data["files"]) >= {"compose.yaml", "postgres/postgresql.conf", "prometheus/prometheus.yml"}
    config = docker("compose", "--file", str(out / "compose.yaml"), "config", "-q")
    assert config.code == 0, config.said
    ports = [
        port
        for service in yaml.safe_load((out / "compose.yaml").read_text())["services"].values()
        for port in service.get("ports", [])
    ]
    assert len(ports) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert (out / "postgres" / "postgresql.conf").read_text() == (
        stack.rendered / "postgres" / "postgresql.conf"
    ).read_text()
