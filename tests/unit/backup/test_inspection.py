"""What counts as damage of a backup, in the words of PostgreSQL's programs, and what only kept them from looking."""

import pytest

from stackctl.backup.drill import catalogue, structure, tables
from stackctl.backup.inspection import check_files, check_pages
from stackctl.backup.proof import prove
from stackctl.engine.runner import Completed, failed
from stackctl.errors import Damaged, EngineFailed, Unhealthy


class Saying:
    """Programs of which the next one ends with this."""

    def __init__(self, code, stderr, stdout=""):
        self.done = Completed(("program",), code, stdout, stderr)

    def run(self, *_, **__):
        return self.done


PAGE = (
    'pg_checksums: error: checksum verification failed in file "d/base/5/16384", block 0: '
    "calculated checksum 56CD but block contains 4EB4\n"
)
COUNTED = "Checksum operation completed\nFiles scanned:   951\nBlocks scanned:  2811\nBad checksums:  {}\n"


@pytest.mark.parametrize(
    ("stderr", "stdout", "named"),
    [
        (PAGE, COUNTED.format(1), "checksum verification failed in file"),
        ("", COUNTED.format(12), "Bad checksums:  12"),
        ('pg_checksums: error: could not read block 1 in file "d/base/5/1": read 1808 of 8192\n', "", "1808 of 8192"),
        (PAGE + 'pg_checksums: error: could not open file "d/x": Input/output error\n', "", "verification failed"),
    ],
)
def test_a_page_that_is_not_as_it_was_written_is_damage(tmp_path, stderr, stdout, named):
    with pytest.raises(Damaged, match="the pages are not as they were written") as damaged:
        check_pages(Saying(1, stderr, stdout), tmp_path)
    assert named in str(damaged.value)


@pytest.mark.parametrize(
    ("code", "stderr"),
    [
        (1, "pg_checksums: error: cluster must be shut down\n"),
        (1, 'pg_checksums: error: could not open file "d/base/5/888888": Permission denied\n'),
        (1, 'pg_checksums: error: could not read block 3 in file "d/base/5/1": Input/output error\n'),
        (1, 'pg_checksums: error: invalid segment number 0 in file name "d/base/5/99999.abc"\n'),
        (137, ""),
        (125, "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"),
    ],
)
def test_pages_that_were_not_looked_at_are_no_damage(tmp_path, code, stderr):
    with pytest.raises(EngineFailed):
        check_pages(Saying(code, stderr, COUNTED.format(0)), tmp_path)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ('checksum mismatch for file "base/5/16384"', Damaged),
        ('"base/5/16384" has size 8191 on disk but size 8192 in the manifest', Damaged),
        ('"base/5/16384" is present in the manifest but not on disk', Damaged),
        ('"base/5/x" is present on disk but not in the manifest', Damaged),
        ('could not open file "d/base/5/16384": Too many open files', EngineFailed),
        ("out of memory", EngineFailed),
    ],
)
def test_a_combined_copy_is_damaged_where_its_list_says_otherwise(tmp_path, said, error):
    with pytest.raises(error):
        check_files(Saying(1, f"pg_verifybackup: error: {said}\n"), tmp_path)


AWAY = (
    "psql: error: connection to server on socket failed: FATAL:  the database system is in recovery mode\n",
    "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n",
    "ERROR:  canceling statement due to user request\n",
    "ERROR:  out of memory\nDETAIL:  Failed on request of size 512.\n",
    'ERROR:  could not access file "$libdir/columnar": No such file or directory\n',
)
BROKEN = (
    "ERROR:  invalid page in block 0 of relation base/5/16384\n",
    'ERROR:  could not open file "base/5/16384": No such file or directory\n',
    "ERROR:  missing chunk number 0 for toast value 16390 in pg_toast_16384\n",
)


class Answering(Saying):
    """A server whose queries all end with these words."""

    def query(self, *_, **__):
        raise Unhealthy(f"the restored server does not answer: {failed(self.done)}", hint="")


@pytest.mark.parametrize(("said", "hindered"), [(each, True) for each in AWAY] + [(each, False) for each in BROKEN])
def test_a_query_that_fails_tells_of_the_data_only_where_the_server_says_so(said, hindered):
    server = Answering(1, said)
    rows, _ = tables(server)
    assert [(check.ok, check.hindered) for check in (catalogue(server), rows)] == [(False, hindered)] * 2


@pytest.mark.parametrize(
    ("code", "said", "hindered"),
    [
        (2, 'heap table "app.public.t", block 0, offset 1:\n    line pointer points past end of page\n', False),
        (2, 'btree index "app.public.t_i":\n    ERROR:  invalid page in block 0 of relation base/5/16384\n', False),
        (2, 'heap table "app.public.t":\n    ERROR:  out of memory\n    DETAIL:  Failed on request.\n', True),
        (2, 'heap table "app.public.t":\n    FATAL:  terminating connection due to administrator command\n', True),
        (1, "pg_amcheck: error: query failed: ERROR:  frozen\n", True),
    ],
)
def test_amcheck_tells_of_the_data_only_where_it_names_something_in_it(code, said, hindered):
    check = structure(Saying(code, "", said))
    assert (check.ok, check.hindered) == (False, hindered)


class Sound(Saying):
    """A server in which all is well as far as queries tell, and pg_amcheck ends with these words."""

    def query(self, sql, *_):
        return [{"?column?": 1}] if "amcheck" in sql else []


@pytest.mark.parametrize(
    ("server", "error"),
    [(Answering(1, each), EngineFailed) for each in AWAY]
    + [(Answering(1, each), Damaged) for each in BROKEN]
    + [
        (Sound(2, "", 'btree index "app.public.t_i":\n    ERROR:  out of memory\n'), EngineFailed),
        (Sound(1, "pg_amcheck: error: query failed: ERROR:  frozen\n"), EngineFailed),
        (Sound(2, "", 'btree index "app.public.t_i":\n    ERROR:  item order invariant violated\n'), Damaged),
    ],
)
def test_a_restore_finds_damage_where_a_drill_does_and_gives_no_verdict_where_it_could_not_look(server, error):
    with pytest.raises(error) as found:
        prove(server)
    assert found.value.exit_code == (20 if error is EngineFailed else 41)
