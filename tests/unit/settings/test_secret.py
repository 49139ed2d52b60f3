"""Secrets never print."""

import copy
import dataclasses
import json
import pickle

import pytest

from stackctl.settings.secret import Secret

PLAIN = "correct-horse-battery"


@pytest.mark.parametrize(
    "show",
    [str, repr, "{}".format, "{!r:>12}".format, "%s".__mod__, lambda s: f"{s:>20}", lambda s: repr([s])],
)
def test_no_way_of_printing_shows_it(show):
    shown = show(Secret(PLAIN))
    assert PLAIN not in shown
    assert "[REDACTED]" in shown


def test_a_dataclass_that_holds_one_does_not_show_it():
    @dataclasses.dataclass(frozen=True)
    class Login:
        user: str
        password: Secret

    assert repr(Login("app", Secret(PLAIN))).endswith("Login(user='app', password=[REDACTED])")


def test_it_reveals_itself_only_when_asked():
    assert Secret(PLAIN).reveal() == PLAIN


@pytest.mark.parametrize("leak", [hash, json.dumps, pickle.dumps, copy.copy, vars, lambda s: {s: 1}])
def test_it_cannot_be_hashed_serialised_or_copied(leak):
    with pytest.raises(TypeError):
        leak(Secret(PLAIN))


def test_equality_is_with_secrets_only():
    assert Secret("é") == Secret("é")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
