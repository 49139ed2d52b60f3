"""The user's own app as a process: its folder and its programs, and whether the services' account may enter them."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.runner import SystemUser
from stackctl.errors import ProfileError
from stackctl.settings.app_section import AppSection

# Not the caller's PATH: the same project must find the same programs from every shell.
_SEARCHED = ("/usr/local/bin", "/usr/bin", "/bin")
_ENVIRONMENTS = (".venv/bin", "venv/bin")
_SHEBANG_BYTES = 256
# supervisord may run in a copy of our Python, and hands on what leads to it; an empty value counts as none.
_NOT_OURS = dict.fromkeys(("PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONHOME", "LD_LIBRARY_PATH"), "")


@dataclass(frozen=True)
class OwnProgram:
    """What supervisord.conf needs: the folder, whole paths of the programs, and variables beside the contract."""

    directory: str
    program: Sequence[str]
    migrate: Sequence[str]
    variables: Mapping[str, str]


def own_program(app: AppSection, folder: Path, user: SystemUser | None, work: Path) -> OwnProgram | None:
    """The programs of an app of the user's own, None for the reference app.

    `folder` is the project's, `user` the account that will run them, with `work` as its home. Raises ProfileError
    naming the key, and the folder that keeps the account out.
    """
    if not app.own:
        return None
    directory = folder / app.directory if app.directory else folder
    if not os.path.isdir(directory):  # noqa: PTH112 - unlike Path's, it takes a closed folder on the way for an answer
        raise ProfileError(f"app.directory: {directory}: no such folder", hint="name the folder that the app is in")
    if user is not None:
        _refuse_closed("app.directory", directory, directory, user)
    programs = {"command": _find("command", app.command[0], directory, user)}
    if app.migrate:
        programs["migrate"] = _find("migrate", app.migrate[0], directory, user)
    path = ":".join(dict.fromkeys((str(Path(programs["command"]).parent), *_SEARCHED)))
    migrate = [programs["migrate"]] if app.migrate else []
    others = {} if user is None else {"HOME": str(work), **_NOT_OURS}
    return OwnProgram(str(directory), [programs["command"]], migrate, {"PATH": path, **others})


def _find(key: str, word: str, directory: Path, user: SystemUser | None) -> str:
    """The whole path of a program: a bare name is looked for in the app's virtual environment, then on the system."""
    if "/" in word:
        places = [directory / word]
    else:
        places = [*(directory / each / word for each in _ENVIRONMENTS), *(Path(each) / word for each in _SEARCHED)]
    found = next((place for place in places if _runs(place)), None)
    if found is None:
        tried = ", ".join(str(place.parent) for place in places)
        text = f"{places[0]} is no program" if "/" in word else f"{word} is no program in any of {tried}"
        hint = "install the app, or write the path of its program, such as venv/bin/gunicorn"
        raise ProfileError(f"app.{key}: {text}", hint=hint)
    # Not resolved: a virtual environment is known by the path of its program.
    path = Path(os.path.normpath(found))
    for needed in (path, *_interpreter(path)):
        if not needed.exists():
            hint = "make the app's virtual environment again: it was moved, or its Python removed"
            raise ProfileError(f"app.{key}: {path} needs {needed}, which is not there", hint=hint)
        if user is not None:
            _refuse_closed(f"app.{key}", path, needed, user)
    return str(path)


def _runs(place: Path) -> bool:
    return os.access(place, os.X_OK) and place.is_file()


def _interpreter(program: Path) -> Iterator[Path]:
    """The program that a script's first line names."""
    with program.open("rb") as stream:
        first = stream.read(_SHEBANG_BYTES).split(b"\n", 1)[0]
    # As the kernel reads it, which knows no quotes.
    if first.startswith(b"#!") and (words := os.fsdecode(first[2:]).split()):
        yield Path(words[0])


def _refuse_closed(key: str, wanted: Path, needed: Path, user: SystemUser) -> None:
    """Raise ProfileError where `user` may not enter a folder on the way to `needed`, or not run or enter itself."""
    closed = next((each for each in _way(needed) if not _may_enter(each, user)), None)
    if closed is None:
        return
    through = "" if needed == wanted else f", which {wanted} needs"
    text = (
        f"the account {user.name} may not enter {closed}" if closed.is_dir() else f"{closed} is closed to {user.name}"
    )
    hint = f"chmod o+x {shlex.quote(str(closed))}, or move the app to a folder such as /srv"
    if through:
        hint = "make its virtual environment with a Python that all users may run, such as /usr/bin/python3"
    raise ProfileError(f"{key}: {needed}{through}: {text}", hint=hint)


def _way(path: Path) -> Iterator[Path]:
    """All that is passed on the way to `path`, itself last, each link followed."""
    for step in (path, path.resolve()):
        yield from reversed(step.parents)
    yield path.resolve()


def _may_enter(path: Path, user: SystemUser) -> bool:
    """Whether the mode lets `user` enter a folder or run a file."""
    about = path.stat()
    if about.st_uid == user.uid:
        return bool(about.st_mode & stat.S_IXUSR)
    return bool(about.st_mode & (stat.S_IXGRP if about.st_gid == user.gid else stat.S_IXOTH))
