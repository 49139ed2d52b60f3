"""What would change on a running server, from rows as its pg_settings gives them."""

import pytest

from profiles import catalog
from stackctl.health.running import FileLine, Running, Setting
from stackctl.operations.changes import (
    Changes,
    ParameterChange,
    parameter_changes,
    reload_needed,
    reload_suffices,
    restarted_services,
    ssl_fault,
)
from stackctl.render.write import FileChange
from stackctl.sizing.model import Parameter

FILE, DEFAULT, COMMAND = "configuration file", "default", "command line"


def _wanted(name, value):
    entry = catalog(17).entries[name]
    return Parameter(name, value, entry.default, entry.restart, "", "", "sized", "Memory")


def _row(name, setting, source=FILE):
    return Setting(name, setting, source)


def _changes(wanted, rows, altered=(), written=None, major=17):
    running = Running(
        settings={row.name: row for row in rows},
        written={name: FileLine(name, value) for name, value in (written or {}).items()},
        altered={name: FileLine(name, value, "postgresql.auto.conf") for name, value in altered},
    )
    return parameter_changes([_wanted(*each) for each in wanted], running, catalog(major))


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("shared_buffers", "128MB", "16384"),  # of 8 kB
        ("shared_buffers", "1.5GB", "196608"),
        ("work_mem", "32MB", "32768"),  # kB
        ("max_wal_size", "4GB", "4096"),  # MB
        ("statement_timeout", "30s", "30000"),  # ms
        ("checkpoint_timeout", "15min", "900"),  # s
        ("autovacuum_work_mem", "-1", "-1"),
        ("hash_mem_multiplier", "1.0", "1"),
        ("random_page_cost", "4.0", "4"),
        ("autovacuum_vacuum_cost_delay", "2ms", "2"),
        ("jit", "off", "off"),
        ("jit", "FALSE", "off"),
        ("wal_level", "Replica", "replica"),
        ("unix_socket_permissions", "0700", "0700"),
        ("log_line_prefix", "%m [%p] ", "%m [%p] "),
    ],
)
def test_the_same_value_in_other_words_is_no_change(name, value, setting):
    assert _changes([(name, value)], [_row(name, setting)]) == []


@pytest.mark.parametrize(
    ("name", "value", "setting", "old", "restart"),
    [
        ("shared_buffers", "4GB", "16384", "128MB", True),
        ("work_mem", "32MB", "4096", "4MB", False),
        ("max_connections", "200", "100", "100", True),
        ("checkpoint_timeout", "15min", "300", "5min", False),
        ("random_page_cost", "1.1", "4", "4", False),
        ("jit", "off", "on", "on", False),
        ("wal_compression", "lz4", "off", "off", False),
        ("log_line_prefix", "%m [%p]", "%m [%p] ", "%m [%p] ", False),
    ],
)
def test_a_different_value_is_shown_with_what_it_needs(name, value, setting, old, restart):
    assert _changes([(name, value)], [_row(name, setting)]) == [ParameterChange(name, old, value, restart)]


def test_a_parameter_that_the_server_does_not_show():
    # pg_stat_statements was not loaded yet.
    assert _changes([("pg_stat_statements.max", "10000")], []) == [
        ParameterChange("pg_stat_statements.max", "unset", "10000", True)
    ]


def test_a_line_that_goes_away_goes_back_to_the_default():
    rows = [_row("geqo", "off"), _row("work_mem", "65536")]
    assert _changes([], rows) == [
        ParameterChange("geqo", "off", "on", False),
        ParameterChange("work_mem", "64MB", "4MB", False),
    ]


def test_what_the_file_did_not_set_is_not_ours():
    rows = [
        _row("geqo", "off", COMMAND),
        _row("work_mem", "4096", DEFAULT),
        _row("work_mem", "4096"),  # in the file, at its default
        _row("data_directory", "/var/lib/postgresql/data"),
        _row("listen_addresses", "*"),
        _row("some.extension", "1"),
    ]
    assert _changes([], rows) == []


def test_what_alter_system_sets_is_not_changed_by_a_file():
    rows = [_row("work_mem", "5120"), _row("geqo", "off"), _row("jit", "on")]
    assert _changes([("work_mem", "32MB"), ("jit", "off")], rows, [("work_mem", "5MB"), ("geqo", "off")]) == [
        ParameterChange("jit", "on", "off", False)
    ]


def test_what_alter_system_no_longer_sets_goes_back():
    # Taken back, and the server was not told to reload.
    assert _changes([("work_mem", "32MB")], [_row("work_mem", "5120")], written={"work_mem": "32MB"}) == [
        ParameterChange("work_mem", "5MB", "32MB", False)
    ]


def test_what_the_command_line_sets_is_not_changed_by_a_file():
    assert _changes([("jit", "off")], [_row("jit", "on", COMMAND)]) == []


def test_a_value_that_the_server_works_out_is_compared_by_its_line():
    rows, written = [_row("wal_buffers", "2048", "override")], {"wal_buffers": "-1"}
    assert _changes([("wal_buffers", "-1")], rows, written=written) == []
    assert _changes([("wal_buffers", "4MB")], rows, written=written) == [
        ParameterChange("wal_buffers", "-1", "4MB", True)
    ]


def test_what_the_administrators_role_has_for_itself_is_not_the_servers_value():
    rows, written = [_row("work_mem", "1024", "user")], {"work_mem": "32MB"}
    assert _changes([("work_mem", "32MB")], rows, written=written) == []
    assert _changes([("work_mem", "16MB")], rows, written=written) == [
        ParameterChange("work_mem", "32MB", "16MB", False)
    ]


@pytest.mark.parametrize(("major", "restart"), [(17, True), (18, False)])
def test_the_workers_of_autovacuum_need_a_restart_before_18(major, restart):
    rows = [_row("autovacuum_max_workers", "3")]
    (change,) = _changes([("autovacuum_max_workers", "5")], rows, major=major)
    assert change.restart is restart


@pytest.mark.parametrize(
    ("paths", "services"),
    [
        ([], []),
        (["app/app/main.py"], ["app"]),
        (["gunicorn/gunicorn.conf.py", "app/app/main.py"], ["app"]),
        (["prometheus/rules/availability.yml"], ["prometheus"]),
        (["pgbouncer/pgbouncer.ini"], ["pgbouncer"]),
        (["grafana/dashboards/database.json", "alertmanager/alertmanager.yml"], ["alertmanager", "grafana"]),
        (["postgres/postgresql.conf", "compose.yaml"], []),
    ],
)
def test_services_that_read_their_files_at_the_start_only(paths, services):
    assert restarted_services([FileChange(path, "changed") for path in paths], []) == services


def test_the_database_restarts_only_for_parameters_that_need_it():
    reload = ParameterChange("work_mem", "4MB", "32MB", False)
    restart = ParameterChange("shared_buffers", "128MB", "4GB", True)
    assert restarted_services([], [reload]) == []
    assert restarted_services([], [reload, restart]) == ["postgres"]


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("postgres/postgresql.conf", True),
        ("postgres/pg_hba.conf", True),
        ("postgres/pg_ident.conf", True),
        ("postgres/provision.sql", False),
        ("compose.yaml", False),
        ("app/postgres/postgresql.conf", False),
    ],
)
def test_files_that_the_server_must_read_again(path, needed):
    assert reload_needed(Changes([FileChange(path, "changed")], [], [], running=True)) is needed


def test_a_server_that_has_not_read_its_files_yet_must():
    waiting = ParameterChange("work_mem", "4MB", "32MB", False)
    restart = ParameterChange("shared_buffers", "128MB", "4GB", True)
    assert reload_needed(Changes([], [waiting], [], running=True))
    assert not reload_needed(Changes([], [restart], [], running=True))


def test_a_server_that_restarts_reads_its_files_by_itself():
    assert not reload_needed(Changes([FileChange("postgres/postgresql.conf", "changed")], [], ["postgres"], True))
    assert reload_needed(Changes([FileChange("postgres/postgresql.conf", "changed")], [], ["app"], True))


@pytest.mark.parametrize(
    ("paths", "services", "running", "enough"),
    [
        (["postgres/postgresql.conf"], [], True, True),
        (["postgres/postgresql.conf"], [], False, False),
        (["postgres/postgresql.conf"], ["app"], True, False),
        (["postgres/postgresql.conf", "postgres/provision.sql"], [], True, False),
        (["postgres/pg_hba.conf"], [], True, False),  # may shut the app out, so it is waited for
        (["app/app/main.py"], [], True, False),
        ([], [], True, False),
    ],
)
def test_when_a_reload_is_all_that_is_needed(paths, services, running, enough):
    files = [FileChange(path, "changed") for path in paths]
    assert reload_suffices(Changes(files, [], services, running)) is enough


BEFORE = ["2026 LOG:  ready to accept connections"]
COMPLAINT = [
    "2026 LOG:  received SIGHUP, reloading configuration files",
    '2026 LOG:  could not load server certificate file "server.crt": No such file or directory',
    "2026 LOG:  SSL configuration was not reloaded",
]


@pytest.mark.parametrize(
    ("known", "log", "fault"),
    [
        ([], BEFORE, ""),
        (BEFORE, BEFORE + COMPLAINT, 'could not load server certificate file "server.crt": No such file or directory'),
        (BEFORE, BEFORE + COMPLAINT[2:], "see its log"),
        (BEFORE + COMPLAINT, BEFORE + COMPLAINT + COMPLAINT[:1], ""),  # an older complaint
        (["rotated away"], COMPLAINT, 'could not load server certificate file "server.crt": No such file or directory'),
    ],
)
def test_ssl_that_does_not_work_is_seen_in_what_the_reload_logged(known, log, fault):
    assert ssl_fault(known, log) == fault


def test_changes_are_true_where_there_is_one():
    assert not Changes([], [], [], running=True)
    assert Changes([FileChange("a", "added")], [], [], running=True)
    assert Changes([], [ParameterChange("a", "1", "2", False)], [], running=True)
    assert Changes([], [], ["app"], running=True)
