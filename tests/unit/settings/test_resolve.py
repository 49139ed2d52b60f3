"""Settings from all layers: precedence, defaults, every problem at once."""

import json
import re
import subprocess
import sys

import pytest

from stackctl import assets
from stackctl.errors import ProfileError, UsageError
from stackctl.hardware.model import Backlog, HardwareProfile, Host, Pooler, Storage, Wal, Workload
from stackctl.settings.environment import KEYS, PINS
from stackctl.settings.model import Ports
from stackctl.settings.resolve import default_workers, resolve
from stackctl.units import GIB, MIB, Bytes

HOST = Host(Bytes(8 * GIB), 2, Bytes(100 * GIB), Storage.NVME)


def _resolve(project, flags=None, sets=(), environ=None, host=HOST):
    return resolve(project, flags or {}, sets, environ or {}, host, default_name="shop-0a1b2c", default_postgres=18)


def _problems(*args, **kwargs):
    with pytest.raises(ProfileError) as caught:
        _resolve(*args, **kwargs)
    return [problem.message for problem in caught.value.problems]


def test_nothing_given_is_the_host_and_the_defaults(tmp_path):
    settings = _resolve(tmp_path)
    assert settings.profile == HardwareProfile(
        ram=Bytes(8_589_934_592),
        cpus=2,
        storage=Storage.NVME,
        disk=Bytes(107_374_182_400),
        workload=Workload.WEB,
        postgres=18,
        app_workers=4,
        pooler=Pooler.NONE,
    )
    assert (settings.name, settings.engine, settings.images, settings.fit) == (
        "shop-0a1b2c",
        "auto",
        None,
        False,
    )
    assert (settings.ports, dict(settings.pins), settings.warnings) == (Ports(), {}, ())
    assert {key for key, source in settings.provenance.items() if source == "detected"} == {
        "ram", "cpus", "disk", "storage"
    }  # fmt: skip
    assert settings.provenance["workload"] == settings.provenance["ports.app"] == "default"


def test_what_becomes_of_wal_comes_from_the_section_of_backups(tmp_path):
    (tmp_path / "stackctl.yaml").write_text("backup: {wal: sync, backlog: Keep}\n")
    profile = _resolve(tmp_path).profile
    assert (profile.wal, profile.backlog) == (Wal.SYNC, Backlog.KEEP)
    (tmp_path / "stackctl.yaml").write_text("backup: {backlog: kept}\n")
    (problem,) = _problems(tmp_path)
    assert "'kept' is not one of drop, keep" in problem


LAYERS = ("stackctl.yaml", ".env", "environment", "flag")


@pytest.mark.parametrize("top", range(4))
def test_each_layer_beats_the_ones_below_it(tmp_path, top):
    sizes, memories = ("1G", "2G", "3G", "4G"), ("1MB", "2MB", "3MB", "4MB")
    flags, sets, environ = {}, [], {}
    (tmp_path / "stackctl.yaml").write_text("profile:\n  ram: 1G\npostgres:\n  work_mem: 1MB\n")
    if top >= 1:
        (tmp_path / ".env").write_text("STACKCTL_RAM=2G\nPG_WORK_MEM=2MB\n")
    if top >= 2:
        environ = {"STACKCTL_RAM": "3G", "PG_WORK_MEM": "3MB"}
    if top >= 3:
        flags, sets = {"ram": "4G"}, ["work_mem=4MB"]
    settings = _resolve(tmp_path, flags, sets, environ)
    assert settings.profile.ram == int(sizes[top][0]) * 1_073_741_824
    assert settings.provenance["ram"] == LAYERS[top]
    assert (settings.pins["work_mem"].value, settings.pins["work_mem"].provenance) == (
        memories[top],
        LAYERS[top],
    )


@pytest.mark.parametrize(
    ("ram", "cpus", "workers"),
    [
        (2 * GIB - 1, 64, 1),
        (2 * GIB, 64, 2),
        (4 * GIB - 1, 64, 2),
        (4 * GIB, 1, 4),
        (16 * GIB, 4, 4),
        (64 * GIB, 12, 12),
        (64 * GIB, 64, 16),
    ],
)
def test_default_workers_are_bounded_by_ram_and_cpus(ram, cpus, workers):
    assert default_workers(Bytes(ram), cpus) == workers


def test_workers_follow_the_given_ram_and_not_the_host(tmp_path):
    assert _resolve(tmp_path, {"ram": "1G"}).profile.app_workers == 1
    assert _resolve(tmp_path, {"ram": "16G", "cpus": "8"}).profile.app_workers == 8


def test_all_problems_of_all_layers_at_once_with_their_places(tmp_path):
    (tmp_path / "stackctl.yaml").write_text("name: shop\nprofile:\n  disk: 200\n")
    (tmp_path / ".env").write_text("\n\nSTACKCTL_STORAGE=sdd\n")
    messages = _problems(
        tmp_path,
        {"ram": "16", "fit": "perhaps"},
        ["work_mem"],
        {"STACKCTL_CPUS": "1.5", "PG_MAX_CONNECTIONS": "5"},
    )
    assert messages == [
        "stackctl.yaml:3: profile.disk: '200' is not a size with a unit, such as 16G or 512M",
        "--set work_mem: not of the form NAME=VALUE",
        "STACKCTL_CPUS: '1.5' is not a whole number of CPUs",
        ".env:3: STACKCTL_STORAGE: 'sdd' is not one of hdd, ssd, nvme, network",
        "PG_MAX_CONNECTIONS: 5 is outside 20 to 10000",
    ]


def test_flags_are_checked_and_named(tmp_path):
    assert _problems(tmp_path, {"ram": "16", "pg": "14", "connections": "19", "app_workers": "0"}) == [
        "--ram: '16' is not a size with a unit, such as 16G or 512M",
        "--pg: PostgreSQL 14 is not supported: its community support ends in November 2026",
        "--app-workers: 0 is outside 1 to 256",
        "--connections: 19 is outside 20 to 10000",
    ]


def test_a_bad_value_that_a_higher_layer_replaces_does_no_harm(tmp_path):
    assert _resolve(tmp_path, {"cpus": "3"}, environ={"STACKCTL_CPUS": "lots"}).profile.cpus == 3


def test_contradicting_flags_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        _resolve(tmp_path, {"connections": "150"}, ["max_connections=200"])


def test_a_host_that_is_too_small_only_counts_where_it_is_used(tmp_path):
    small = Host(Bytes(400 * MIB), 1, Bytes(500 * MIB), Storage.SSD)
    assert _problems(tmp_path, host=small) == [
        "this host: ram of 400 MiB is less than 512 MiB",
        "this host: disk of 500 MiB is less than 1 GiB",
    ]
    assert _resolve(tmp_path, {"ram": "16G", "disk": "9G"}, host=small).profile.ram == 17_179_869_184


def test_ports_from_the_file_and_two_that_collide(tmp_path):
    path = tmp_path / "stackctl.yaml"
    path.write_text("ports:\n  app: 8080\n")
    settings = _resolve(tmp_path)
    assert (settings.ports.app, settings.ports.grafana) == (8080, 3000)
    assert settings.provenance["ports.app"] == "stackctl.yaml"
    path.write_text("ports:\n  app: 3000\n")
    assert _problems(tmp_path) == ["stackctl.yaml: ports: app and grafana are both 3000"]
    # The port of a pooler that nobody asked for is free for others.
    path.write_text("ports:\n  postgres: 6432\n")
    assert _resolve(tmp_path).ports.postgres == 6432
    assert _problems(tmp_path, {"pooler": "pgbouncer"}) == [
        "stackctl.yaml: ports: postgres and pgbouncer are both 6432"
    ]


def test_app_pins_are_spelled_for_sizing_and_origins_name_their_line(tmp_path):
    (tmp_path / "stackctl.yaml").write_text("app:\n  statement_timeout: 5s\n")
    settings = _resolve(tmp_path, environ={"DB_POOL_PRE_PING": "True"})
    assert settings.pins["PG_STATEMENT_TIMEOUT"].value == "5000"
    assert settings.pins["DB_POOL_PRE_PING"].value == "on"
    assert settings.origins["PG_STATEMENT_TIMEOUT"] == "stackctl.yaml:2: app.statement_timeout"


def test_an_unreadable_dotenv_is_reported_with_the_rest(tmp_path):
    (tmp_path / ".env").mkdir()
    assert _problems(tmp_path, {"cpus": "0"}) == [
        ".env: cannot be read: Is a directory",
        "--cpus: 0 is outside 1 to 1024",
    ]


def test_warnings_of_dotenv_are_kept(tmp_path):
    (tmp_path / ".env").write_text("STACKCTL_RMA=1G\n")
    assert [warning.hint for warning in _resolve(tmp_path).warnings] == ["did you mean STACKCTL_RAM?"]


def test_a_project_path_with_spaces_and_accents(tmp_path):
    project = tmp_path / "mon été #1 's"
    project.mkdir()
    (project / "stackctl.yaml").write_text("profile: {cpus: 7}\n")
    (project / ".env").write_text("STACKCTL_RAM=7G\n")
    profile = _resolve(project).profile
    assert (profile.cpus, profile.ram) == (7, 7_516_192_768)


def test_the_environment_example_sets_every_name_when_switched_on(tmp_path):
    (tmp_path / ".env").write_text(re.sub(r"^#(?=[A-Z])", "", assets.read(".env.example"), flags=re.MULTILINE))
    settings = _resolve(tmp_path)
    assert {key for key, source in settings.provenance.items() if source == ".env"} == set(KEYS.values())
    assert set(settings.pins) == set(PINS.values())
    assert (settings.profile.ram, settings.profile.postgres) == (17_179_869_184, 17)


def test_without_files_nothing_heavy_is_imported(tmp_path):
    code = f"""
import json, pathlib, sys
from stackctl.hardware.model import Host, Storage
from stackctl.settings.resolve import resolve
host = Host(2**33, 2, 2**40, Storage.SSD)
place = pathlib.Path({str(tmp_path)!r})
resolve(place, {{}}, [], {{"STACKCTL_RAM": "16G"}}, host, default_name="x", default_postgres=18)
print(json.dumps(sorted(set(sys.modules) & {{"pydantic", "yaml", "dotenv", "jinja2", "docker", "typer"}})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
