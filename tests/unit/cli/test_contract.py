"""The command line contract: exit codes, and one JSON document on stdout whatever happens."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command_line import PROGRAM, clean_environment, document, stackctl
from stackctl.cli.main import run

MACHINE = ("--ram", "16G", "--cpus", "4", "--storage", "ssd", "--disk", "200G", "--pg", "17", "--app-workers", "4")
COMMANDS = ["init", "size", "render", "plan", "up", "down", "status", "health", "logs", "doctor", "connect"]


@pytest.mark.parametrize(
    ("words", "exit_code", "code", "message"),
    [
        (("size", "--ram", "16"), 10, "bad_value", "--ram: '16' is not a size with a unit"),
        (("size", "--ram", "16X"), 10, "bad_value", "--ram: '16X' is not a size with a unit"),
        (("size", "--ram", "0"), 10, "bad_value", "--ram: '0' is not a size with a unit"),
        (("size", "--ram", "0G"), 10, "bad_value", "--ram: '0G' is not more than zero"),
        (("size", "--ram", "-1G"), 10, "bad_value", "--ram: '-1G' is not a size with a unit"),
        (("size", "--ram=-1G"), 10, "bad_value", "--ram: '-1G' is not a size with a unit"),
        (("size", "--ram", "100M"), 10, "bad_value", "--ram: '100M' is less than 512M"),
        (("size", "--ram", ""), 10, "bad_value", "--ram: '' is not a size with a unit"),
        (("size", "--cpus", "0"), 10, "bad_value", "--cpus: 0 is outside 1 to 1024"),
        (("size", "--cpus", "1.5"), 10, "bad_value", "--cpus: '1.5' is not a whole number of CPUs"),
        (("size", "--disk", "200"), 10, "bad_value", "--disk: '200' is not a size with a unit"),
        (("size", "--storage", "tape"), 10, "bad_value", "--storage: 'tape' is not one of hdd, ssd, nvme, network"),
        (("size", "--workload", "games"), 10, "bad_value", "--workload: 'games' is not one of web, oltp"),
        (("size", "--pg", "14"), 10, "bad_value", "--pg: PostgreSQL 14 is not supported"),
        (("size", "--app-workers", "0"), 10, "bad_value", "--app-workers: 0 is outside 1 to 256"),
        (("size", "--connections", "5"), 10, "bad_value", "--connections: 5 is outside 20 to 10000"),
        (("size", "--pooler", "odyssey"), 10, "bad_value", "--pooler: 'odyssey' is not one of none, pgbouncer"),
        (("size", "--build", "gzip"), 10, "bad_value", "--build: 'gzip' is no feature of a build"),
        (("size", "--build", "/not/there"), 10, "profile", "profile.build: /not/there has no program postgres"),
        (("size", "--engine", "podman"), 10, "bad_value", "--engine: 'podman' is not one of auto, docker, embedded"),
        (("size", "--set", "work_mem"), 10, "bad_set", "--set work_mem: not of the form NAME=VALUE"),
        (("size", "--set", "work_mem=128M"), 10, "bad_value", "--set: work_mem: '128M' is not a PostgreSQL memory"),
        (("size", "--set", "wrok_mem=1MB"), 10, "unknown_parameter", "--set: PostgreSQL 18 has no parameter 'wrok_m"),
        (("size", "--pg", "15", "--set", "transaction_timeout=1s"), 10, "unknown_parameter", "--set: PostgreSQL 15"),
        (("size", *MACHINE, "--set", "work_mem=1GB"), 10, "memory", "worst case 127.8 GiB is more than"),
        (("size", *MACHINE, "--set", "DB_POOL_SIZE=99"), 10, "pool_too_large", "pools of 4 workers x 99 = 396"),
        (("size", "--connections", "50", "--set", "max_connections=60"), 2, "usage", "--connections and --set"),
        (("size", "--no-such"), 2, "usage", "No such option: --no-such"),
        (("size", "--ram"), 2, "usage", "Option '--ram' requires an argument"),
        (("size", "extra"), 2, "usage", "Got unexpected extra argument"),
        (("no-such",), 2, "usage", "No such command 'no-such'"),
        ((), 2, "usage", "no command is given"),
        (("render",), 2, "usage", "Missing option '--out'"),
        (("render", "--out", "x", "--target", "helm"), 2, "usage", "--target 'helm' is not one of compose"),
        (("up", "--timeout", "0"), 2, "usage", "Invalid value for '--timeout'"),
        (("--project", "not/there", "size"), 10, "profile", "not/there: no such folder"),
        (("up", "--ram", "900T"), 10, "larger_than_host", "profile.ram: 900 TiB is more than this host's"),
        (("plan", "--cpus", "1000"), 10, "larger_than_host", "profile.cpus: 1000 is more than this host's"),
        (("logs",), 21, "no_engine", "nothing was brought up in"),
        (("bench", "--from-statements", "--scale", "5"), 2, "usage", "--from-statements and --scale contradict"),
        (("bench", "--from-statements", "--script", "a"), 2, "usage", "--script and --from-statements contradict"),
        (("logs", "--follow"), 2, "usage", "--json and --follow contradict"),
        (("logs", "app", "-f", "--slow"), 2, "usage", "--json and --follow contradict"),
    ],
)  # fmt: skip
def test_failures(cli_json, tmp_path, words, exit_code, code, message):
    found, answer = cli_json(*words)
    assert found == exit_code
    assert answer["ok"] is False
    first = next((problem for problem in answer["errors"] if problem["code"] == code), None)
    assert first is not None, answer["errors"]
    assert first["message"].startswith(message)
    assert answer["command"] == next((word for word in words if word in (*COMMANDS, "bench", "no-such")), "")
    # A refused command leaves nothing behind.
    assert list(tmp_path.iterdir()) == []


def test_a_failure_for_people_is_on_stderr_with_its_hint(cli):
    code, out, err = cli("size", "--ram", "16")
    assert (code, out) == (10, "")
    assert err == "error: --ram: '16' is not a size with a unit, such as 16G or 512M (write 16G)\n"


def test_all_faults_of_the_project_file_at_once_with_their_lines(cli_json, tmp_path):
    (tmp_path / "stackctl.yaml").write_text("profil:\n  ram: 16G\nprofile:\n  cpus: many\nports:\n  app: [4444]\n")
    code, answer = cli_json("size")
    assert code == 10
    assert [problem["message"][:17] for problem in answer["errors"]] == [
        "stackctl.yaml:1: ",
        "stackctl.yaml:4: ",
        "stackctl.yaml:6: ",
    ]


def test_a_wrong_pin_in_the_project_file_is_found_by_its_line(cli_json, tmp_path):
    (tmp_path / "stackctl.yaml").write_text("postgres:\n  jit: off\n  work_mem: 16M\n")
    code, answer = cli_json("size")
    assert (code, answer["errors"][0]["message"][:26]) == (10, "stackctl.yaml:3: postgres:"[:26])


@pytest.mark.parametrize("name", [".env", "stackctl.yaml"])
def test_a_settings_file_that_cannot_be_read(cli_json, tmp_path, name):
    (tmp_path / name).mkdir()
    code, answer = cli_json("size")
    assert (code, answer["errors"][0]["code"]) == (10, "unreadable")


def test_a_project_folder_that_is_a_file(cli_json, tmp_path):
    (tmp_path / "file").write_text("")
    assert cli_json("--project", "file", "size")[0] == 10


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "--project", "shop", "size", "--ram", "2G"),
        ("size", "--ram", "2G", "--json", "--project", "shop"),
        ("size", "--project=shop", "--ram", "2G", "--json"),
        ("--project=shop", "size", "--json", "--ram", "2G"),
    ],
)
def test_global_options_work_before_and_after_the_command(cli, tmp_path, words):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/stackctl.yaml").write_text("profile: {workload: dev}\n")
    code, out, _ = cli(*words)
    answer = document(out)
    assert (code, answer["command"], answer["data"]["profile"]["workload"]) == (0, "size", "dev")


def test_size_prints_the_document_of_the_contract(cli_json):
    code, answer = cli_json("size", *MACHINE)
    data = answer["data"]
    assert (code, answer["ok"], answer["errors"]) == (0, True, [])
    assert data["profile"] | {"provenance": None} == {
        "ram_bytes": 17_179_869_184,
        "cpus": 4,
        "storage": "ssd",
        "disk_bytes": 214_748_364_800,
        "workload": "web",
        "postgres": 17,
        "app_workers": 4,
        "pooler": "none",
        "wal_rate_bytes": None,
        "disk_limit": None,
        "provenance": None,
    }
    assert data["budget"][1] == {"service": "postgres", "memory_bytes": 13_313_769_472, "cpus": 1.74}
    assert data["connections"] == {
        "max_connections": 200,
        "workers": 4,
        "pool_size": 20,
        "max_overflow": 5,
        "app_total": 100,
        "reserved": 22,
        "headroom": 78,
    }
    memory = data["memory"]
    assert (memory["limit_bytes"], memory["worst_case_bytes"]) == (13_313_769_472, 12_863_828_524)
    assert (memory["verdict"], memory["fix"]) == ("ok", None)
    assert memory["worst_case_bytes"] == sum(item["bytes"] for item in memory["items"])
    assert all(list(item) == ["name", "bytes", "formula"] for item in memory["items"])
    keys = ["name", "value", "default", "restart", "why", "source", "provenance"]
    assert all(list(parameter) == keys for parameter in data["parameters"])
    values = {parameter["name"]: parameter["value"] for parameter in data["parameters"]}
    always = ("shared_buffers", "effective_cache_size", "work_mem", "max_wal_size", "max_connections")
    assert [values[name] for name in always] == ["4GB", "12GB", "32MB", "4GB", "200"]


def test_size_says_who_decided(cli_json, tmp_path, monkeypatch):
    (tmp_path / "stackctl.yaml").write_text("profile:\n  workload: oltp\n  cpus: 8\npostgres:\n  jit: on\n")
    (tmp_path / ".env").write_text("STACKCTL_CPUS=6\nSTACKCTL_STORAGE=hdd\nPG_WORK_MEM=8MB\n")
    monkeypatch.setenv("STACKCTL_CPUS", "5")
    _, answer = cli_json("size", "--ram", "16G", "--set", "geqo=off")
    sources = answer["data"]["profile"]["provenance"]
    assert [sources[key] for key in ("ram", "cpus", "storage", "workload", "disk", "postgres")] == [
        "flag",
        "environment",
        ".env",
        "stackctl.yaml",
        "detected",
        "default",
    ]
    assert answer["data"]["profile"]["cpus"] == 5
    pinned = {p["name"]: p["provenance"] for p in answer["data"]["parameters"] if p["provenance"] != "sized"}
    assert pinned == {
        "jit": "stackctl.yaml",
        "work_mem": ".env",
        "geqo": "flag",
        "shared_preload_libraries": "mandatory",
    }


def test_size_twice_is_the_same(cli):
    assert cli("size", *MACHINE, "--json") == cli("size", *MACHINE, "--json")
    assert cli("size", *MACHINE) == cli("size", *MACHINE)


def test_a_failing_proof_is_printed_all_the_same(cli, cli_json):
    code, answer = cli_json("size", *MACHINE, "--set", "work_mem=1GB")
    assert (code, answer["ok"], answer["data"]["memory"]["verdict"]) == (10, False, "fail")
    assert len(answer["data"]["parameters"]) > 40
    code, out, err = cli("size", *MACHINE, "--set", "work_mem=1GB")
    assert code == 10
    assert "Memory proof" in out
    assert "Memory fail: 127.8 GiB of 12.4 GiB; work_mem at most " in out
    assert "error: worst case 127.8 GiB" in err


def test_size_for_people_shows_detected_values_and_the_pool_per_worker(cli):
    _, out, _ = cli("size", "--ram", "16G", "--app-workers", "4")
    assert "Detected on this host: cpus, disk, storage" in out
    assert "Pools: 20 + 5 overflow per worker x 4 workers = 100 of 200 connections; 22 reserved" in out


def test_a_profile_larger_than_the_host_is_a_warning_until_it_is_to_run(cli_json, tmp_path):
    code, answer = cli_json("size", "--ram", "900T")
    assert (code, [warning["code"] for warning in answer["warnings"]]) == (0, ["larger_than_host"])
    code, answer = cli_json("size", "--ram", "900T", "--fit")
    assert (code, answer["data"]["profile"]["ram_bytes"] < 900 * 2**40) == (0, True)


def test_small_machines_are_warned(cli_json):
    _, answer = cli_json("size", "--ram", "1G", "--cpus", "1")
    assert [w["message"] for w in answer["warnings"] if w["code"] == "small_host"] == [
        "no Grafana and no Alertmanager below 2 GiB of RAM"
    ]


def test_init_writes_what_resolves_to_the_same_profile(cli, cli_json, tmp_path):
    flags = ("--ram", "2560M", "--cpus", "3", "--storage", "hdd", "--disk", "50G", "--workload", "mixed", "--pg", "16",
             "--app-workers", "2", "--pooler", "pgbouncer", "--build", "zstd,llvm",
             "--engine", "docker", "--images", "public")  # fmt: skip
    pins = ("--connections", "60", "--set", "jit=on", "--set", "log_line_prefix=%m 'q\" #", "--set", "DB_POOL_SIZE=7",
            "--set", "statement_timeout=1min", "--set", "PG_STATEMENT_TIMEOUT=5s")  # fmt: skip
    before = cli_json("size", *flags, *pins)[1]["data"]
    assert cli("init", *flags, *pins)[0] == 0
    text = (tmp_path / "stackctl.yaml").read_text()
    after = cli_json("size")[1]["data"]
    provenance = after["profile"].pop("provenance")
    before["profile"].pop("provenance")
    written = ("ram", "cpus", "storage", "disk", "workload", "postgres", "pooler", "build")
    assert {provenance[key] for key in written} == {"stackctl.yaml"}

    def undecided(parameters):
        return [{k: v for k, v in each.items() if k not in ("provenance", "why")} for each in parameters]

    key = lambda each: each["name"]  # noqa: E731
    assert sorted(undecided(after.pop("parameters")), key=key) == sorted(undecided(before.pop("parameters")), key=key)
    assert after == before
    assert (yaml.safe_load(text)["engine"], yaml.safe_load(text)["images"]) == ("docker", "public")
    assert "/" not in text.split("\n")[0]


def test_init_from_what_is_detected_resolves_to_the_same_profile(cli, cli_json):
    before = cli_json("size")[1]["data"]["profile"]
    assert cli("init")[0] == 0
    after = cli_json("size")[1]["data"]["profile"]
    assert {key: after[key] for key in after if key != "provenance"} == {
        key: before[key] for key in before if key != "provenance"
    }


def test_init_never_overwrites(cli_json, tmp_path):
    (tmp_path / "stackctl.yaml").write_text("name: mine\n")
    code, answer = cli_json("init", "--ram", "16G")
    assert (code, answer["errors"][0]["message"]) == (10, "stackctl.yaml exists and is never overwritten")
    assert (tmp_path / "stackctl.yaml").read_text() == "name: mine\n"


def test_init_refuses_what_cannot_be_sized(cli_json, tmp_path):
    assert cli_json("init", "--set", "work_mem=1M")[0] == 10
    assert list(tmp_path.iterdir()) == []


def test_init_answers_with_the_path(cli_json, tmp_path):
    code, answer = cli_json("init", "--ram", "2G")
    assert (code, answer["data"]["path"]) == (0, str(tmp_path / "stackctl.yaml"))


def test_render_writes_and_writes_again(cli, cli_json, tmp_path):
    code, answer = cli_json("render", *MACHINE, "--out", "out")
    assert (code, answer["data"]["out"], answer["data"]["target"]) == (0, str(tmp_path / "out"), "compose")
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert written == {*answer["data"]["files"], ".rendered.json"}
    assert "compose.yaml" in written
    assert cli("render", *MACHINE, "--out", "out")[0] == 0
    assert not (tmp_path / ".stackctl").exists()


def test_render_conf_is_one_file_without_includes(cli_json, tmp_path):
    code, answer = cli_json("render", *MACHINE, "--out", "out", "--target", "conf")
    assert (code, answer["data"]["files"]) == (0, ["postgresql.conf", "pg_hba.conf"])
    text = (tmp_path / "out/postgresql.conf").read_text()
    assert "\nshared_buffers = 4GB  #" in text
    assert "\nwal_compression = off" in text
    assert "include" not in text


@pytest.mark.parametrize(
    ("words", "method"),
    [
        (("--build", "lz4,zstd"), "lz4"),
        (("--build", "full", "--workload", "olap"), "lz4"),
        (("--build", "zstd"), "zstd"),
        (("--build", "portable"), "off"),
        (("--engine", "docker"), "off"),
    ],
)
def test_render_conf_uses_what_the_build_is_said_to_have(cli, tmp_path, words, method):
    assert cli("render", *MACHINE, "--out", "out", "--target", "conf", *words)[0] == 0
    assert f"\nwal_compression = {method}" in (tmp_path / "out/postgresql.conf").read_text()


def test_the_build_may_stand_in_the_project_file_and_in_the_environment(cli, tmp_path, monkeypatch):
    render = ("render", *MACHINE, "--out", "out", "--target", "conf")
    (tmp_path / "stackctl.yaml").write_text("profile:\n  build: lz4, llvm\n")
    assert cli(*render)[0] == 0
    assert "\nwal_compression = lz4" in (tmp_path / "out/postgresql.conf").read_text()
    monkeypatch.setenv("STACKCTL_BUILD", "portable")
    assert cli(*render)[0] == 0
    assert "\nwal_compression = off" in (tmp_path / "out/postgresql.conf").read_text()


@pytest.mark.parametrize("words", [("render", "--out", "out", "--target", "conf"), ("size", "--format", "conf")])
def test_a_file_that_would_not_boot_is_not_handed_out(cli, tmp_path, words):
    code, out, err = cli(*words, *MACHINE, "--set", "wal_compression=zstd")
    assert (code, out) == (10, "")
    assert "wal_compression = zstd needs a server with zstd" in err
    assert not (tmp_path / "out").exists()
    assert cli(*words, *MACHINE, "--set", "wal_compression=zstd", "--build", "zstd")[0] == 0


def test_render_refuses_a_hands_edit(cli, cli_json, tmp_path):
    cli("render", *MACHINE, "--out", "out", "--target", "conf")
    (tmp_path / "out/postgresql.conf").write_text("mine")
    code, answer = cli_json("render", *MACHINE, "--out", "out", "--target", "conf")
    assert (code, answer["errors"][0]["code"]) == (11, "edited")
    assert (tmp_path / "out/postgresql.conf").read_text() == "mine"


def test_render_refuses_what_cannot_run(cli_json, tmp_path):
    code, answer = cli_json("render", *MACHINE, "--set", "work_mem=1GB", "--out", "out")
    assert (code, answer["errors"][0]["code"]) == (10, "memory")
    assert not (tmp_path / "out").exists()


def test_render_to_a_place_that_cannot_be_written(cli_json, tmp_path):
    (tmp_path / "file").write_text("")
    assert cli_json("render", *MACHINE, "--out", "file/out")[0] == 10


def test_down_where_nothing_was_up(cli_json):
    code, answer = cli_json("down")
    assert (code, answer["data"]["stopped"], answer["data"]["data_destroyed"]) == (0, False, False)


def test_before_the_first_up_nothing_runs_and_nothing_is_healthy(cli_json, tmp_path):
    code, answer = cli_json("status")
    assert (code, answer["ok"], answer["data"]["running"], answer["data"]["services"]) == (0, True, False, [])
    code, answer = cli_json("health", "--strict")
    assert (code, answer["ok"]) == (30, False)
    code, answer = cli_json("health")
    assert (code, answer["ok"]) == (30, False)
    assert {check["id"]: check["status"] for check in answer["data"]["checks"]}["services"] == "fail"
    assert list(tmp_path.iterdir()) == []


def test_doctor_judges_this_host(cli_json, tmp_path):
    code, answer = cli_json("doctor", "--ram", "512M")
    checks = {check["id"]: check["status"] for check in answer["data"]["checks"]}
    assert {"docker_engine", "docker_compose", "embedded_engine", "memory", "disk", "ports", "clock"} <= set(checks)
    assert all(list(check) == ["id", "status", "evidence", "hint"] for check in answer["data"]["checks"])
    assert (code, answer["ok"]) == ((30, False) if "fail" in checks.values() else (0, True))
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_command_with_a_sentence(cli):
    code, out, _ = cli("--help")
    listed = dict(re.findall(r"^  ([a-z]+) +(\S.*)$", out.split("Commands:")[1], re.MULTILINE))
    assert code == 0
    assert set(COMMANDS) <= set(listed)
    assert all(len(sentence) > 15 for sentence in listed.values())


@pytest.mark.parametrize("words", [("--help",), ("size", "--help"), ("--help", "logs")])
def test_help_for_scripts_is_one_document(cli, cli_json, words):
    code, answer = cli_json(*words)
    assert (code, answer["ok"], answer["errors"]) == (0, True, [])
    assert answer["command"] == ("size" if "size" in words else "logs" if "logs" in words else "")
    assert answer["data"] == {"help": cli(*words)[1]}


def test_the_version_for_scripts_is_one_document(cli_json):
    code, answer = cli_json("--version")
    assert (code, answer["ok"], list(answer["data"])) == (0, True, ["version"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["data"]["version"])


def test_help_as_a_value_is_none(cli_json):
    assert cli_json("size", "--set", "--help")[1]["errors"][0]["code"] == "bad_set"


def test_broken_settings_are_a_warning_to_what_looks_at_a_running_stack(cli_json, tmp_path):
    (tmp_path / "stackctl.yaml").write_text("profil: {}\n")
    for command in ("status", "down", "health"):
        code, answer = cli_json(command)
        assert (code, [each["code"] for each in answer["warnings"]]) == (30 * (command == "health"), ["unknown_key"])


def test_without_a_command_it_shows_its_help_and_fails(cli):
    code, out, _ = cli()
    assert (code, out.startswith("Usage: stackctl")) == (2, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_explained(cli, command):
    code, out, _ = cli(command, "--help")
    assert code == 0
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)(.*)$", out.split("Options:")[1], re.MULTILINE)
    assert options
    for name, rest in options:
        assert name == "--help" or re.search(r"  \S|[A-Z=]$", rest), name


def test_profile_flags_are_the_same_everywhere(cli):
    flags = {"--ram", "--cpus", "--storage", "--disk", "--workload", "--pg", "--app-workers", "--connections",
             "--pooler", "--build", "--set", "--engine", "--images", "--fit"}  # fmt: skip
    for command in ("size", "render", "init", "plan", "up"):
        assert flags <= set(re.findall(r"--[a-z-]+", cli(command, "--help")[1]))


# What only a process of its own shows.


def test_the_installed_command_answers_in_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "Mein Laden – Käse & Öl"
    folder.mkdir()
    done = stackctl("--json", "--project", str(folder), "size", *MACHINE, cwd=tmp_path, LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert document(done.stdout)["data"]["connections"]["pool_size"] == 20
    done = stackctl("init", "--ram", "2G", "--json", cwd=folder)
    assert (done.returncode, document(done.stdout)["data"]["path"]) == (0, str(folder / "stackctl.yaml"))
    assert re.fullmatch(r"mein-laden-kase-ol-[0-9a-f]{6}", document(done.stdout)["data"]["name"])


@pytest.mark.parametrize("words", [("size", "--ram", "16"), ("no-such",), ("size", "--no-such")])
def test_the_installed_command_fails_with_one_document(tmp_path, words):
    done = stackctl(*words, "--json", cwd=tmp_path)
    assert done.returncode == run([*words, "--json"]) in (2, 10)
    assert (document(done.stdout)["ok"], done.stderr) == (False, "")


def test_it_is_a_module_too(tmp_path):
    words = [sys.executable, "-m", "stackctl", "--version"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, bool(re.fullmatch(r"stackctl \d+\.\d+\.\d+\n", done.stdout))) == (0, True)


@pytest.mark.parametrize("words", [("size", "--ram", "16G"), ("--version",), ("--help",)])
def test_a_reader_that_goes_away_is_no_error(tmp_path, words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [PROGRAM, *words],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


LOADED = """
import sys
sys.argv = ["stackctl", "size", "--json"]
from stackctl.cli.main import run
code = run(sys.argv[1:])
heavy = {"pydantic", "rich", "jinja2", "docker", "yaml", "fastapi", "sqlalchemy", "requests", "alembic"}
sys.stderr.write(f"{code} {sorted(heavy & set(sys.modules))}")
"""


def test_size_starts_without_the_heavy_libraries(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "0 []"
    assert json.loads(done.stdout)["ok"] is True


def test_up_of_a_machine_that_this_one_is_not_writes_nothing(tmp_path):
    done = stackctl("up", "--ram", "900T", cwd=tmp_path)
    assert done.returncode == 10
    assert "is more than this host's" in done.stderr
    assert list(Path(tmp_path).iterdir()) == []
