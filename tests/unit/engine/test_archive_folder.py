"""The folder that WAL is archived to: made for its owner, and left alone where it is as it should be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from stackctl.engine.archive_folder import make_archive
from stackctl.engine.runner import SystemUser
from stackctl.errors import ProfileError

ME = SystemUser("me", os.geteuid(), os.getegid())


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk that became read-only: what is there can be seen."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("chown", "chmod"):
        monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize(("user", "shared", "mode"), [(ME, False, 0o750), (ME, True, 0o750), (None, True, 0o2770)])
def test_one_that_is_right_is_found_on_a_read_only_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: SystemUser | None, shared: bool, mode: int
) -> None:
    make_archive(tmp_path / "place", user, shared=shared)
    assert (tmp_path / "place" / "wal").stat().st_mode & 0o7777 == mode
    broken(monkeypatch)
    make_archive(tmp_path / "place", user, shared=shared)


def test_one_that_is_wrong_is_mended_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_archive(tmp_path / "place", ME)
    folder = tmp_path / "place" / "wal"
    folder.chmod(0o700)
    make_archive(tmp_path / "place", ME)
    assert folder.stat().st_mode & 0o7777 == 0o750
    folder.chmod(0o700)
    broken(monkeypatch)
    with pytest.raises(ProfileError):
        make_archive(tmp_path / "place", ME)
