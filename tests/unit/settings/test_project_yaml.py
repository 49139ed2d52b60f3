"""The form of stackctl.yaml, before its schema."""

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.project_yaml import read


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "---\n"])
def test_an_empty_file_gives_nothing(text):
    document = read(text, "stackctl.yaml")
    assert (document.data, document.problems) == ({}, [])


def test_scalars_and_their_lines():
    document = read(
        "profile:\n  cpus: 4\n"
        "postgres:\n  jit: off\n\n  a: 0.9\n  b: 2024-01-01\n  c: '4'\n  d:\n  e: 1.0e-5\n  f: 1:30\n",
        "f",
    )
    assert document.data == {
        "profile": {"cpus": 4},
        "postgres": {
            "jit": False,
            "a": "0.9",
            "b": "2024-01-01",
            "c": "4",
            "d": None,
            "e": "1.0e-5",
            "f": "1:30",
        },
    }
    assert document.line(("profile", "cpus")) == 2
    assert document.line(("postgres", "a")) == 6
    assert document.line(("postgres", "missing")) == 3


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- a\n", "stackctl.yaml:1: the file is a list, not a mapping", "write keys such as"),
        ("# x\nshop\n", "stackctl.yaml:2: the file is a single value, not a mapping", "write keys such as"),
        ("a: 1\nprofile:\n\tram: 16G\n", "stackctl.yaml:3: not YAML: found character", "indent with spaces"),
        ("a: [1\nb: 2\n", "stackctl.yaml:2: not YAML: ", "quote values"),
        ("a: 1\n---\nb: 2\n", "stackctl.yaml:2: not YAML: but found another document", "quote values"),
        ("a: 'open\n", "stackctl.yaml:2: not YAML: found unexpected end of stream", "quote values"),
        ("a: \x00\n", "stackctl.yaml: not YAML: ", "plain text"),
        ("[" * 5000, "stackctl.yaml: not YAML: ", "plain text"),
    ],
)
def test_one_line_says_where_it_is_no_yaml(text, message, hint):
    with pytest.raises(ProfileError) as caught:
        read(text, "stackctl.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert hint in caught.value.hint


def test_duplicates_aliases_and_tags_are_all_reported():
    text = "a: 1\nb: &x\n  c: 2\na: 3\nd: *x\ne: !!python/name:os.system x\n[1]: 2\nf: !!int x\n"
    document = read(text, "f")
    assert [(line, problem.message) for line, problem in document.problems] == [
        (4, "f:4: a: is already given in line 1"),
        (5, "f:5: d: anchors and aliases are not read"),
        (6, "f:6: e: the tag tag:yaml.org,2002:python/name:os.system is not read"),
        (7, "f:7: a key is a list, not a word"),
        (8, "f:8: f: 'x' is not what the tag int says"),
    ]


def test_an_alias_to_itself_ends():
    document = read("a: &a\n  b: *a\n", "f")
    assert [problem.message for _, problem in document.problems] == ["f:2: a.b: anchors and aliases are not read"]
