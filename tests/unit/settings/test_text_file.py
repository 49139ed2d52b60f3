"""Reading files of the project directory."""

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.text_file import read_text


def test_nothing_there_is_none(tmp_path):
    assert read_text(tmp_path / "stackctl.yaml") is None


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path):
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfA=1\n")
    assert read_text(path) == "A=1\n"


def test_the_line_of_a_byte_that_is_not_utf8(tmp_path):
    path = tmp_path / "stackctl.yaml"
    path.write_bytes(b"name: shop\n# caf\xe9\n")
    with pytest.raises(ProfileError) as caught:
        read_text(path)
    assert str(caught.value) == "stackctl.yaml:2: not UTF-8 text"
    assert caught.value.hint == "save the file as UTF-8"


def test_a_directory_in_its_place(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(ProfileError) as caught:
        read_text(tmp_path / ".env")
    assert str(caught.value) == ".env: cannot be read: Is a directory"
    assert caught.value.exit_code == 10


def test_a_broken_link_is_not_taken_for_no_file(tmp_path):
    (tmp_path / ".env").symlink_to(tmp_path / "gone")
    with pytest.raises(ProfileError, match="a link to a file that is not there"):
        read_text(tmp_path / ".env")
