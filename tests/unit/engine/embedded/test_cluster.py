"""Why a server does not start, in its own words."""

import pytest

from stackctl.engine.embedded.cluster import config_error

SYNTAX = """\
2026-01-01 00:00:00 GMT [1] LOG:  syntax error in file "/x/postgresql.conf" line 16, near token "GB"
2026-01-01 00:00:00 GMT [1] FATAL:  configuration file "/x/postgresql.conf" contains errors
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('2026 [1] FATAL:  could not create lock file "/x"\n', 'could not create lock file "/x"'),
        (SYNTAX, 'configuration file "/x/postgresql.conf" contains errors'),
        ("LOG:  database system is ready to accept connections\n", None),
        ("", None),
    ],
)
def test_the_servers_own_words(tmp_path, text, reason):
    (tmp_path / "log").write_text(text)
    error = config_error(tmp_path / "log", 0)
    assert (error is None) is (reason is None)
    if reason:
        assert str(error) == f"PostgreSQL does not start: {reason}"


@pytest.mark.parametrize("kind", ["PANIC", "FATAL"])
def test_a_full_disk_is_told_with_what_gives_room_back(tmp_path, kind):
    said = 'could not write to file "pg_wal/xlogtemp.7": No space left on device'
    (tmp_path / "log").write_text(f"2026 [1] {kind}:  {said}\n2026 [1] FATAL:  the database system is shutting down\n")
    error = config_error(tmp_path / "log", 0)
    assert str(error) == f"PostgreSQL does not start: {said}"
    assert (error.problems[0].code, "stackctl ballast free" in error.hint) == ("disk_full", True)


def test_no_log_yet(tmp_path):
    assert config_error(tmp_path / "log", 0) is None


def test_what_an_earlier_start_logged_is_not_the_reason(tmp_path):
    (tmp_path / "log").write_text(SYNTAX + "LOG:  shutting down\n")
    assert config_error(tmp_path / "log", len(SYNTAX)) is None
