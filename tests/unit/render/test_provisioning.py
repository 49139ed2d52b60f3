"""Provisioning a real server: what it makes, and that no verifier can be read from the server afterwards."""

import os
import subprocess

import pytest

from profiles import changed, sized
from running_postgres import running_postgres
from stackctl.settings.scram import verifier
from stackctl.settings.secret import Secret
from stacks import by_path, compose_files

ROLES = ("owner", "app", "monitor", "backup", "report")
VERIFIERS = {role: verifier(Secret(f"{role} password"), role.encode() * 4) for role in ROLES}
LOUD = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_duration_sample": "0",
    "log_transaction_sample_rate": "1",
    "log_min_error_statement": "debug5",
    "pg_stat_statements.track": "all",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
}


@pytest.fixture(scope="module")
def server():
    with running_postgres() as running:
        secrets = running.directory / "secrets"
        secrets.mkdir()
        for role, text in VERIFIERS.items():
            (secrets / f"{role}_verifier").write_text(text)
        script = by_path(compose_files(sized(changed(postgres=18))))["postgres/provision.sql"]
        (running.directory / "provision.sql").write_text(script)
        yield running


def _psql(server, *more):
    argv = ["-X", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d", "postgres"]
    return subprocess.run(
        [server.program("psql"), *argv, *more, "-f", "provision.sql"],
        env=os.environ | {"PGPASSWORD": "p@ss word", "SECRETS_DIR": str(server.directory / "secrets")},
        cwd=server.directory,
        capture_output=True,
        text=True,
        check=False,
    )


def _provision(server):
    done = _psql(server)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _restart(server, libraries):
    for name, value in {**LOUD, "shared_preload_libraries": libraries}.items():
        # Lists of libraries are not quoted.
        text = value if name == "shared_preload_libraries" else f"'{value}'"
        server.execute(f"ALTER SYSTEM SET {name} = {text}")
    server.stop()
    server.start()


def _log(server):
    return (server.directory / "log").read_text()


def _statements(server):
    return [row[0] for row in server.execute("SELECT query FROM pg_stat_statements")]


def _passwords(server):
    return dict(server.execute(f"SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN {ROLES}"))


def test_a_server_without_the_library_is_provisioned_too(server):
    _provision(server)
    assert _passwords(server) == VERIFIERS
    limits = server.execute("SELECT datconnlimit FROM pg_database WHERE datname = 'app'")
    assert limits == [(sum(role.connection_limit for role in sized(changed(postgres=18)).roles),)]


def test_no_verifier_is_left_where_others_read_it(server):
    _restart(server, "pg_stat_statements, auto_explain")
    server.execute("SELECT pg_stat_statements_reset()", "app")
    before = len(_log(server))
    for role in ROLES:
        server.execute(f"ALTER ROLE {role} PASSWORD NULL")
    _provision(server)
    assert _passwords(server) == VERIFIERS
    assert "PASSWORD NULL" in _log(server)[before:]
    assert "SCRAM-SHA-256" not in _log(server)[before:]
    assert any("PASSWORD NULL" in text for text in _statements(server))
    assert not any("SCRAM-SHA-256" in text for text in _statements(server))


def test_only_a_password_that_is_not_right_is_set(server):
    _provision(server)
    server.execute("ALTER ROLE app PASSWORD NULL")
    # psql says what it sends, what \gexec makes too.
    sent = _psql(server, "-e").stdout
    assert [role for role in ROLES if f"ALTER ROLE {role} PASSWORD 'SCRAM" in sent] == ["app"]
    assert _passwords(server) == VERIFIERS
