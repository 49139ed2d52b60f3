"""`stackctl size` beside other tuners, and in its formats."""

import subprocess
import sys

import pytest

from command_line import clean_environment, document, stackctl

MACHINE = ("--ram", "16G", "--cpus", "4", "--storage", "ssd", "--disk", "200G", "--pg", "17", "--app-workers", "4")
PEERS = "pgtune,timescaledb-tune,pigsty,stock,guide"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--compare", "pgtun"), "--compare 'pgtun' is not one of pgtune, timescaledb-tune,", "did you mean pgtune?"),
        (("--compare", "stock,Timescale-tune"), "--compare 'Timescale-tune' is", "did you mean timescaledb-tune?"),
        (("--compare", "x"), "--compare 'x' is not one of", "write --compare pgtune,stock, for example"),
        (("--compare", " , "), "--compare names no tuner", f"known are {PEERS.replace(',', ', ')}"),
        (("--format", "xml"), "--format 'xml' is not one of table, conf, json", "the default is table"),
        (("--format", ""), "--format '' is not one of table, conf, json", "the default is table"),
        (("--json", "--format", "conf"), "--json and --format conf contradict", "leave one of them out"),
        (("--json", "--format=table"), "--json and --format table contradict", "leave one of them out"),
        (("--compare", "stock", "--format", "conf"), "--compare and --format conf contradict", "leave one of them out"),
    ],
)
def test_what_is_refused(cli, words, message, hint):
    code, out, err = cli("size", *MACHINE, *words)
    if "--json" in words:
        [problem] = document(out)["errors"]
        assert (code, problem["code"], problem["hint"]) == (2, "usage", hint)
        assert problem["message"].startswith(message)
        return
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.endswith(f"({hint})\n")


def test_compared_in_json(cli_json):
    code, answer = cli_json("size", *MACHINE, "--compare", "pgtune, stock,pgtune")
    plain = cli_json("size", *MACHINE)[1]["data"]
    compared = answer["data"].pop("compare")
    assert (code, answer["data"]) == (0, plain)
    assert list(compared) == ["peers", "parameters", "memory"]
    assert compared["peers"] == ["pgtune", "stock"]
    rows = {row["name"]: row for row in compared["parameters"]}
    assert list(rows) == [row["name"] for row in compared["parameters"]]
    assert list(rows)[: len(plain["parameters"])] == [each["name"] for each in plain["parameters"]]
    assert rows["work_mem"] == {
        "name": "work_mem",
        "default": "4MB",
        "stackctl": "32MB",
        "peers": {"pgtune": "20560kB", "stock": None},
    }
    assert rows["jit"]["peers"] == {"pgtune": "off", "stock": None}
    assert all(set(row["peers"]) == {"pgtune", "stock"} for row in rows.values())


def test_memory_that_the_settings_of_each_could_use(cli_json):
    data = cli_json("size", *MACHINE, "--compare", PEERS)[1]["data"]
    memory = {use["peer"]: use for use in data["compare"]["memory"]}
    assert list(memory) == ["stackctl", *PEERS.split(",")]
    assert all(use["limit_bytes"] == data["memory"]["limit_bytes"] for use in memory.values())
    assert memory["stackctl"]["worst_case_bytes"] == data["memory"]["worst_case_bytes"]
    # 4 GB + 200 x (10 MB + 2 x 20560 kB) + 3 x 1 GB
    assert memory["pgtune"]["worst_case_bytes"] == 4 * 2**30 + 200 * (10 * 2**20 + 2 * 20560 * 1024) + 3 * 2**30
    # 128 MB + 100 x (10 MB + 2 x 4 MB) + 3 x 64 MB
    assert memory["stock"]["worst_case_bytes"] == 2120 * 2**20
    # 4 GB + 500 x (10 MB + 8 x 64 MB) + 3 x 1 GB
    assert memory["pigsty"]["worst_case_bytes"] == 268_168 * 2**20
    # 4 GB + 200 x (10 MB + 2 x 32 MB) + 4 x 1 GB
    assert memory["guide"]["worst_case_bytes"] == 22_992 * 2**20


def test_autovacuum_has_its_own_memory_where_a_tuner_gives_it(cli_json):
    machine = ("--ram", "64G", "--cpus", "16", "--storage", "nvme", "--workload", "oltp", "--pg", "17")
    data = cli_json("size", *machine, "--compare", "pgtune")[1]["data"]
    # 16 GB + 300 x (10 MB + 2 x 53092 kB) + 4 x 2 GB
    expected = 16 * 2**30 + 300 * (10 * 2**20 + 2 * 53092 * 1024) + 4 * 2 * 2**30
    assert data["compare"]["memory"][1]["worst_case_bytes"] == expected


def test_sizes_and_times_are_spelled_as_ours(cli_json):
    data = cli_json("size", *MACHINE, "--compare", "pigsty,timescaledb-tune")[1]["data"]
    rows = {row["name"]: row for row in data["compare"]["parameters"]}
    assert rows["shared_buffers"]["peers"] == {"pigsty": "4GB", "timescaledb-tune": "4GB"}
    assert rows["log_min_duration_statement"]["peers"]["pigsty"] == "100ms"
    assert rows["autovacuum_naptime"]["peers"]["timescaledb-tune"] == "10s"
    assert rows["autovacuum_vacuum_cost_limit"]["peers"]["pigsty"] == "-1"
    # an extension's, which the server does not know
    assert rows["timescaledb.max_background_workers"] == {
        "name": "timescaledb.max_background_workers",
        "default": None,
        "stackctl": None,
        "peers": {"pigsty": None, "timescaledb-tune": "16"},
    }


def test_compared_for_people(cli):
    code, out, _ = cli("size", *MACHINE, "--compare", "pgtune,stock,timescaledb-tune")
    lines = out.splitlines()
    assert code == 0
    assert "(value): not set, PostgreSQL's default; -: unknown to PostgreSQL 17" in lines
    assert ["parameter", "stackctl", "pgtune", "stock", "timescaledb-tune"] in [line.split() for line in lines]
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["work_mem"] == ["32MB", "20560kB", "(4MB)", "32MB"]
    assert rows["max_wal_size"] == ["4GB", "4GB", "(1GB)", "1GB"]
    assert rows["timescaledb.max_background_workers"] == ["-", "-", "-", "16"]
    assert " ".join(rows["stock"]) == "up to 2.1 GiB of 12.4 GiB 128MB + 100 x (10MB + 4MB x 2) + 3 x 64MB"
    assert rows["stackctl"][-7:] == ["the", "worst", "case", "of", "the", "memory", "proof"]
    assert any(line.startswith("The others' sums are a simple model") for line in lines)


def test_a_failing_proof_beside_others_exits_10(cli_json):
    code, answer = cli_json("size", *MACHINE, "--set", "work_mem=1GB", "--compare", "stock")
    assert (code, answer["ok"]) == (10, False)
    assert {row["name"]: row["stackctl"] for row in answer["data"]["compare"]["parameters"]}["work_mem"] == "1GB"


def test_a_pin_that_is_no_number_can_be_compared(cli_json):
    code, answer = cli_json("size", *MACHINE, "--set", "TimeZone=UTC", "--compare", "pigsty")
    rows = {row["name"]: row["stackctl"] for row in answer["data"]["compare"]["parameters"]}
    assert (code, rows["TimeZone"]) == (0, "UTC")


def test_format_json_is_json(cli):
    assert cli("size", *MACHINE, "--format", "json") == cli("size", *MACHINE, "--json")
    code, out, _ = cli("size", "--format=json", "--no-such")
    assert (code, document(out)["errors"][0]["code"]) == (2, "usage")
    code, out, _ = cli("size", "--ram", "16", "--format", "json")
    assert (code, document(out)["errors"][0]["code"]) == (10, "bad_value")


def test_format_table_is_the_default(cli):
    assert cli("size", *MACHINE, "--format", "table") == cli("size", *MACHINE)


def test_format_conf_is_the_file_that_render_writes(cli, tmp_path):
    code, out, _ = cli("size", *MACHINE, "--format", "conf")
    assert code == 0
    assert cli("render", "--out", "there", "--target", "conf", *MACHINE)[0] == 0
    assert out == (tmp_path / "there" / "postgresql.conf").read_text()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--set", "work_mem=1GB"), "error: worst case "),
    ],
)
def test_a_file_that_is_not_safe_is_not_handed_out(cli, words, error):
    code, out, err = cli("size", *MACHINE, "--format", "conf", *words)
    assert (code, out) == (10, "")
    assert error in err


def test_conf_has_its_warnings_on_stderr(cli):
    code, out, err = cli("size", "--ram", "900G", "--cpus", "4", "--pg", "17", "--format", "conf")
    assert code == 0
    assert "warning: profile.ram: 900 GiB is more than this host's" in err
    assert "warning" not in out


def test_a_pipe_gets_the_same_lines_whatever_its_columns(tmp_path):
    narrow = stackctl("size", *MACHINE, cwd=tmp_path, COLUMNS="40")
    assert narrow.stdout == stackctl("size", *MACHINE, cwd=tmp_path, COLUMNS="300").stdout
    rows = [line for line in narrow.stdout.splitlines() if line.startswith("shared_buffers ")]
    assert len(rows) == 1
    assert len(rows[0]) > 80


LOADED = """
import sys
from stackctl.cli.main import run
run(["size", "--ram", "16G", "--json"])
late = [name for name in sys.modules if name.startswith("stackctl.") and name.split(".")[-1] in
        ("compare", "conf", "peers", "layout", "terminal", "render")]
sys.stderr.write(f"{late}")
"""


def test_what_only_comparing_needs_is_not_loaded(tmp_path):
    words = [sys.executable, "-c", LOADED]
    done = subprocess.run(words, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.stderr == "[]"
