"""recovery.signal in a data directory that belongs to the account already."""

import stat

import pytest

from stackctl.backup.restore import ask_for_recovery


@pytest.mark.parametrize("made", [True, False])
def test_a_link_of_the_account_s_is_replaced_and_not_followed(tmp_path, made):
    elsewhere, data = tmp_path / "cron", tmp_path / "data"
    data.mkdir()
    if made:
        elsewhere.write_text("theirs")
    (data / "recovery.signal").symlink_to(elsewhere)
    ask_for_recovery(data)
    found = (data / "recovery.signal").lstat()
    assert (stat.S_ISREG(found.st_mode), stat.S_IMODE(found.st_mode), found.st_size) == (True, 0o600, 0)
    assert (elsewhere.read_text() if elsewhere.exists() else None) == ("theirs" if made else None)


def test_nothing_is_made_where_the_folder_itself_is_a_link(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "etc")
    with pytest.raises(NotADirectoryError):
        ask_for_recovery(tmp_path / "data")
    assert list((tmp_path / "etc").iterdir()) == []
