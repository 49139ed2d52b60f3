"""Programs of the embedded engine, found through a runner that answers for them."""

import shutil

import pytest

from stackctl.engine.embedded import programs
from stackctl.engine.runner import Completed
from stackctl.errors import ImageUnavailable, NoEngine


class FakeRunner:
    """Answers `--version` by the program's name."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, argv, **_options):
        name = argv[0].rsplit("/", 1)[-1]
        if name not in self.answers:
            raise NoEngine(f"{argv[0]} is not installed", hint="")
        return Completed(tuple(argv), 0, "", self.answers[name])


def _install(folder, *names):
    for name in names:
        path = folder / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_wheel_has_a_server():
    folder = programs.wheel_folder()
    assert all((folder / name).exists() for name in ("postgres", "initdb", "psql", "pg_isready", "pg_basebackup"))


def test_a_version_that_is_not_here_says_what_there_is():
    with pytest.raises(ImageUnavailable, match=r"no PostgreSQL 12 here \(found: .*18.*\)") as caught:
        programs.find_server(FakeRunner(postgres="postgres (PostgreSQL) 18.6"), 12)
    assert caught.value.exit_code == 22


def test_the_wheel_comes_first():
    server = programs.find_server(FakeRunner(postgres="postgres (PostgreSQL) 18.6"), 18)
    assert (server.major, server.from_wheel) == (18, True)
    assert server.program("psql") == f"{programs.wheel_folder()}/psql"


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("postgres_exporter, version 0.17.1 (branch: debian)", True),
        ("postgres_exporter, version 0.15.0", True),
        ("postgres_exporter, version 0.11.1", False),
        ("postgres_exporter, version 1.0.0", True),
        ("what", False),
    ],
)
def test_an_exporter_that_is_too_old_is_refused_by_name(path, version, found):
    _install(path, "prometheus-postgres-exporter")
    runner = FakeRunner(**{"prometheus-postgres-exporter": version})
    program, reason = programs.find_service(runner, "exporter")
    assert (program == str(path / "prometheus-postgres-exporter")) is found
    assert ("is too old: the alerts need 0.15 or newer" in reason) is not found


def test_a_program_that_is_missing_gives_a_reason(path):
    assert programs.find_service(FakeRunner(), "prometheus") == (None, "prometheus is not installed")
    assert shutil.which("prometheus") is None


def test_either_name_of_alertmanager_will_do(path):
    _install(path, "prometheus-alertmanager")
    runner = FakeRunner(**{"prometheus-alertmanager": "alertmanager, version 0.28.1"})
    assert programs.find_service(runner, "alertmanager") == (str(path / "prometheus-alertmanager"), "")


def test_an_alertmanager_that_reads_no_secrets_from_files_is_refused_by_name(path):
    """0.25 of Debian 12 knows neither url_file of a webhook nor the names of receivers in metrics."""
    _install(path, "alertmanager")
    runner = FakeRunner(alertmanager="alertmanager, version 0.25.0")
    program, reason = programs.find_service(runner, "alertmanager")
    assert (program, reason) == (
        None,
        f"{path}/alertmanager 0.25 is too old: secrets in files need 0.26 or newer",
    )


@pytest.mark.parametrize(
    ("version", "prepares"), [("1.14.0", False), ("1.18.0", False), ("1.22.0", True), ("1.24.1", True)]
)
def test_a_pooler_and_whether_it_carries_prepared_statements(path, version, prepares):
    _install(path, "pgbouncer")
    said = f"PgBouncer {version}\nlibevent 2.1.12-stable\nadns: c-ares 1.18.1"
    found = programs.find_pooler(FakeRunner(pgbouncer=said))
    assert found == programs.Pooler(str(path / "pgbouncer"), prepares)


def test_a_pooler_that_is_too_old_or_missing_is_not_done_without(path, monkeypatch):
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", str(path / "sbin"))
    with pytest.raises(ImageUnavailable, match="has no PgBouncer here") as caught:
        programs.find_pooler(FakeRunner())
    assert (caught.value.exit_code, caught.value.hint.split(",")[0]) == (22, "install the package pgbouncer")
    _install(path, "pgbouncer")
    with pytest.raises(ImageUnavailable, match=r"is 1\.13, and PgBouncer before 1\.14 cannot log in by SCRAM"):
        programs.find_pooler(FakeRunner(pgbouncer="PgBouncer 1.13.0"))
    with pytest.raises(ImageUnavailable, match="of an unknown version"):
        programs.find_pooler(FakeRunner(pgbouncer="something else"))


def test_a_pooler_among_the_administrators_programs_is_found(path, monkeypatch):
    sbin = path / "sbin"
    sbin.mkdir()
    _install(sbin, "pgbouncer")
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", str(sbin))
    assert programs.find_pooler(FakeRunner(pgbouncer="PgBouncer 1.18.0")).path == str(sbin / "pgbouncer")
