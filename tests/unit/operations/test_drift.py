"""How drift is told: data, tables and warnings."""

from dataclasses import replace

import pytest

from stackctl.health.drift import Drift, Pending
from stackctl.health.running import FileLine
from stackctl.operations.changes import Changes
from stackctl.operations.drift import drift_blocks, drift_data, drift_warnings, mild_lines
from stackctl.operations.result import Line
from stackctl.render.write import FileChange

FIX = "ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf();"
WORK_MEM = Drift("work_mem", "1GB", "32MB", "ALTER SYSTEM", "reload", FIX, above_proof=True)
BUFFERS = Drift("shared_buffers", "2GB", "4GB", "ALTER SYSTEM", "restart", "ALTER ...;", waits="restart")
JIT = Drift("jit", "off", "off", "ALTER SYSTEM", "reload", "ALTER ...;", as_profile=True)
ROLE = Drift("search_path", "", "public", "ALTER ROLE app", "reconnect", "ALTER ROLE app RESET search_path;")
CONF = FileChange("postgres/postgresql.conf", "changed")


def _changes(*drift, files=(), services=(), **fields):
    return Changes(files, (), services, running=True, drift=drift, **fields)


def _warnings(changes, **options):
    return [(each.code, each.message) for each in drift_warnings(changes, **options)]


def test_drift_alone_is_no_change():
    assert not _changes(WORK_MEM, pending=[Pending("a", "1", "2", True)], refused=[FileLine("a", "b")])


def test_no_drift_is_not_mentioned():
    assert (drift_data([]), drift_blocks(_changes()), mild_lines(_changes()), _warnings(_changes())) == ([], [], [], [])


def test_data():
    (found,) = drift_data([replace(WORK_MEM, hides=True)])
    assert found == {
        "name": "work_mem",
        "value": "1GB",
        "wanted": "32MB",
        "source": "ALTER SYSTEM",
        "action": "reload",
        "fix": FIX,
        "waits": "",
        "hides_change": True,
        "above_proof": True,
    }


def test_tables_have_a_line_for_psql_each():
    refused = [FileLine("TimeZone", "Nowhere", "/data/postgresql.auto.conf", 4, "could not be applied")]
    system, elsewhere, bad = drift_blocks(_changes(WORK_MEM, BUFFERS, JIT, ROLE, refused=refused))
    assert system.title == "Set by ALTER SYSTEM, left as it is"
    assert system.rows == [
        ["work_mem", "1GB", "32MB", "in force", FIX],
        ["shared_buffers", "2GB", "4GB", "waits for a restart", "ALTER ...;"],
        ["jit", "off", "off", "as the profile", "ALTER ...;"],
    ]
    assert elsewhere.rows == [["search_path", "''", "public", "ALTER ROLE app", "ALTER ROLE app RESET search_path;"]]
    assert bad.rows == [["/data/postgresql.auto.conf:4", "TimeZone = Nowhere", "could not be applied"]]


def test_a_value_that_is_as_the_profile_says_is_told_mildly():
    changes = _changes(JIT)
    assert _warnings(changes) == []
    assert mild_lines(changes) == [
        Line("Also set beside the profile, which will win over later changes: jit", "dim"),
    ]


def test_warnings_name_values_and_what_they_break():
    assert _warnings(_changes(WORK_MEM, JIT, ROLE)) == [
        ("alter_system", "set by ALTER SYSTEM, left as it is: work_mem = 1GB (wanted 32MB)"),
        ("memory_proof", "the memory proof does not hold with work_mem = 1GB set by ALTER SYSTEM"),
        ("drift", "set beside the profile: search_path = '' (wanted public) by ALTER ROLE app"),
    ]


def test_a_change_without_effect_is_named():
    hidden = replace(WORK_MEM, wanted="16MB", hides=True, above_proof=False)
    assert _warnings(_changes(hidden, files=[CONF]))[1] == (
        "alter_system",
        "no effect until ALTER SYSTEM RESET: work_mem = 16MB",
    )


@pytest.mark.parametrize(
    ("services", "files", "said"),
    [
        (["postgres"], [], "the restart also brings into force: work_mem = 1GB, shared_buffers = 2GB"),
        (["app"], [CONF], "the reload also brings into force: work_mem = 1GB"),
        (["app"], [], ""),
    ],
)
def test_what_comes_into_force_by_the_way(services, files, said):
    waiting = (replace(WORK_MEM, waits="reload", above_proof=False), BUFFERS)
    changes = _changes(*waiting, files=files, services=services)
    messages = [message for _, message in _warnings(changes)[1:]]
    assert messages == ([f"{said} (set by ALTER SYSTEM)"] if said else [])
    # Afterwards it is in force, or still waits: nothing will happen by the way.
    assert len(_warnings(changes, done=True)) == 1


def test_a_written_parameter_that_still_waits_is_told_after_up_only():
    pending = [Pending("shared_buffers", "1GB", "2GB", False), Pending("max_connections", "50", "60", True)]
    changes = _changes(pending=pending)
    assert _warnings(changes) == []
    assert _warnings(changes, done=True) == [
        ("pending_restart", "waits for a restart of PostgreSQL: shared_buffers 1GB -> 2GB")
    ]


def test_refused_lines_are_told():
    line = FileLine("TimeZone", "Nowhere", "/data/postgresql.auto.conf", 4, "could not be applied")
    assert _warnings(_changes(refused=[line])) == [
        ("refused_line", "PostgreSQL refuses TimeZone = Nowhere: could not be applied")
    ]
