"""The role `report` on a running stack: what it may, its limits, and that an older stack gets it by `up`."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.stack.conftest import ENGINES, NewStack
from running_stack import Stack, docker, environment, eventually, wheel_programs
from stackctl.settings.vault import Vault

# 4 GiB, 2 CPUs: one session with twice the app's work_mem.
LIMIT = 1
NEW_SECRETS = ("report_password", "report_verifier", "identity")


def report(stack: Stack, text: str) -> str:
    done = stack.psql("report", stack.secret("report_password"), text)
    assert done.code == 0, done.said
    return done.out.strip()


@contextmanager
def held(stack: Stack) -> Iterator[None]:
    """A session of a report that works for a minute, or until the block ends."""
    text = "SELECT 'held', pg_sleep(60)"
    words = ["-X", "-h", "127.0.0.1", "-U", "report", "-d", "app", "-c", text]
    password = stack.secret("report_password")
    if stack.engine == "docker":
        argv = ["docker", "exec", "-e", f"PGPASSWORD={password}", stack.container("postgres"), "psql", *words]
        session = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    else:
        argv = [str(wheel_programs() / "psql"), "-p", str(stack.ports["postgres"]), *words]
        session = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env={**environment(), "PGPASSWORD": password})
    busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'report' AND query LIKE '%held%'"
    try:
        eventually(lambda: stack.sql(busy) == "1", 30, "the report works")
        yield
    finally:
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'report'")
        session.wait(30)
        eventually(lambda: stack.sql(busy) == "0", 30, "the report is gone")


def test_it_reads_the_apps_tables_and_writes_nothing(stack: Stack) -> None:
    stack.add_tools("seen by a report")
    assert report(stack, "SELECT name FROM tools WHERE name = 'seen by a report'") == "seen by a report"
    for text, refusal in (
        ("INSERT INTO tools (name) VALUES ('x')", "cannot execute INSERT in a read-only transaction"),
        ("BEGIN READ WRITE; UPDATE tools SET name = ''", "permission denied for table tools"),
        ("BEGIN READ WRITE; CREATE TABLE mine (n int)", "permission denied for schema public"),
        ("SET ROLE owner", 'permission denied to set role "owner"'),
        ("SELECT rolpassword FROM pg_authid", "permission denied for table pg_authid"),
    ):
        done = stack.psql("report", stack.secret("report_password"), text)
        assert done.code != 0, done.said
        assert refusal in done.err


@pytest.mark.full_on("docker")
def test_it_reads_tables_that_the_owner_makes_later(stack: Stack) -> None:
    owner = stack.secret("owner_password")
    assert stack.psql("owner", owner, "CREATE TABLE later AS SELECT 7 AS n").code == 0
    try:
        assert report(stack, "SELECT n FROM later") == "7"
    finally:
        assert stack.psql("owner", owner, "DROP TABLE later").code == 0


@pytest.mark.full_on("docker")
def test_it_has_more_memory_and_time_than_the_app(stack: Stack) -> None:
    app = stack.psql("app", stack.secret("app_password"), "SELECT pg_size_bytes(current_setting('work_mem'))").out
    assert int(report(stack, "SELECT pg_size_bytes(current_setting('work_mem'))")) == 2 * int(app)
    assert report(stack, "SHOW statement_timeout") == "10min"
    assert report(stack, "SHOW lock_timeout") == "10s"
    assert report(stack, "SHOW idle_in_transaction_session_timeout") == "1min"
    assert report(stack, "SHOW enable_parallel_hash") == "off"
    # A session of its own may ask for less, and be ended by it.
    done = stack.psql("report", stack.secret("report_password"), "SET statement_timeout = '200ms'; SELECT pg_sleep(30)")
    assert done.code != 0
    assert "canceling statement due to statement timeout" in done.err


@pytest.mark.full_on("docker")
def test_one_more_session_than_its_limit_is_refused_while_the_app_goes_on(stack: Stack) -> None:
    assert stack.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'report'") == str(LIMIT)
    with held(stack):
        done = stack.psql("report", stack.secret("report_password"), "SELECT 1")
        assert done.code != 0
        assert 'too many connections for role "report"' in done.err
        stack.add_tools("while a report works")
        assert stack.get("app", "/tools?limit=1").status_code == 200
        assert stack.healthy()
    assert "while a report works" in stack.tools()
    assert report(stack, "SELECT 1") == "1"


def test_the_printed_string_opens_a_session(stack: Stack) -> None:
    words = ["--application-name", "it's 5 %", "--statement-timeout", "90s", "--option", 'search_path="a b", public']
    done = stack.run("connect", "report", *words)
    assert done.code == 0, done.said
    assert stack.secret("report_password") not in done.said
    shown = "SELECT current_setting('application_name'), current_setting('statement_timeout'), current_user"
    if stack.engine == "embedded":
        argv, text = [str(wheel_programs() / "psql"), done.out.strip()], None
        variables = {**environment(), "PGPASSWORD": stack.secret("report_password")}
        argv += ["-X", "-A", "-t", "-c", shown]
    else:
        (command,) = re.findall(r"(?m)^from this host: (.+)$", done.err)
        argv, text, variables = ["sh", "-c", command.replace(" -it ", " -i ") + " -X -A -t"], shown, environment()
    answer = subprocess.run(argv, input=text, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout == "it's 5 %|90s|report\n", answer.stderr


def make_old_secrets(stack: Stack) -> None:
    """The secrets of a project that is older than the role, and than the vault's identity."""
    vault = Vault(stack.private / "secrets")
    vault.ensure()
    for name in NEW_SECRETS:
        vault.path(name).unlink()


def make_old(stack: Stack) -> None:
    """What a release without the role left: no role, no secrets, files that do not name it, and what had read them."""
    record_file = stack.rendered / ".rendered.json"
    record = json.loads(record_file.read_text())
    for path in {"postgres/provision.sql", "postgres/pg_hba.conf", "compose.yaml"} & set(record):
        file = stack.rendered / path
        file.write_text(without_reports(file.read_text()))
        record[path] = [hashlib.sha256(file.read_bytes()).hexdigest()]
    record_file.write_text(json.dumps(record))
    if stack.engine == "docker":
        compose = docker("compose", "--file", str(stack.rendered / "compose.yaml"), "up", "--detach", "--wait")
        assert compose.code == 0, compose.said
        (stack.private / "provisioned").write_text(record["postgres/provision.sql"][0])
    else:
        copy = stack.home / "rendered" / "postgres" / "pg_hba.conf"
        if copy.exists():
            copy.write_text((stack.rendered / "postgres" / "pg_hba.conf").read_text())
    for text in ("SELECT pg_reload_conf()", "DROP OWNED BY report", "DROP ROLE report"):
        stack.sql(text)
    for name in NEW_SECRETS:
        (stack.private / "secrets" / name).unlink()


def without_reports(text: str) -> str:
    """`text` of a rendered file without its lines on reports, and out of its lists."""
    text = text.replace(', "report_verifier"', "").replace(", report;", ";").replace("backup, report", "backup")
    blocks = re.sub(r"(?ms)^ALTER ROLE report LOGIN.*?;\n|^SELECT format\('ALTER ROLE report .*?\\gexec\n", "", text)
    return "".join(line for line in blocks.splitlines(keepends=True) if "report" not in line)


@pytest.mark.full_on("docker")
@pytest.mark.parametrize("engine", ENGINES)
def test_up_adds_it_to_a_stack_that_is_older(new_stack: NewStack, engine: str) -> None:
    stack = new_stack(engine)
    make_old_secrets(stack)
    stack.up()
    stack.add_tools("from before the role")
    volumes = stack.volumes() if engine == "docker" else []
    make_old(stack)
    assert stack.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'report'") == "0"
    refused = stack.psql("report", "none yet", "SELECT 1")
    assert 'no pg_hba.conf entry for host "127.0.0.1", user "report"' in refused.err, refused.said
    before, app = stack.identity(), stack.secret("app_password")
    assert stack.run("plan").code == 12
    assert stack.up().data["changed"] is True
    assert report(stack, "SELECT name FROM tools") == "from before the role"
    assert (stack.secret("app_password"), stack.volumes() if engine == "docker" else []) == (app, volumes)
    if engine == "embedded":
        # Docker makes the database's container anew, as it gets one more secret.
        assert stack.identity() == before
    assert stack.run("plan").code == 0
