"""Who has to consent to what `restore` does."""

import pytest

from stackctl.operations.restoring import decide, in_place
from stackctl.operations.result import Result


@pytest.fixture
def asked(monkeypatch):
    """The operations, but for all that they do: they say whether they may."""

    def answer(_request, how, *_asked, **_options):
        return Result({"agreed": how.agreed(["data 0, from before the restore, is removed"])}, [])

    monkeypatch.setattr(decide, "undo_command", answer)
    monkeypatch.setattr(decide, "accept_command", answer)
    monkeypatch.setattr(in_place, "in_place_command", answer)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("words", "agreed"),
    [
        (["--undo"], False),
        (["--accept"], False),
        (["--undo", "--yes"], True),
        (["--accept", "--yes"], True),
        ([], True),
        (["--yes"], True),
    ],
)
def test_a_script_consents_with_yes_to_what_cannot_be_undone(cli_json, words, agreed):
    code, found = cli_json("restore", *words)
    assert (code, found["data"]) == (0, {"agreed": agreed})
