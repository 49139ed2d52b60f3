"""What the control file of a copy asks of the server on it."""

from stackctl.backup.limits import at_least, highest, limits
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed

CONTROL = """\
Database system identifier:           7576137424281434123
wal_level setting:                    replica
max_connections setting:              80
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           12
max_locks_per_xact setting:           64
track_commit_timestamp setting:       off
"""


class Printing:
    """pg_controldata, which prints this, or fails."""

    def __init__(self, stdout, stderr=""):
        self.stdout, self.stderr = stdout, stderr

    def run(self, *_, **__):
        if not self.stdout:
            raise EngineFailed("pg_controldata: no such file", hint="")
        return Completed(("pg_controldata",), 0, self.stdout, self.stderr)


def test_it_asks_for_what_the_server_of_the_backup_had(tmp_path):
    assert limits(Printing(CONTROL), tmp_path) == {
        "max_connections": 80,
        "max_worker_processes": 8,
        "max_wal_senders": 10,
        "max_prepared_transactions": 12,
        "max_locks_per_transaction": 64,
    }


def test_numbers_that_do_not_fit_their_checksum_ask_for_nothing(tmp_path):
    older = "WARNING: Calculated CRC checksum does not match value stored in file.\n"
    newer = "pg_controldata: warning: calculated CRC checksum does not match value stored in control file\n"
    assert limits(Printing(older + CONTROL), tmp_path) == {}
    assert limits(Printing(CONTROL, newer), tmp_path) == {}
    assert limits(Printing(""), tmp_path) == {}


def test_what_is_more_already_stays():
    given = {"max_connections": "20", "jit": "off", "max_worker_processes": "9"}
    found = at_least(given, {"max_connections": 80, "max_worker_processes": 8, "max_prepared_transactions": 12})
    assert found == {
        "max_connections": "80", "jit": "off", "max_worker_processes": "9", "max_prepared_transactions": "12",
    }  # fmt: skip


def test_a_limit_never_falls():
    assert highest({"max_connections": 80}, {"max_connections": 30, "max_prepared_transactions": 2}) == {
        "max_connections": 80,
        "max_prepared_transactions": 2,
    }
