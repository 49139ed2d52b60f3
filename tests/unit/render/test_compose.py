"""The Compose file as its readers see it: a YAML parser, and Docker Compose itself."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from profiles import changed, sized
from stackctl.hardware.model import Pooler, Storage, Workload
from stackctl.render.write import write
from stackctl.settings.alerts import AlertReceiver, AlertSettings
from stackctl.settings.model import Ports
from stacks import by_path, compose_files

SMALL = changed(ram_mib=1024, cpus=1, app_workers=1, postgres=18, disk_gib=20)
LARGE = changed(ram_mib=65_536, cpus=16, workload=Workload.OLAP, storage=Storage.NVME, app_workers=16)
POOLED = changed(pooler=Pooler.PGBOUNCER)
PROFILES = [changed(), SMALL, LARGE, changed(postgres=15)]
ALL = ["postgres", "migrate", "app", "exporter", "observer", "prometheus", "alertmanager", "grafana"]


def _compose(profile=None, **options):
    return yaml.safe_load(by_path(compose_files(sized(profile or changed()), **options))["compose.yaml"])


@pytest.fixture(params=PROFILES, ids=["reference", "small", "large", "15"])
def services(request):
    return _compose(request.param)["services"]


def test_services_of_the_reference_machine():
    assert list(_compose()["services"]) == ALL
    assert list(_compose(SMALL)["services"]) == ALL[:6]


def test_every_service_is_hardened(services):
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


def test_every_service_is_bounded(services):
    for service in services.values():
        assert re.fullmatch(r"[1-9]\d*m", service["mem_limit"])
        assert service["memswap_limit"] == service["mem_limit"]
        assert service.get("cpus", 0) > 0 or service["cpu_quota"] > 0
        assert service["pids_limit"] >= 64
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
        assert re.fullmatch(r"\d+s", service["stop_grace_period"])


def test_who_works_in_short_pieces_may_do_one_without_being_held_up():
    """An exporter with 0.05 CPUs gets 5 ms of each 100, and a scrape of 50 ms takes a second; or 50 ms of a second."""
    services = _compose()["services"]
    quotas = {name: each["cpu_quota"] for name, each in services.items() if each.get("cpu_period") == 1_000_000}
    # 3, 3, 5, 2 and 5 of 103 weights of 4 CPUs, rounded down to hundredths.
    assert quotas == {
        "exporter": 110_000,
        "observer": 110_000,
        "prometheus": 190_000,
        "alertmanager": 70_000,
        "grafana": 190_000,
    }
    # The engine takes one or the other.
    assert not any("cpus" in services[name] for name in quotas)
    assert all("cpus" in each for name, each in services.items() if name not in quotas)


def test_a_disk_is_rehearsed_by_the_database_alone():
    """Else the limit would be shared with what the disk of production does not carry, such as Prometheus."""
    disk = {"device": "/dev/vda", "iops": 3000, "rate": 131_072_000}
    services = _compose(held_disk=disk)["services"]
    assert services["postgres"]["blkio_config"] == {
        "device_read_iops": [{"path": "/dev/vda", "rate": 3000}],
        "device_write_iops": [{"path": "/dev/vda", "rate": 3000}],
        "device_read_bps": [{"path": "/dev/vda", "rate": 131_072_000}],
        "device_write_bps": [{"path": "/dev/vda", "rate": 131_072_000}],
    }
    assert [name for name, each in services.items() if "blkio_config" in each] == ["postgres"]
    half = _compose(held_disk={**disk, "iops": 0})["services"]["postgres"]["blkio_config"]
    assert set(half) == {"device_read_bps", "device_write_bps"}


def test_lasting_services_restart_and_are_checked_and_the_one_off_is_not(services):
    for name, service in services.items():
        if name == "migrate":
            assert service["restart"] == "no"
            assert "healthcheck" not in service
            continue
        assert service["restart"] == "unless-stopped"
        check = service["healthcheck"]
        # In the list form no shell is needed, which images without one lack.
        assert check["test"][0] == "CMD"
        assert len(check["test"]) > 1
        assert set(check) == {"test", "interval", "timeout", "retries", "start_period", "start_interval"}


def test_an_older_engine_is_not_asked_for_what_it_lacks():
    for engine in ((24, 0, 9), None):
        checks = [s["healthcheck"] for s in _compose(engine=engine)["services"].values() if "healthcheck" in s]
        assert len(checks) == 7
        assert not any("start_interval" in check for check in checks)


def test_ports_are_published_on_loopback_only(services):
    for service in services.values():
        for port in service.get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_published_ports_are_the_projects():
    ports = Ports(app=14444, metrics=14445, prometheus=19090, alertmanager=19093, grafana=13000)
    services = _compose(ports=ports)["services"]
    assert {name: s["ports"] for name, s in services.items() if "ports" in s} == {
        "app": ["127.0.0.1:14444:4444", "127.0.0.1:14445:4445"],
        "prometheus": ["127.0.0.1:19090:9090"],
        "alertmanager": ["127.0.0.1:19093:9093"],
        "grafana": ["127.0.0.1:13000:3000"],
    }


def test_the_database_is_reached_from_the_internal_network_only(services):
    assert "ports" not in services["postgres"]
    assert services["postgres"]["networks"] == ["database"]
    assert services["migrate"]["networks"] == ["database"]
    reaching = {name for name, service in services.items() if "database" in service["networks"]}
    assert reaching == {"postgres", "migrate", "app", "exporter", "observer"}


def test_who_sees_the_backups_has_no_way_out_and_writes_nothing(services):
    observer, networks = services["observer"], _compose()["networks"]
    assert all(networks[name] == {"internal": True} for name in observer["networks"])
    assert {name for name, service in services.items() if "observed" in service["networks"]} == {
        "observer",
        "prometheus",
    }
    assert observer["secrets"] == ["monitor_password"]
    mounts = observer["volumes"]
    assert all(mount["read_only"] if isinstance(mount, dict) else mount.endswith(":ro") for mount in mounts)
    assert "ports" not in observer


def test_networks_and_volumes():
    compose = _compose()
    assert compose["networks"] == {"database": {"internal": True}, "services": {}, "observed": {"internal": True}}
    assert list(compose["volumes"]) == ["pgdata", "room", "prometheus", "alertmanager", "grafana"]
    for volume in compose["volumes"].values():
        assert volume["labels"] == {"stackctl.secrets": "0123456789ab"}
    assert list(_compose(SMALL)["volumes"]) == ["pgdata", "room", "prometheus"]


def test_the_database_has_time_and_shared_memory():
    postgres = _compose()["services"]["postgres"]
    assert (postgres["mem_limit"], postgres["shm_size"]) == ("12697m", "1024m")
    assert (postgres["stop_signal"], postgres["stop_grace_period"]) == ("SIGINT", "92s")
    assert postgres["init"] is False
    assert postgres["pids_limit"] == 512
    assert postgres["environment"]["PG_OOM_ADJUST_FILE"] == "/proc/self/oom_score_adj"


def test_the_app_may_have_a_thread_for_each_connection_of_two_generations():
    # 4 workers x 50 connections twice; the health check, the master and the metrics need some too.
    for profile, pools in ((changed(), 2 * 4 * 25), (POOLED, 2 * 4 * 50)):
        assert _compose(profile)["services"]["app"]["pids_limit"] >= pools + 200


@pytest.mark.parametrize(
    ("major", "mount", "data"),
    [
        (15, "pgdata:/var/lib/postgresql/data", "/var/lib/postgresql/data"),
        (17, "pgdata:/var/lib/postgresql/data", "/var/lib/postgresql/data"),
        (18, "pgdata:/var/lib/postgresql", "/var/lib/postgresql/18/docker"),
    ],
)
def test_the_data_volume_is_where_the_image_has_its_data(major, mount, data):
    files = by_path(compose_files(sized(changed(postgres=major))))
    postgres = yaml.safe_load(files["compose.yaml"])["services"]["postgres"]
    assert mount in postgres["volumes"]
    assert postgres["environment"]["PGDATA"] == data
    assert f"data_directory = '{data}'" in files["postgres/postgresql.conf"]


def test_configuration_is_mounted_read_only(services):
    for service in services.values():
        for volume in _short(service):
            if volume.startswith("."):
                assert volume.endswith(":ro")


def _short(service):
    """Mounts in one line; the archive, which the server writes to, has more to say."""
    return [volume for volume in service.get("volumes", []) if isinstance(volume, str)]


def test_the_archive_is_the_only_folder_of_the_host_that_is_written_to(services):
    written = {
        name: v
        for name, service in services.items()
        for v in service.get("volumes", [])
        if v not in _short(service) and not v.get("read_only")
    }
    assert written == {
        "postgres": {
            "type": "bind",
            "source": "../../backups/wal",
            "target": "/var/lib/stackctl/wal",
            "bind": {"create_host_path": False},
        }
    }
    assert services["postgres"]["group_add"] == ["1000"]


def test_what_is_mounted_is_rendered(tmp_path):
    files = compose_files(sized())
    write(tmp_path, files)
    for service in yaml.safe_load(by_path(files)["compose.yaml"])["services"].values():
        for volume in _short(service):
            source = volume.split(":")[0]
            if source == "./grafana/dashboards":
                continue  # nothing but dashboards goes there
            if source.startswith("."):
                assert any((tmp_path / source).iterdir()), source


def test_secrets_are_files_and_never_in_the_environment(services):
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASS|SECRET|TOKEN|(?<!PUBLIC_)KEY", key):
                assert re.search(r"/run/secrets|^/run/secrets$", value), key
    assert "password" not in str([s.get("command") for s in services.values()])


def test_each_container_gets_only_its_secrets():
    compose = _compose()
    given = {name: service.get("secrets", []) for name, service in compose["services"].items()}
    roles = ("owner", "app", "monitor", "backup", "report")
    assert given == {
        "postgres": ["superuser_password", *(f"{role}_verifier" for role in roles)],
        "migrate": ["owner_password"],
        "app": ["app_password"],
        "exporter": ["monitor_password", "exporter_web"],
        "observer": ["monitor_password"],
        "prometheus": ["exporter_password"],
        "alertmanager": [],
        "grafana": ["grafana_password"],
    }
    assert set(compose["secrets"]) == {name for names in given.values() for name in names}
    assert compose["secrets"]["app_password"] == {"file": "../secrets/app_password"}


def test_alertmanager_mounts_what_its_receivers_keep_secret_and_is_published_as_before():
    hook = AlertReceiver("ops", "webhook", options={"url_file": "url", "token_file": "token"})
    mail = {"to": "a@b.c", "sender": "a@b.c", "server": "b.c:25", "username": "a", "password_file": "pw"}
    told = AlertSettings((hook, AlertReceiver("mail", "email", options=mail)))
    compose = yaml.safe_load(by_path(compose_files(sized(), alerts=told))["compose.yaml"])
    names = ["alert_ops_url", "alert_ops_token", "alert_mail_password"]
    services = compose["services"]
    assert services["alertmanager"]["secrets"] == names
    others = {name for key, each in services.items() if key != "alertmanager" for name in each.get("secrets", [])}
    assert not others & set(names)
    assert compose["secrets"]["alert_ops_url"] == {"file": "../secrets/alert_ops_url"}
    assert services["alertmanager"]["ports"] == ["127.0.0.1:9093:9093"]
    # A profile without Alertmanager has no use for them.
    small = yaml.safe_load(by_path(compose_files(sized(SMALL), alerts=told))["compose.yaml"])
    assert not set(names) & set(small["secrets"])


def test_images_have_exact_tags(services):
    for service in services.values():
        _, tag = service["image"].rsplit(":", 1)
        assert re.match(r"\d", tag)


def test_the_app_waits_for_the_database_and_its_migration(services):
    assert services["app"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_app_gets_its_pool_and_its_limits():
    app = _compose()["services"]["app"]["environment"]
    expected = {
        "BIND": "0.0.0.0:4444",
        "DATABASE_URL": "postgresql+psycopg://app@postgres:5432/app",
        "DB_PASSWORD_FILE": "/run/secrets/app_password",
        "DB_POOL_SIZE": "20",
        "DB_MAX_OVERFLOW": "5",
        "DB_POOL_TIMEOUT": "30",
        "DB_POOL_RECYCLE": "1800",
        "DB_POOL_PRE_PING": "true",
        "METRICS_ADDRESS": "0.0.0.0",
        "METRICS_PORT": "4445",
        "PG_CONNECT_TIMEOUT": "10",
        "PG_KEEPALIVES_IDLE": "30",
        "PG_PREPARED_STATEMENT_CACHE": "100",
        "PG_STATEMENT_TIMEOUT": "30000",
        "WEB_CONCURRENCY": "4",
    }
    assert {key: app[key] for key in expected} == expected


def test_prometheus_keeps_to_its_share_of_the_disk():
    command = _compose(changed(disk_gib=200))["services"]["prometheus"]["command"]
    assert "--storage.tsdb.retention.size=4096MB" in command
    command = _compose(SMALL)["services"]["prometheus"]["command"]
    assert "--storage.tsdb.retention.size=409MB" in command


def test_the_checkpointer_is_watched_where_it_has_a_view():
    flag = "--collector.stat_checkpointer"
    assert [flag in _compose(changed(postgres=v))["services"]["exporter"]["command"] for v in (16, 17)] == [False, True]


def _check(folder: Path) -> subprocess.CompletedProcess[str]:
    # Compose reads .env of its folder and variables of the caller; neither may matter.
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        ["docker", "compose", "-f", str(folder / "compose.yaml"), "config", "--quiet"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("profile", [*PROFILES, POOLED], ids=["reference", "small", "large", "15", "pooled"])
def test_docker_compose_accepts_it_without_a_word(tmp_path, profile):
    write(tmp_path, compose_files(sized(profile)))
    done = _check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_docker_compose_refuses_a_broken_one(tmp_path):
    write(tmp_path, compose_files(sized()))
    path = tmp_path / "compose.yaml"
    path.write_text(path.read_text().replace("mem_limit:", "memory_limit:", 1))
    assert _check(tmp_path).returncode != 0
