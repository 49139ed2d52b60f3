"""Lines of postgresql.conf, as the server's own grammar has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.postgresql_conf import read_conf


def test_every_form_of_a_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "postgresql.conf"
    path.write_text(
        "# a comment\n"
        "\n"
        "shared_buffers = 4GB\n"
        "work_mem 32MB   # no sign of equality\n"
        "log_line_prefix='%m [%p] # is no comment '\n"
        "archive_command = 'test ! -f ''a'' && cp \\'b\\' c'\n"
        "pg_stat_statements.max=10000\n"
        "checkpoint_timeout =15min\n"
        "work_mem = '64MB'\n"
        "search_path = ''\n"
    )
    assert read_conf(path) == {
        "shared_buffers": "4GB",
        "work_mem": "64MB",
        "log_line_prefix": "%m [%p] # is no comment ",
        "archive_command": "test ! -f 'a' && cp 'b' c",
        "pg_stat_statements.max": "10000",
        "checkpoint_timeout": "15min",
        "search_path": "",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shared_buffers = 4GB 5GB", ":1: 'shared_buffers = 4GB 5GB' is no setting"),
        ("= 4GB", ":1: '= 4GB' is no setting"),
        ("name = 'open", ':1: "name = \'open" is no setting'),
        ("include 'other.conf'", "other.conf"),
        ("include_dir 'other'", "see include_dir"),
        ("include_if_exists 'x.conf'", ":1: include_if_exists leads on and on"),
    ],
)
def test_what_is_no_setting_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "x.conf"
    path.write_text(line + "\n")
    with pytest.raises(ProfileError) as error:
        read_conf(path)
    assert said in f"{error.value} {error.value.hint}"


def test_included_files_are_read_in_their_place_as_debian_has_them(tmp_path: Path) -> None:
    path, folder = tmp_path / "postgresql.conf", tmp_path / "conf.d"
    folder.mkdir()
    path.write_text(
        "work_mem = 1MB\ninclude_dir = 'conf.d'\ninclude_if_exists = 'none.conf'\ninclude 'last.conf'\njit = on\n"
    )
    (tmp_path / "last.conf").write_text("wal_level = logical\njit = off\n")
    (folder / "20.conf").write_text("work_mem = 3MB\n")
    (folder / "10.conf").write_text("work_mem = 2MB\nmax_connections = 20\n")
    for name in ("30.conf.off", ".40.conf"):
        (folder / name).write_text("work_mem = 9MB\n")
    assert read_conf(path) == {"work_mem": "3MB", "max_connections": "20", "wal_level": "logical", "jit": "on"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.conf"):
        read_conf(tmp_path / "none.conf")
