"""What the running server says of its settings, from rows as it gives them."""

import pytest

from profiles import catalog
from stackctl.health.running import FileLine, RoleSetting, Setting, running_of, same

MAIN, AUTO = "/etc/stackctl/postgres/postgresql.conf", "/data/postgresql.auto.conf"


def _row(lines=None, settings=(), roles=None):
    return {"lines": lines, "settings": list(settings), "roles": roles}


def _line(name, value, file=MAIN, error=None, line=1):
    return {"name": name, "value": value, "error": error, "file": file, "line": line}


def _setting(name, value, source="configuration file", pending=False, restart=False):
    return {"name": name, "value": value, "source": source, "pending": pending, "restart": restart}


def test_lines_of_alter_system_are_told_from_those_that_were_rendered():
    running = running_of(
        _row(
            [_line("work_mem", "32MB"), _line("work_mem", "5120", AUTO), _line("jit", "off")],
            [_setting("work_mem", "5120"), _setting("jit", "off")],
        )
    )
    assert {name: line.value for name, line in running.written.items()} == {"work_mem": "32MB", "jit": "off"}
    assert {name: line.value for name, line in running.altered.items()} == {"work_mem": "5120"}
    assert running.settings["work_mem"] == Setting("work_mem", "5120", "configuration file")
    assert (running.refused, running.roles) == ([], [])


def test_names_are_those_of_the_server_however_the_file_spells_them():
    running = running_of(
        _row(
            [_line("timezone", "Europe/Paris", AUTO), _line("DateStyle", "ISO")],
            [_setting("TimeZone", "UTC"), _setting("DateStyle", "ISO")],
        )
    )
    assert (set(running.altered), set(running.written)) == ({"TimeZone"}, {"DateStyle"})


def test_a_line_that_waits_for_a_restart_is_not_a_refused_one():
    error = "setting could not be applied"
    running = running_of(
        _row(
            [
                _line("shared_buffers", "2GB", AUTO, error, 3),
                _line("timezone", "Nowhere", MAIN, error, 7),
                {"name": None, "value": None, "error": "parameter cannot be changed", "file": None, "line": None},
            ],
            [_setting("shared_buffers", "131072", pending=True, restart=True), _setting("TimeZone", "UTC")],
        )
    )
    assert running.refused == [FileLine("TimeZone", "Nowhere", MAIN, 7, error)]
    assert not running.refused[0].by_alter_system


@pytest.mark.parametrize(
    ("role", "database", "target"),
    [
        ("app", None, "ROLE app"),
        (None, "app", "DATABASE app"),
        ("app", "app", "ROLE app IN DATABASE app"),
    ],
)
def test_what_roles_and_databases_give_to_their_sessions(role, database, target):
    (found,) = running_of(_row(roles=[{"role": role, "database": database, "text": "search_path=a=b, c"}])).roles
    assert found == RoleSetting(role or "", database or "", "search_path", "a=b, c")
    assert found.target == target


@pytest.mark.parametrize(
    ("source", "value"),
    [("configuration file", "4096"), ("default", "4096"), ("command line", "4096")]
    + [(source, "32MB") for source in ("user", "database", "database user", "override", "client")],
)
def test_what_only_the_asking_session_has_is_not_what_the_files_give(source, value):
    running = running_of(_row([_line("work_mem", "32MB")], [_setting("work_mem", "4096", source)]))
    assert running.of_files("work_mem") == value
    assert running.of_files("jit") is None


def test_a_parameter_that_no_catalogue_has_is_compared_as_it_is_written():
    assert same(None, "a", "a")
    assert not same(None, "on", "true")
    assert same(catalog(17).entries["jit"], "on", "true")
