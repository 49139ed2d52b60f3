"""What holds beside the profile, from the server's own words."""

import pytest

from profiles import catalog
from stackctl.health.drift import Pending, find_drift, find_pending
from stackctl.health.running import FileLine, RoleSetting, Running, Setting

MAIN, AUTO = "/etc/stackctl/postgres/postgresql.conf", "/data/postgresql.auto.conf"
WANTED = {"work_mem": "32MB", "shared_buffers": "4GB", "jit": "off", "maintenance_work_mem": "1GB"}
RAW = {"work_mem": "32768", "shared_buffers": "524288", "jit": "off", "maintenance_work_mem": "1048576"}


def _running(altered=None, now=None, sources=None, pending=(), refused=(), roles=(), written=None):
    values, origin = {**RAW, **(now or {})}, sources or {}
    return Running(
        settings={n: Setting(n, v, origin.get(n, "configuration file"), n in pending) for n, v in values.items()},
        written={n: FileLine(n, v, MAIN) for n, v in (WANTED if written is None else written).items()},
        altered={n: FileLine(n, v, AUTO) for n, v in (altered or {}).items()},
        refused=refused,
        roles=roles,
    )


def _drift(running, wanted=WANTED, roles=None, major=17):
    return find_drift(running, wanted, roles, catalog(major))


def test_nothing_beside_the_profile():
    assert _drift(_running()) == []
    assert find_pending(_running(), catalog(17)) == []


def test_a_value_in_force_and_the_line_that_takes_it_back():
    (found,) = _drift(_running({"work_mem": "5120"}, {"work_mem": "5120"}))
    assert (found.name, found.value, found.wanted, found.source) == ("work_mem", "5MB", "32MB", "ALTER SYSTEM")
    assert (found.action, found.waits, found.hides, found.as_profile) == ("reload", "", False, False)
    assert found.fix == "ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf();"


def test_a_value_in_force_that_only_a_restart_takes_back():
    (found,) = _drift(_running({"shared_buffers": "2GB"}, {"shared_buffers": "262144"}))
    assert (found.action, found.waits) == ("restart", "")
    assert found.fix == "ALTER SYSTEM RESET shared_buffers; -- then stackctl up, which restarts PostgreSQL"


def test_a_value_that_waits_for_a_restart_is_taken_back_by_a_reload():
    running = _running({"shared_buffers": "8GB"}, pending=["shared_buffers"])
    (found,) = _drift(running)
    assert (found.action, found.waits) == ("restart", "restart")
    assert found.fix == "ALTER SYSTEM RESET shared_buffers; SELECT pg_reload_conf();"
    assert find_pending(running, catalog(17)) == [Pending("shared_buffers", "4GB", "8GB", by_alter_system=True)]


def test_a_value_that_the_server_has_not_read_yet():
    (found,) = _drift(_running({"work_mem": "5MB"}))
    assert (found.value, found.waits) == ("5MB", "reload")


def test_the_value_of_the_profile_set_once_more():
    (found,) = _drift(_running({"jit": "false"}))
    assert (found.as_profile, found.above_proof, found.waits) == (True, False, "")


def test_a_parameter_that_the_profile_leaves_at_its_default():
    (found,) = _drift(_running({"geqo": "off"}, {"geqo": "off"}))
    assert (found.value, found.wanted, found.hides) == ("off", "on", False)


def test_a_parameter_of_the_engine_is_wanted_as_its_line_says():
    (found,) = _drift(_running({"port": "7777"}, {"port": "5432"}, written={**WANTED, "port": "5432"}))
    assert (found.value, found.wanted, found.hides) == ("7777", "5432", False)


def test_a_parameter_that_no_catalogue_has():
    (found,) = _drift(_running({"my.own": "1"}, {"my.own": "1"}))
    assert (found.value, found.wanted, found.action, found.hides) == ("1", "", "reload", False)


def test_a_new_value_of_the_profile_that_has_no_effect():
    (found,) = _drift(_running({"work_mem": "5MB"}, {"work_mem": "5120"}), {**WANTED, "work_mem": "16MB"})
    assert (found.wanted, found.hides) == ("16MB", True)
    (gone,) = _drift(_running({"jit": "off"}), {"work_mem": "32MB"})
    assert (gone.wanted, gone.hides) == ("on", True)


def test_a_refused_line_is_not_drift():
    line = FileLine("work_mem", "lots", AUTO, 3, "setting could not be applied")
    assert _drift(_running({"work_mem": "lots"}, refused=[line])) == []


def test_a_password_is_not_shown():
    (found,) = _drift(_running({"primary_conninfo": "password=x"}, {"primary_conninfo": "password=x"}))
    assert (found.value, found.wanted) == ("(not shown)", "")


def test_a_value_of_the_command_line():
    (found,) = _drift(_running(now={"jit": "on"}, sources={"jit": "command line"}))
    assert (found.name, found.value, found.wanted, found.source) == ("jit", "on", "off", "the command line")
    assert _drift(_running(sources={"jit": "command line"})) == []


@pytest.mark.parametrize(
    ("name", "value", "wanted", "above"),
    [
        ("work_mem", "1GB", {}, True),
        ("work_mem", "32768", {}, False),
        ("work_mem", "5MB", {}, False),
        ("hash_mem_multiplier", "2", {"hash_mem_multiplier": "1.0"}, True),
        ("max_parallel_workers", "64", {}, True),  # default 8
        ("autovacuum_work_mem", "-1", {"autovacuum_work_mem": "256MB"}, True),  # that is maintenance_work_mem
        ("autovacuum_work_mem", "512MB", {"autovacuum_work_mem": "-1"}, False),
        ("temp_buffers", "1GB", {}, True),
        ("effective_cache_size", "1TB", {}, False),  # takes no memory
    ],
)
def test_memory_above_what_was_sized(name, value, wanted, above):
    (found,) = _drift(_running({name: value}, {name: "?"}), {**WANTED, **wanted})
    assert found.above_proof is above


ROLES = {"app": {"statement_timeout": "30000ms"}}


@pytest.mark.parametrize(
    ("setting", "source", "wanted", "fix"),
    [
        (
            RoleSetting("app", "", "statement_timeout", "5s"),
            "ALTER ROLE app",
            "30000ms",
            "ALTER ROLE app SET statement_timeout = '30000ms'; -- as up does when it provisions",
        ),
        (RoleSetting("app", "", "work_mem", "64MB"), "ALTER ROLE app", "32MB", "ALTER ROLE app RESET work_mem;"),
        (RoleSetting("", "app", "jit", "on"), "ALTER DATABASE app", "off", "ALTER DATABASE app RESET jit;"),
        (
            RoleSetting("app", "app", "statement_timeout", "30s"),
            "ALTER ROLE app IN DATABASE app",
            "0",
            "ALTER ROLE app IN DATABASE app RESET statement_timeout;",
        ),
    ],
)
def test_settings_of_roles_beside_what_provisioning_sets(setting, source, wanted, fix):
    (found,) = _drift(_running(roles=[setting]), roles=ROLES)
    assert (found.source, found.wanted, found.fix, found.action) == (source, wanted, fix, "reconnect")
    assert found.above_proof is (setting.name == "work_mem")


def test_settings_of_roles_that_provisioning_made():
    mine = _running(roles=[RoleSetting("app", "", "statement_timeout", "30s")])
    assert _drift(mine, roles=ROLES) == []
    # Without a profile, nobody knows what it would have set.
    assert _drift(_running(roles=[RoleSetting("app", "", "jit", "on")])) == []


def test_what_waits_for_a_restart_by_a_line_of_the_rendered_file():
    running = _running(now={"shared_buffers": "131072"}, pending=["shared_buffers"])
    assert find_pending(running, catalog(17)) == [Pending("shared_buffers", "1GB", "4GB", by_alter_system=False)]


def test_what_waits_for_a_restart_since_its_line_went_away():
    running = _running(now={"max_connections": "50"}, pending=["max_connections"])
    assert find_pending(running, catalog(17)) == [Pending("max_connections", "50", "100", by_alter_system=False)]


def test_the_workers_of_autovacuum_need_a_restart_before_18():
    running = _running({"autovacuum_max_workers": "6"}, {"autovacuum_max_workers": "6"})
    assert [_drift(running, major=major)[0].action for major in (17, 18)] == ["restart", "reload"]


@pytest.mark.parametrize(
    ("name", "value", "danger"), [("fsync", "off", True), ("fsync", "on", False), ("jit", "on", False)]
)
def test_a_value_that_would_be_refused_as_a_pin_says_what_it_does(name, value, danger):
    (found,) = _drift(_running({name: value}, {name: value}))
    assert ("a crash of the machine can destroy" in found.danger) is danger
