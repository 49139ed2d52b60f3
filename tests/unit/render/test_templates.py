"""Quoting, judged by the programs that read the files."""

import json
import shlex
import subprocess

import pytest
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import expand

from stackctl.engine.embedded.programs import wheel_folder
from stackctl.render import templates

AWKWARD = [
    "plain",
    "two words",
    "it's",
    'say "hi" now',
    "back\\slash",
    "trailing\\",
    "# not a comment",
    "50%",
    "%(here)s",
    "a=b,c=d",
    "semi;colon ;x",
    "Käse",
    "$HOME `id`",
]


def _read_by_postgres(tmp_path, name, text):
    """What a real server reads from `name = text`; `-C` prints a setting and starts nothing."""
    for file in ("pg_hba.conf", "pg_ident.conf"):
        (tmp_path / file).touch()
    conf = tmp_path / "postgresql.conf"
    conf.write_text(f"{name} = {text}  # why it's so\n")
    server = str(wheel_folder() / "postgres")
    done = subprocess.run([server, "-C", name, "-D", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


@pytest.mark.parametrize("value", [*AWKWARD, "", " ", "1.0.0", "2026-01-01", "a.b", "_x", "-", "1e5", "0x1F", "+1"])
@pytest.mark.parametrize("quote", [templates.pg_value, templates.pg_quote])
def test_postgresql_reads_back_any_text(tmp_path, quote, value):
    # A name with a dot is taken as it is, by any server.
    assert _read_by_postgres(tmp_path, "app.text", quote(value)) == value


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("work_mem", "32MB", "32768"),
        ("work_mem", "1.5GB", "1572864"),
        ("checkpoint_timeout", "1.5h", "5400"),
        ("checkpoint_completion_target", "0.9", "0.9"),
        ("autovacuum_work_mem", "-1", "-1"),
        ("random_page_cost", "4.0", "4"),
        ("jit", "off", "off"),
        ("shared_preload_libraries", "pg_stat_statements,auto_explain", "pg_stat_statements,auto_explain"),
        ("log_line_prefix", "%m [%p] user=%u,db=%d ", "%m [%p] user=%u,db=%d "),
    ],
)
def test_postgresql_reads_back_values(tmp_path, name, value, read):
    assert _read_by_postgres(tmp_path, name, templates.pg_value(value)) == read


@pytest.mark.parametrize(
    ("value", "text"),
    [("4GB", "4GB"), ("-1", "-1"), ("0.9", "0.9"), ("on", "on"), ("1.5GB", "'1.5GB'"), ("it's", "'it''s'"), ("", "''")],
)
def test_plain_values_stay_bare(value, text):
    assert templates.pg_value(value) == text


@pytest.mark.parametrize("value", AWKWARD)
def test_supervisor_reads_back_an_environment(value):
    text = templates.ini_environment({"FIRST": "1", "URL": value, "LAST": "2"})
    expanded = expand(text, {"here": "/wrong"}, "environment")
    assert dict_of_key_value_pairs(expanded) == {"FIRST": "1", "URL": value, "LAST": "2"}


@pytest.mark.parametrize("value", AWKWARD)
def test_supervisor_reads_back_a_command(value):
    text = templates.command(["/usr/bin/tool", value, "--last"])
    assert shlex.split(expand(text, {"here": "/wrong"}, "command")) == ["/usr/bin/tool", value, "--last"]


def test_a_misspelt_name_in_a_template_is_an_error(tmp_path):
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="parameters"):
        templates.render("config/postgres/postgresql.conf.j2", {"version": "1", "profile_line": "x", "place": None})


def test_json_scalars_keep_other_letters():
    template = templates.environment().from_string("{{ value | tojson }}")
    for value in AWKWARD:
        assert json.loads(template.render(value=value)) == value


def test_mebibytes_have_a_unit():
    assert templates.environment().from_string("{{ size | mebibytes }}").render(size=13_421_772_800) == "12800m"
