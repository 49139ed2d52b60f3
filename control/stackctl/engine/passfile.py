"""A password for libpq's programs: a file that only they can read, for as long as they run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.engine.runner import SystemUser
from stackctl.settings.secret import Secret


@contextmanager
def passfile(folder: Path, password: Secret, user: SystemUser | None) -> Iterator[Path]:
    """A file in `folder` that holds `password` for every server and role; as root it belongs to `user`.

    libpq passes over a file that others can read. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=".pgpass-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"*:*:*:*:{_escaped(password.reveal())}\n")
            if user is not None:
                os.fchown(file.fileno(), user.uid, user.gid)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")
