"""What goes wrong: each failure says why, costs nothing that worked, and leaves a way on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from e2e.stack.conftest import ENGINES, NewStack
from running_stack import Stack, docker, eventually

# Passes every check of the pin, and stops the server: a machine for tests has no huge pages.
REFUSED_AT_START = "huge_pages=on"


def test_an_edited_file_stops_up_before_anything_changes(stack: Stack) -> None:
    before, file = stack.identity(), stack.rendered / "postgres" / "postgresql.conf"
    written = file.read_bytes()
    file.write_bytes(written + b"work_mem = 1GB\n")
    try:
        for words in (["plan"], ["up"], ["up", "--ram", "3G"]):
            done = stack.run(*words, "--json")
            assert done.code == 11, done.said
            assert "postgres/postgresql.conf" in done.document["errors"][0]["message"]
        assert file.read_bytes() == written + b"work_mem = 1GB\n"
        assert stack.identity() == before
        assert stack.sql("SHOW shared_buffers") == "1GB"
    finally:
        file.write_bytes(written)
    assert stack.run("plan").code == 0


def settled(stack: Stack) -> bool:
    """Nothing is left to change; what is left is shown where the test fails."""
    done = stack.run("plan")
    if done.code != 0:
        sys.stdout.write(done.said)
    return done.code == 0


@pytest.mark.full_on("embedded")
def test_a_server_that_does_not_start_is_taken_back_to_what_it_was(stack: Stack) -> None:
    if Path("/proc/sys/vm/nr_hugepages").read_text().strip() != "0":
        pytest.skip("this machine has huge pages, so the server would start")
    stack.add_tools("before the failure")
    file = stack.rendered / "postgres" / "postgresql.conf"
    written, remembered = file.read_bytes(), stack.state
    before = stack.identity()
    done = stack.run("up", "--set", REFUSED_AT_START, "--timeout", "60", "--json")
    assert done.code in (20, 31), done.said
    assert done.document["ok"] is False
    assert "could not map anonymous shared memory" in done.said
    assert "going back failed too" not in done.said, done.said
    assert file.read_bytes() == written
    assert stack.state == remembered
    assert eventually(stack.healthy, 30, "the app is ready again")
    assert "before the failure" in stack.tools()
    assert stack.run("health").code == 0
    # A probe that met the server while it was down may mark its service a little later, and for a little while.
    eventually(lambda: settled(stack), 180, "nothing is left to change")
    assert stack.sql("SHOW huge_pages") != "on"
    after = stack.identity()
    # The app may have been restarted, where it was found unhealthy meanwhile; nobody else had anything to do with it.
    assert {name for name in before if before[name] != after[name]} <= {"postgres", "app"}


def test_a_pin_that_no_server_would_take_is_refused_before_anything_starts(stack: Stack) -> None:
    before = stack.identity()
    for pin, word in (("nosuch_parameter=1", "nosuch_parameter"), ("work_mem=-7MB", "work_mem")):
        done = stack.run("up", "--set", pin, "--json")
        assert done.code == 10, done.said
        assert word in done.document["errors"][0]["message"]
    assert stack.identity() == before


def test_another_major_version_is_refused_for_data_that_exists(stack: Stack) -> None:
    before = stack.identity()
    have = stack.sql("SHOW server_version_num")[:2]
    other = "16" if have == "15" else "15"
    done = stack.run("up", "--pg", other, "--json")
    assert done.code == 10, done.said
    (error,) = done.document["errors"]
    assert error["message"] == f"the data is PostgreSQL {have}, not {other}"
    assert f"--pg {have}" in error["hint"]
    assert stack.identity() == before


def test_another_engine_is_refused_while_the_first_one_runs(stack: Stack, docker_engine: None) -> None:
    before = stack.identity()
    other = {"embedded": ["--engine", "docker", "--images", "debian", "--pg", "18"], "docker": ["--engine", "embedded"]}
    done = stack.run("up", *other[stack.engine], "--json")
    assert done.code in (10, 20, 22), done.said
    assert stack.identity() == before
    assert stack.state["engine"] == stack.engine


@pytest.mark.full_on("docker")
def test_two_runs_at_once_do_not_mix(stack: Stack) -> None:
    """The first run holds the lock from before it starts anything."""
    import fcntl

    with (stack.private / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["up"], ["down"]):
            done = stack.run(*words, "--json")
            assert done.code == 44, done.said
            assert done.document["errors"][0]["code"] == "locked"
    assert stack.run("up").code == 0


@pytest.mark.full_on("docker")
def test_data_is_destroyed_only_by_name(stack: Stack) -> None:
    before = stack.identity()
    for words in (["--destroy-data"], ["--destroy-data", "--yes-destroy", "another"]):
        done = stack.run("down", *words, "--json")
        assert done.code == 2, done.said
        assert stack.name in done.document["errors"][0]["hint"]
    assert stack.identity() == before


@pytest.mark.parametrize("engine", ENGINES)
def test_a_taken_port_is_named_with_its_holder_before_anything_starts(new_stack: NewStack, engine: str) -> None:
    stack = new_stack(engine)
    name = f"taken-{stack.ports['app']}"
    stack.write(name=name)
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", stack.ports["app"]))
        holder.listen()
        done = stack.run("up", "--json")
    assert done.code == 20, done.said
    (error,) = done.document["errors"]
    assert error["code"] == "port_taken"
    assert f"port {stack.ports['app']} for app is taken" in error["message"]
    assert f"(process {os.getpid()})" in error["message"]
    assert "ports.app" in error["hint"]
    assert not (stack.private / "state.json").exists()
    assert not (Path("/var/lib/stackctl") / name).exists()
    if engine == "docker":
        assert docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={name}").out == ""


def test_a_first_start_that_fails_leaves_nothing_running_and_can_be_put_right(new_stack: NewStack) -> None:
    stack = new_stack("embedded")
    done = stack.run("up", "--set", "unix_socket_group=nosuchgroup", "--timeout", "60", "--json")
    assert done.code in (20, 31), done.said
    assert "nosuchgroup" in done.said
    assert stack.leftovers() == []
    stack.up("--ram", "4G")
    assert stack.healthy()


@pytest.mark.full_on("embedded")
@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_first_up_is_finished_by_the_next(new_stack: NewStack, engine: str) -> None:
    stack = new_stack(engine)
    running = stack.start("up", "--json", start_new_session=True)
    eventually(lambda: running.poll() is not None or _begun(stack), 120, "up has begun to start things")
    assert running.poll() is None, running.communicate()
    second = stack.run("up", "--json")
    assert second.code == 44, second.said
    assert f"process {running.pid}" in second.document["errors"][0]["message"]
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, out + err
    assert '"code": "interrupted"' in out
    stack.up()
    assert stack.healthy()
    stack.add_tools("after the interruption")
    assert stack.run("plan").code == 0


def _begun(stack: Stack) -> bool:
    if not (stack.private / "state.json").exists():
        return False
    return stack.engine == "docker" or (stack.home / "data").is_dir()


@pytest.mark.full_on("docker")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_folder_with_spaces_and_other_alphabets_runs_from_start_to_end(
    new_stack: NewStack, engine: str, tmp_path: Path
) -> None:
    stack = new_stack(engine, tmp_path / "mon projet é ü $HOME 数据 'x' %d")
    stack.up()
    assert stack.name.startswith("mon-projet-e-u-home-x-d-"), stack.name
    stack.add_tools("Café 数据")
    assert stack.tools() == {"Café 数据"}
    assert stack.run("plan").code == 0
    assert stack.run("health").code == 0
    assert stack.run("down").code == 0
    assert stack.leftovers() == []
    stack.up()
    assert stack.tools() == {"Café 数据"}
    name, home = stack.name, stack.home
    done = stack.run("down", "--destroy-data", "--yes-destroy", name, "--json")
    assert done.code == 0, done.said
    assert done.data == {"name": name, "stopped": True, "data_destroyed": True}
    assert not (stack.private / "state.json").exists()
    if engine == "docker":
        mine = f"label=com.docker.compose.project={name}"
        listed = (docker(kind, "ls", "-q", "--filter", mine).out for kind in ("volume", "network"))
        assert "".join(listed) == ""
        assert docker("ps", "-aq", "--filter", mine).out == ""
    else:
        assert not home.exists()
    # Nothing binds the folder to what was there before.
    assert stack.run("down").code == 0
    assert "never brought up" in stack.run("status").out


def test_a_version_that_this_machine_lacks_is_named_with_those_it_has(new_stack: NewStack) -> None:
    stack = new_stack("embedded")
    done = stack.run("up", "--pg", "16", "--json")
    if done.code == 0:
        pytest.skip("this machine has PostgreSQL 16")
    assert done.code == 22, done.said
    (error,) = done.document["errors"]
    assert "PostgreSQL 16" in error["message"]
    assert "18" in error["message"].split("found:")[1]
    assert "--pg 18" in error["hint"]
    assert not (stack.private / "state.json").exists()


def registry_answers() -> bool:
    """Whether this machine can have public images; a build machine behind a wall cannot."""
    try:
        return docker("manifest", "inspect", "docker.io/library/postgres:18", seconds=30).code == 0
    except subprocess.TimeoutExpired:
        return False


def test_without_a_registry_both_ways_out_are_named_and_nothing_stays(new_stack: NewStack, docker_engine: None) -> None:
    if registry_answers():
        pytest.skip("this machine reaches the registry")
    stack = new_stack("docker")
    stack.write(images="public")
    done = stack.run("up", "--json")
    assert done.code == 22, done.said
    (error,) = done.document["errors"]
    assert "cannot be pulled" in error["message"]
    assert "--images debian" in error["hint"]
    assert "--engine embedded" in error["hint"]
    assert not (stack.private / "state.json").exists()
    assert not stack.rendered.exists() or not any(stack.rendered.iterdir())


def test_without_a_registry_the_automatic_choice_is_embedded_and_says_why(
    new_stack: NewStack, docker_engine: None
) -> None:
    if registry_answers():
        pytest.skip("this machine reaches the registry")
    stack = new_stack("embedded")
    stack.write(engine=None)
    done = stack.up("--engine", "auto")
    assert done.data["engine"] == "embedded"
    assert "registry" in done.data["reason"]
    assert "Docker Engine" in done.data["reason"]
    assert stack.state["engine"] == "embedded"
    assert stack.state["reason"] == done.data["reason"]
    # Decided once: the second run does not ask again.
    again = stack.up()
    assert again.data["changed"] is False
    assert again.data["reason"].endswith(done.data["reason"])
    assert stack.state["reason"] == done.data["reason"]
