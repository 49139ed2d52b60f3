"""Where the program of an app of the user's own is, and whether another account may run it."""

import os
import tempfile
from pathlib import Path

import pytest

from stackctl.engine.embedded.own_app import own_program
from stackctl.engine.runner import SystemUser
from stackctl.errors import ProfileError
from stackctl.settings.app_section import REFERENCE_APP, AppSection

# An account that owns nothing here.
STRANGER = SystemUser("stackctl", 64_001, 64_001)


@pytest.fixture
def folder():
    """A project folder that every account can enter; pytest's own cannot be."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="own-app-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def _own(folder, user=None, **fields):
    return own_program(AppSection(**fields), folder, user, folder / "work")


def _refused(folder, user=None, **fields):
    with pytest.raises(ProfileError) as caught:
        _own(folder, user, **fields)
    assert caught.value.exit_code == 10
    return str(caught.value), caught.value.hint


def test_the_reference_app_needs_nothing(folder):
    assert own_program(REFERENCE_APP, folder, None, folder) is None


def test_a_bare_name_is_found_in_the_apps_environment_before_the_systems(folder):
    mine = _program(folder / "venv/bin/sh")
    found = _own(folder, command=("sh", "x"), migrate=("env",))
    assert (found.directory, list(found.program)) == (str(folder), [mine])
    assert found.migrate[0] in ("/usr/bin/env", "/bin/env")
    assert found.variables["PATH"].split(":")[0] == f"{folder}/venv/bin"
    assert "HOME" not in found.variables


def test_a_path_begins_in_the_apps_folder(folder):
    there = _program(folder / "srv/shop/bin/serve")
    for word in ("bin/serve", "./bin/serve", there):
        assert list(_own(folder, command=(word,), directory="srv/shop").program) == [there]


def test_the_callers_path_does_not_count(folder, monkeypatch):
    _program(folder / "elsewhere/serve")
    monkeypatch.setenv("PATH", f"{folder}/elsewhere")
    message, hint = _refused(folder, command=("serve",))
    assert message.startswith(
        f"app.command: serve is no program in any of {folder}/.venv/bin, {folder}/venv/bin, /usr/"
    )
    assert "install the app" in hint


def test_what_is_not_there_is_named(folder):
    (folder / "text").write_text("")
    assert _refused(folder, command=("./text",))[0] == f"app.command: {folder}/text is no program"
    assert "app.migrate: no-such-thing" in _refused(folder, command=("sh",), migrate=("no-such-thing",))[0]
    message, _ = _refused(folder, command=("sh",), directory="nowhere")
    assert message == f"app.directory: {folder}/nowhere: no such folder"


def test_another_account_needs_every_folder_on_the_way(folder):
    _program(folder / "closed/app/.venv/bin/serve")
    own = {"command": ("serve",), "directory": "closed/app"}
    assert _own(folder, STRANGER, **own).variables["HOME"] == f"{folder}/work"
    (folder / "closed").chmod(0o700)
    message, hint = _refused(folder, STRANGER, **own)
    assert message == f"app.directory: {folder}/closed/app: the account stackctl may not enter {folder}/closed"
    assert hint.startswith(f"chmod o+x {folder}/closed")
    # Our own account may, and so may a member of its group, where the mode says so.
    assert _own(folder, None, **own)
    (folder / "closed").chmod(0o750)
    assert _own(folder, SystemUser("stackctl", 64_001, os.getegid()), **own)


def test_another_account_needs_the_interpreter_behind_a_link_too(folder):
    _program(folder / "hidden/python")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(folder / "hidden/python")
    _program(folder / ".venv/bin/serve", f"#!{folder}/.venv/bin/python -E\n")
    assert _own(folder, STRANGER, command=("serve",))
    (folder / "hidden").chmod(0o700)
    message, hint = _refused(folder, STRANGER, command=("serve",))
    assert message == (
        f"app.command: {folder}/.venv/bin/python, which {folder}/.venv/bin/serve needs: "
        f"the account stackctl may not enter {folder}/hidden"
    )
    assert "virtual environment" in hint


@pytest.mark.parametrize("user", [None, STRANGER])
def test_an_interpreter_that_is_gone(folder, user):
    _program(folder / "serve", f"#!{folder}/gone/python 'x\n")
    message, hint = _refused(folder, user, command=("./serve",))
    assert message == f"app.command: {folder}/serve needs {folder}/gone/python, which is not there"
    assert "again" in hint


def test_a_program_that_only_its_owner_may_run(folder):
    Path(_program(folder / "serve")).chmod(0o700)
    message, _ = _refused(folder, STRANGER, command=("./serve",))
    assert message == f"app.command: {folder}/serve: {folder}/serve is closed to stackctl"
