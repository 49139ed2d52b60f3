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
        ("include 'other.conf'", ":1: include is not followed"),
    ],
)
def test_what_is_no_setting_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "x.conf"
    path.write_text(line + "\n")
    with pytest.raises(ProfileError) as error:
        read_conf(path)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.conf"):
        read_conf(tmp_path / "none.conf")
