"""Paths and addresses inside containers."""

import pytest

from profiles import changed, sized
from stackctl.engine.docker.place import extra, place_of, secret_names
from stackctl.settings.model import Ports


def test_services_find_each_other_by_name_on_fixed_ports():
    place = place_of(17)
    assert place.address("postgres") == "postgres:5432"
    assert place.address("metrics") == "app:4445"
    assert place.address("exporter") == "exporter:9187"
    assert place.postgres_port == 5432
    assert (place.config, place.secrets, place.socket) == ("/etc/stackctl", "/run/secrets", "/var/run/postgresql")


@pytest.mark.parametrize(
    ("disk_gib", "megabytes"), [(1, 256), (12, 256), (100, 2048), (200, 4096), (400, 8192), (10_000, 8192)]
)
def test_prometheus_keeps_a_fiftieth_of_the_disk(disk_gib, megabytes):
    command = extra(sized(changed(disk_gib=disk_gib)), Ports(), {}, None)["prometheus_command"]
    assert f"--storage.tsdb.retention.size={megabytes}MB" in command


@pytest.mark.parametrize(
    ("engine", "allowed"), [(None, False), ((24, 0, 7), False), ((25, 0), True), ((28, 2, 2), True)]
)
def test_start_interval_needs_engine_25(engine, allowed):
    assert extra(sized(), Ports(), {}, engine)["features"] == {"start_interval": allowed}


def test_secrets_follow_the_services():
    names = secret_names(sized(), ("postgres", "migrate", "app"))
    assert names == [
        "superuser_password",
        "owner_verifier",
        "app_verifier",
        "monitor_verifier",
        "backup_verifier",
        "report_verifier",
        "owner_password",
        "app_password",
    ]
    own = ["monitor_password", "exporter_web", "exporter_password", "grafana_password"]
    assert secret_names(sized(), ("exporter", "grafana"))[-4:] == own
