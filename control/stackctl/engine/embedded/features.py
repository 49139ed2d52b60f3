"""What a PostgreSQL installation was built with, asked from its own programs. Nothing is started or kept."""

from __future__ import annotations

import re
from pathlib import Path

from stackctl.engine.runner import Runner
from stackctl.errors import StackError
from stackctl.hardware import kernel
from stackctl.hardware.model import Build

_JIT = "llvmjit.so"
# No parameter takes this value, so the server refuses it and lists those that it knows.
_UNKNOWN = "?"


def probe_build(runner: Runner, folder: Path) -> Build:
    """The build whose programs are in `folder`; a program that is missing or does not answer has no feature."""
    compression = _choices(runner, folder, "wal_compression")
    return Build(
        lz4="lz4" in compression,
        zstd="zstd" in compression,
        llvm=_has_jit(runner, folder),
        io_uring="io_uring" in _choices(runner, folder, "io_method") and kernel.io_uring_allowed(),
    )


def _choices(runner: Runner, folder: Path, parameter: str) -> list[str]:
    """The values that this server takes for `parameter`.

    `--describe-config` leaves them out, and `pg_config` knows options, not what was packed. `-C` comes first, as root
    may run the server for nothing else.
    """
    errors = _run(runner, str(folder / "postgres"), "-C", parameter, "-c", f"{parameter}={_UNKNOWN}")[1]
    match = re.search(r"Available values: (.+?)\.?\s*$", errors, re.MULTILINE)
    return [value.strip() for value in match[1].split(",")] if match else []


def _has_jit(runner: Runner, folder: Path) -> bool:
    """Whether the JIT library is there: distributions build with LLVM, and pack the library on its own."""
    told = _run(runner, str(folder / "pg_config"), "--pkglibdir")[0].strip()
    libraries = [Path(told)] if told else [folder.parent / "lib", folder.parent / "lib" / "postgresql"]
    return any((library / _JIT).is_file() for library in libraries)


def _run(runner: Runner, *argv: str) -> tuple[str, str]:
    try:
        done = runner.run(argv, env={"LC_ALL": "C"}, check=False, quiet=True, clean=True, timeout=20)
    except (StackError, OSError):
        return "", ""
    return done.stdout, done.stderr
