"""An app of the user's own in the reference app's place, by the how-to's own words, on both engines."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from e2e.stack.conftest import NewStack
from own_app import own_stack, remove, write
from running_stack import Stack, docker, eventually, parent

_GIVEN_ALWAYS = {
    *("BIND", "PORT", "WEB_CONCURRENCY", "DATABASE_URL", "DB_PASSWORD_FILE"),
    *("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"),
    *("DB_POOLER", "DB_POOL_SIZE", "DB_MAX_OVERFLOW", "DB_POOL_TIMEOUT", "DB_POOL_RECYCLE", "DB_POOL_PRE_PING"),
    *("PG_CONNECT_TIMEOUT", "PG_KEEPALIVES_IDLE", "PG_PREPARED_STATEMENT_CACHE", "PG_STATEMENT_TIMEOUT"),
}


@pytest.fixture(scope="module")
def own(engine: str) -> Iterator[Stack]:
    """A stack with the how-to's app; tests leave it running with the same configuration."""
    stack = own_stack(engine)
    try:
        done = stack.up()
        assert done.data["addresses"]["app"] == stack.address("app", "/")
        yield stack
    finally:
        remove(stack)


def add(stack: Stack, name: str) -> None:
    answer = httpx.post(stack.address("app", "/items"), json={"name": name}, timeout=30)
    assert answer.status_code == 201, answer.text


def items(stack: Stack) -> list[str]:
    found: list[str] = stack.get("app", "/items").json()["items"]
    return found


def greeting(stack: Stack) -> str:
    return str(stack.get("app", "/items").json()["greeting"])


def master(stack: Stack) -> int:
    """The process that Docker or supervisord started for the app."""
    if stack.engine == "docker":
        return int(docker("inspect", "--format", "{{.State.Pid}}", stack.container("app")).out)
    (found,) = (pid for pid in processes(stack) if parent(pid) == stack.supervisor())
    return found


def processes(stack: Stack) -> list[int]:
    """Processes of the embedded app: those that run its own gunicorn."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if f"{stack.folder}/.venv/bin/gunicorn".encode() in words:
                found.append(int(entry.name))
    return found


def others(stack: Stack) -> dict[str, str]:
    return {name: value for name, value in stack.identity().items() if name not in ("app", "migrate")}


def variables(stack: Stack) -> dict[str, str]:
    """The environment of the app's process, as the kernel has it."""
    raw = Path(f"/proc/{master(stack)}/environ").read_bytes().decode()
    return dict(pair.split("=", 1) for pair in raw.split("\0") if pair)


def test_it_keeps_rows_in_postgresql_as_the_role_app(own: Stack) -> None:
    add(own, "lamp")
    assert "lamp" in items(own)
    assert "lamp" in own.sql("SELECT name FROM items").splitlines()
    # Over TCP there is only the app, and the exporter where one runs.
    roles = "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL AND usename <> 'monitor'"
    assert own.sql(roles) == "app"
    assert own.run("health", "--json").code == 0
    status = own.run("status", "--json").data["services"]
    assert [each["address"] for each in status if each["name"] == "app"] == [f"127.0.0.1:{own.ports['app']}"]


def test_the_migration_ran_as_the_owner(own: Stack) -> None:
    assert own.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'items'") == "owner"
    refused = own.psql("app", own.secret("app_password"), "CREATE TABLE mine (id int)")
    assert "permission denied" in refused.said


def test_its_environment_is_the_documented_one(own: Stack) -> None:
    found = variables(own)
    assert set(found) >= _GIVEN_ALWAYS
    # It has no metrics, and no options.
    assert not {"METRICS_PORT", "METRICS_ADDRESS", "PG_OPTIONS", "PROMETHEUS_MULTIPROC_DIR"} & set(found)
    inside = own.engine == "docker"
    port = 8000 if inside else own.ports["app"]
    database = "postgres:5432" if inside else f"127.0.0.1:{own.ports['postgres']}"
    expected = {
        "BIND": f"{'0.0.0.0' if inside else '127.0.0.1'}:{port}",
        "PORT": str(port),
        "DATABASE_URL": f"postgresql+psycopg://app@{database}/app",
        "PGHOST": database.split(":")[0],
        "PGPORT": database.split(":")[1],
        "PGUSER": "app",
        "PGDATABASE": "app",
        "WEB_CONCURRENCY": "2",
        "PG_STATEMENT_TIMEOUT": "30000",
        "GREETING": "hello",
    }
    assert {name: found[name] for name in expected} == expected
    # Nothing leads it to the libraries of stackctl.
    assert not any(found.get(name) for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"))
    assert "/var/lib/stackctl/.programs" not in Path(f"/proc/{master(own)}/maps").read_text()
    assert os.access(found["HOME"], os.W_OK) or inside
    # The server has the limit too, for an app that does not read it.
    assert own.psql("app", own.secret("app_password"), "SHOW statement_timeout").out.strip() == "30s"


def test_no_password_is_in_an_environment_a_description_or_a_file(own: Stack) -> None:
    secrets = own.secrets()
    places = {"status": own.run("status", "--json").said, "logs": own.run("logs", "app").said}
    places |= {str(path): path.read_text() for path in own.rendered.rglob("*") if path.is_file()}
    places["state"] = (own.private / "state.json").read_text()
    if own.engine == "docker":
        ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={own.name}").out.split()
        places["inspect"] = docker("inspect", *ids).out
        assert '"GREETING=hello"' in places["inspect"]
        pids = [int(line.split()[1]) for line in docker("top", own.container("app")).out.splitlines()[1:]]
    else:
        pids = [*processes(own), *own.processes()]
    assert len(pids) >= 3
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            places[f"environ {pid}"] = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            places[f"cmdline {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    assert [(place, name) for place, text in places.items() for name, word in secrets.items() if word in text] == []


@pytest.mark.full_on("docker")
def test_killed_it_comes_back(own: Stack) -> None:
    add(own, "before the app was killed")
    killed, before = master(own), others(own)
    os.kill(killed, signal.SIGKILL)

    def back() -> bool:
        with suppress(ValueError):
            return master(own) not in (0, killed) and "before the app was killed" in items(own)
        return False

    eventually(back, 60, "the app is back with its rows")
    assert others(own) == before
    eventually(lambda: own.run("health").code == 0, 60, "health agrees")


@pytest.mark.full_on("docker")
def test_a_changed_variable_restarts_the_app_alone(own: Stack) -> None:
    before, first = others(own), master(own)
    write(own, lambda section: section["env"].update(GREETING="it's $5, 100% ;x #1 \""[:-1]))
    plan = own.run("plan", "--json")
    assert (plan.code, plan.data["services"], plan.data["parameters"]) == (12, ["app"], [])
    own.up()
    assert greeting(own) == "it's $5, 100% ;x #1 "
    assert master(own) != first
    assert others(own) == before
    write(own)
    own.up()
    assert greeting(own) == "hello"
    assert own.run("plan").code == 0


@pytest.mark.full_on("docker")
def test_a_migration_that_fails_leaves_the_app_as_it_was(own: Stack) -> None:
    write(own, lambda section: section.update(migrate=["flask", "--app", "shop", "no-such-command"]))
    done = own.run("up", "--json")
    assert done.code == 20, done.said
    assert "migrate" in done.document["errors"][0]["message"]
    assert "No such command 'no-such-command'" in done.err
    assert greeting(own) == "hello"
    write(own)
    assert own.run("plan").code == 0
    assert own.run("health").code == 0


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_an_app_that_cannot_start_is_told_before_the_time_is_up(own: Stack) -> None:
    write(own, lambda section: section.update(command=["gunicorn", "--bind", "$BIND", "shop:no_such_name"]))
    done = own.run("up", "--json")
    assert done.code == 20, done.said
    assert done.document["errors"][0]["message"] == "app ends soon after each start"
    assert "Failed to find attribute 'no_such_name'" in own.run("logs", "app", "--tail", "1000").said
    assert greeting(own) == "hello"
    write(own)
    assert own.run("plan").code == 0


def test_it_outlives_down_and_up(own: Stack) -> None:
    add(own, "before all went down")
    assert own.run("down").code == 0
    assert own.leftovers() == []
    assert processes(own) == []
    own.up()
    assert "before all went down" in items(own)
    assert own.up().data["changed"] is False


def test_prometheus_has_no_target_that_is_not_there(own: Stack) -> None:
    rendered = own.rendered / "prometheus" / "prometheus.yml"
    if own.engine == "docker":
        targets = eventually(
            lambda: own.get("prometheus", "/api/v1/targets").json()["data"]["activeTargets"], 30, "there are targets"
        )
        assert {each["labels"]["job"] for each in targets} == {"prometheus", "postgres", "stackctl", "alertmanager"}
    else:
        assert not rendered.exists() or "job_name: app" not in rendered.read_text()
    assert not (own.rendered / "app").exists()
    assert not (own.rendered / "gunicorn" / "gunicorn.conf.py").exists()


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_its_container_is_hardened_as_the_reference_apps(own: Stack) -> None:
    (found,) = json.loads(docker("inspect", own.container("app")).out)
    limits = found["HostConfig"]
    assert found["Config"]["User"] == "10001:10001"
    assert (limits["ReadonlyRootfs"], limits["CapDrop"]) == (True, ["ALL"])
    assert limits["SecurityOpt"] == ["no-new-privileges:true"]
    # 144 MiB for each of 2 workers, and a thirty-second part of 4 GiB.
    assert limits["Memory"] == limits["MemorySwap"] == (2 * 144 + 128) * 2**20
    published = {bind["HostIp"] for binds in limits["PortBindings"].values() for bind in binds}
    assert published == {"127.0.0.1"}


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_an_image_built_again_under_its_name_is_noticed(own: Stack) -> None:
    first, name = master(own), docker("inspect", "--format", "{{.Config.Image}}", own.container("app")).out.strip()
    file = own.folder / "Dockerfile"
    file.write_text(f"FROM {name}\nLABEL release=2\n")
    assert docker("buildx", "build", "--load", "--tag", name, str(own.folder), seconds=300).code == 0
    plan = own.run("plan", "--json")
    assert (plan.code, plan.data["services"], plan.data["files"]) == (12, ["app"], [])
    own.up()
    assert master(own) != first
    assert own.run("plan").code == 0


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_an_image_that_cannot_be_had_is_named(new_stack: NewStack, engine: str) -> None:
    stack = new_stack(engine)
    # Nobody listens there, so no registry is asked.
    stack.write(app={"image": "127.0.0.1:9/shop:1"})
    done = stack.run("up", "--json")
    assert done.code == 22, done.said
    assert "app.image: 127.0.0.1:9/shop:1 is not here and cannot be pulled" in done.document["errors"][0]["message"]
    assert not stack.rendered.exists()


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_a_folder_that_the_account_cannot_enter_is_named_before_anything_is_changed(
    new_stack: NewStack, engine: str, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's services run as another account")
    stack = new_stack(engine)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stack.write(app={"command": "/bin/sleep 1000", "directory": str(closed)})
    done = stack.run("up", "--json")
    assert done.code == 10, done.said
    message = done.document["errors"][0]["message"]
    # Everything above it is open, or pytest's own folder is the first that is not.
    assert message.startswith(f"app.directory: {closed}: the account stackctl may not enter /")
    assert not stack.private.exists()
