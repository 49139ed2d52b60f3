"""The embedded engine: killed processes, closed terminals, ordinary users, and what others on the machine can see."""

from __future__ import annotations

import fcntl
import os
import pty
import pwd
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from e2e.stack.conftest import NewStack
from running_stack import Stack, alive, eventually, parent, wheel_programs
from stackctl import assets

pytestmark = pytest.mark.parametrize("engine", ["embedded"], indirect=True)
_SITE_PACKAGES = sysconfig.get_paths()["platlib"]
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "mypy*", "ruff*", "pip", "setuptools", "hypothesis", "_pytest")


def kinds(stack: Stack) -> dict[str, int]:
    """How many masters of each kind there are."""
    return dict(Counter(stack.masters().values()))


def master(stack: Stack, kind: str) -> int:
    (found,) = (pid for pid, name in stack.masters().items() if name == kind)
    return found


def test_after_a_killed_supervisor_up_leaves_exactly_one_of_each(stack: Stack) -> None:
    stack.add_tools("before the supervisor was killed")
    before = stack.processes()
    os.kill(stack.supervisor(), signal.SIGKILL)
    assert eventually(lambda: len(stack.processes()) < len(before), 10, "the supervisor is gone")
    assert kinds(stack) == {"postgres": 1, "app": 1}, "the test needs orphans"
    stack.up()
    assert kinds(stack) == {"postgres": 1, "app": 1}
    assert [pid for pid in before if alive(pid)] == []
    assert parent(master(stack, "postgres")) == stack.supervisor()
    assert parent(master(stack, "app")) == stack.supervisor()
    assert "before the supervisor was killed" in stack.tools()


def test_after_a_killed_supervisor_down_leaves_nothing(stack: Stack) -> None:
    stack.add_tools("before the supervisor was killed and all went down")
    os.kill(stack.supervisor(), signal.SIGKILL)
    done = stack.run("down", "--json")
    assert done.code == 0, done.said
    assert stack.leftovers() == []
    log = stack.home / "logs" / "postgres.log"
    size = log.stat().st_size
    stack.up()
    # Without a supervisor nobody wrote down what the server said; that it ended well shows at its next start.
    assert "database system was shut down at" in log.read_text()[size:]
    assert "before the supervisor was killed and all went down" in stack.tools()


@pytest.mark.parametrize("kind", ["app", "postgres"])
def test_a_killed_master_comes_back_with_every_acknowledged_row(stack: Stack, kind: str) -> None:
    names = [f"acknowledged before {kind} was killed {number}" for number in range(10)]
    stack.add_tools(*names)
    killed = master(stack, kind)
    other = master(stack, {"app": "postgres", "postgres": "app"}[kind])
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not alive(killed), 10, "the master is gone")
    eventually(lambda: kinds(stack) == {"postgres": 1, "app": 1} and stack.healthy(), 60, "all is well again")
    assert master(stack, kind) != killed
    assert alive(other)
    assert stack.tools() >= set(names)
    stack.add_tools(f"after {kind} was killed")
    eventually(lambda: stack.run("health").code == 0, 20, "health agrees")


def test_the_lock_of_a_server_that_is_no_more_keeps_nobody_from_starting(stack: Stack) -> None:
    """As after a power cut."""
    stack.add_tools("before the power cut")
    (file,) = (stack.home / "data").glob("*/postmaster.pid")
    content, owner = file.read_text(), file.stat()
    assert stack.run("down").code == 0
    assert not file.exists()
    file.write_text(content)
    file.chmod(0o600)
    os.chown(file, owner.st_uid, owner.st_gid)
    stack.up()
    assert "before the power cut" in stack.tools()
    assert file.read_text().splitlines()[0] != content.splitlines()[0]


def test_the_stack_outlives_the_terminal_it_was_started_from(stack: Stack) -> None:
    assert stack.run("down").code == 0
    leader, follower = pty.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    words = {"stdin": follower, "stdout": follower, "stderr": follower}
    shell = stack.start("up", "--no-color", start_new_session=True, preexec_fn=own_terminal, **words)
    os.close(follower)
    said = b""
    with suppress(OSError):
        while chunk := os.read(leader, 4096):
            said += chunk
    assert shell.wait(120) == 0, said.decode()
    assert b"is up on the embedded engine" in said
    before = stack.identity()
    os.close(leader)
    time.sleep(1)
    assert set(before) == {"app", "postgres"}
    assert stack.identity() == before
    assert stack.healthy()


def test_no_secret_is_in_a_command_line_an_environment_a_rendered_file_or_a_log(stack: Stack) -> None:
    secrets = {name: text.encode() for name, text in stack.secrets().items()}
    assert len(secrets) == 15
    stack.psql("app", "wrong", "SELECT 1")
    places: dict[str, bytes] = {}
    for pid in stack.processes():
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                places[f"{pid} {name}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    for folder in (stack.rendered, stack.home / "rendered", stack.home / "logs"):
        for path in folder.rglob("*"):
            if path.is_file():
                places[str(path)] = path.read_bytes()
    for words in (["status"], ["health"], ["logs", "--tail", "10000"], ["plan"], ["up", "--verbose"]):
        places[" ".join(words)] = stack.run(*words).said.encode()
    assert len(places) > 40
    assert [(place, name) for place, text in places.items() for name, word in secrets.items() if word in text] == []


def test_the_database_listens_on_loopback_and_its_files_are_its_own(stack: Stack) -> None:
    assert stack.sql("SHOW listen_addresses") == "127.0.0.1"
    for folder in (stack.home, stack.home / "data", stack.home / "secrets"):
        if folder.exists():
            assert folder.stat().st_mode & 0o077 == 0, folder
    assert stack.private.stat().st_mode & 0o777 == 0o700


def test_as_root_the_project_keeps_its_owners_and_the_services_run_as_the_account(
    new_stack: NewStack, engine: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root could give files away")
    stack = new_stack(engine)
    nobody = pwd.getpwnam("nobody")
    (stack.folder / "notes").mkdir()
    for path in (stack.folder / "notes" / "mine.txt", stack.folder / ".env"):
        path.write_text("# mine\n")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    os.chown(stack.folder / "notes", nobody.pw_uid, nobody.pw_gid)
    before = {path: path.stat().st_uid for path in stack.folder.rglob("*")}
    stack.up()
    assert {path: path.stat().st_uid for path in before} == before
    made = [path for path in stack.private.rglob("*") if path.lstat().st_uid != 0]
    assert made == []
    account = pwd.getpwnam("stackctl")
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in stack.processes()}
    assert owners == {account.pw_uid}
    assert stack.home.stat().st_uid == account.pw_uid
    for path in stack.home.rglob("*"):
        assert path.lstat().st_uid == account.pw_uid, path


def test_as_root_stacks_share_a_copy_of_the_libraries_as_long_as_one_uses_it(new_stack: NewStack, engine: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root copies libraries for the account")
    one, two = new_stack(engine), new_stack(engine)
    one.up()
    if not copies_of(one) and libraries_of(one) == {Path(_SITE_PACKAGES)}:
        pytest.skip(f"the account can run {sys.executable} itself, so nothing is copied")
    (used,) = copies_of(one)
    made = used.stat().st_ctime_ns, used.stat().st_ino
    two.up()
    assert copies_of(two) == {used}
    assert (used.stat().st_ctime_ns, used.stat().st_ino) == made, "it was copied once"
    owned = [path for path in (used, *used.rglob("*")) if path.lstat().st_uid != 0 or path.stat().st_mode & 0o022]
    assert owned == [], "the account changes nothing in it"
    elsewhere = used.with_name("0123456789abcdef")
    (elsewhere / "of an older version").mkdir(parents=True)
    one.remove()
    assert used.is_dir()
    assert not elsewhere.exists()
    assert two.run("status").code == 0


def copies_of(stack: Stack) -> set[Path]:
    """The copies of libraries that processes of a stack have files of."""
    shared = Path("/var/lib/stackctl/.programs")
    return {path.parent for path in libraries_of(stack) if path.is_relative_to(shared)}


def libraries_of(stack: Stack) -> set[Path]:
    """The library folders that its app's processes have compiled parts of."""
    maps = Path(f"/proc/{master(stack, 'app')}/maps").read_text()
    return {Path(path) for path in re.findall(r"(/\S+/site-packages)/", maps)}


def test_links_in_the_accounts_home_do_not_lead_root_astray(new_stack: NewStack, engine: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root could be led astray")
    stack = new_stack(engine)
    stack.up()
    assert stack.run("down").code == 0
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (victim / "secret").write_text("root's")
    (victim / "secret").chmod(0o600)
    account = pwd.getpwnam("stackctl")
    script = 'cd "$1" && for each in rendered secrets programs work; do rm -rf $each && ln -s "$2" $each; done'
    subprocess.run(
        ["sh", "-c", script, "sh", str(stack.home), str(victim)],
        user=account.pw_uid, group=account.pw_gid, extra_groups=[], check=True, timeout=60, cwd="/",
    )  # fmt: skip
    stack.run("up")
    assert [path.name for path in victim.iterdir()] == ["secret"]
    assert (victim / "secret").stat().st_mode & 0o777 == 0o600
    assert (victim / "secret").stat().st_uid == 0


@pytest.fixture
def ordinary(engine: str) -> Iterator[Stack]:
    """A project of a user who is not root, with a Python that this user can run."""
    if os.geteuid() != 0:
        folder = Path(tempfile.mkdtemp(prefix="ordinary-"))
        stack = Stack(folder, engine)
    else:
        # Not pytest's own folder: only root can enter that one.
        folder = Path(tempfile.mkdtemp(prefix="ordinary-", dir="/var/tmp"))
        folder.chmod(0o755)
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        project = folder / "home" / "project"
        project.mkdir(parents=True)
        stack = Stack(project, engine, python=python_for(folder / "python", user), user=user)
        stack.variables = {"HOME": str(folder / "home"), "PYTHONPATH": str(folder / "python" / "src" / "control")}
    stack.write()
    if stack.user:
        for path in (folder / "home", *(folder / "home").rglob("*")):
            os.chown(path, stack.user["user"], stack.user["group"])
    try:
        yield stack
    finally:
        stack.remove()
        shutil.rmtree(folder)


def python_for(folder: Path, user: dict[str, Any]) -> Path:
    """A virtual environment with our libraries and our sources, outside root's home."""
    candidates = (Path(sys.base_prefix) / "bin" / _VERSION, Path("/usr/bin") / _VERSION)
    interpreter = next((each for each in candidates if _runs(each, user)), None)
    if interpreter is None:
        pytest.skip(f"there is no {_VERSION} outside root's home")
    libraries = wheel_programs().parents[2]
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(interpreter)
    (folder / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\n")
    shutil.copytree(libraries, folder / "lib" / _VERSION / "site-packages", ignore=_LEFT_OUT)
    for name in ("control", "stack", "config", "dashboards"):
        if (assets.root() / name).is_dir():
            shutil.copytree(assets.root() / name, folder / "src" / name, ignore=_LEFT_OUT)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
    return folder / "bin" / "python"


def _runs(program: Path, user: dict[str, Any]) -> bool:
    try:
        return subprocess.run([program, "-c", "import ssl"], check=False, cwd="/", **user).returncode == 0
    except OSError:
        return False


def test_an_ordinary_user_runs_a_stack_below_the_project(ordinary: Stack) -> None:
    done = ordinary.up()
    assert done.data["engine"] == "embedded"
    ordinary.add_tools("of an ordinary user")
    owner = ordinary.folder.stat().st_uid
    assert owner != 0
    assert ordinary.home == ordinary.folder / ".stackctl" / "embedded"
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in ordinary.processes()} == {owner}
    assert {path.lstat().st_uid for path in ordinary.private.rglob("*")} == {owner}
    assert not (Path("/var/lib/stackctl") / ordinary.name).exists()
    assert ordinary.run("plan").code == 0
    assert ordinary.run("health").code == 0
    assert ordinary.run("down").code == 0
    assert ordinary.leftovers() == []
    ordinary.up()
    assert ordinary.tools() == {"of an ordinary user"}
