"""Global options in any place."""

import pytest

from stackctl.cli.options import command_of, hoist


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("size --json --ram 2G", "--json size --ram 2G"),
        ("size --project x --quiet", "--project x --quiet size"),
        ("size --project=x", "--project=x size"),
        ("--json size", "--json size"),
        ("logs app -f --no-color", "--no-color logs app -f"),
        ("logs -- --json", "logs -- --json"),
        ("size --project", "size --project"),
        ("size --format json", "--json size --format json"),
        ("size --format=json", "--json size --format=json"),
        ("size --format conf json", "size --format conf json"),
        ("size --format", "size --format"),
        ("", ""),
    ],
)
def test_they_come_to_the_front(words, expected):
    assert hoist(words.split()) == expected.split()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("size --json", "size"),
        ("--project size up", "up"),
        ("--project=size --json up", "up"),
        ("--json", ""),
        ("--help", ""),
        ("logs postgres", "logs"),
    ],
)
def test_the_command_among_the_words(words, command):
    assert command_of(words.split()) == command
