"""What is written down of backups is read as it was written, or not at all."""

from datetime import UTC, datetime

import pytest

from stackctl.backup.noted import note_backups, noted_backups
from stackctl.errors import EngineFailed, StackError
from stanza import Stanza

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
DRILLED = {"stackctl-drilled": "2026-03-31T13:00:00Z", "stackctl-rto": "41.5", "stackctl-kept": "the merger"}


def test_all_that_is_known_comes_back(tmp_path):
    """A drill's figures and what is kept too, as alerts go by them."""
    folder = tmp_path / "noted"
    store = Stanza()
    store.take("F1", NOON, notes=DRILLED)
    store.take("F2", NOON)
    backups = list(store.stored().backups())
    note_backups(folder, backups)
    assert [each.rto_seconds for each in backups] == [41.5, None]
    assert noted_backups(folder) == backups
    note_backups(folder, [])
    assert noted_backups(folder) == [], "an empty repository is known to be empty"
    assert oct(folder.stat().st_mode)[-3:] == "700"


def test_nothing_written_is_not_nothing_taken(tmp_path):
    with pytest.raises(EngineFailed, match="nobody wrote down what the repository holds"):
        noted_backups(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[{}]", "7", '[{"id": "F1", "colour": "red"}]'])
def test_what_is_no_list_of_backups_is_named(tmp_path, content):
    (tmp_path / "backups.json").write_text(content)
    with pytest.raises(EngineFailed, match=r"backups\.json: "):
        noted_backups(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "noted").write_text("a file")
    with pytest.raises(StackError, match="noted: cannot be written"):
        note_backups(tmp_path / "noted", [])
