"""Statements with values: what plans tell of them, as EXPLAIN (VERBOSE) of PostgreSQL 18 wrote them."""

from __future__ import annotations

import pytest

from stackctl.bench.replay import Column, Part, Seen, bound, columns, filled, rare, script

SEARCH = Seen(
    "SELECT tools.name FROM tools WHERE tools.id > $1::BIGINT AND (tools.name ILIKE $4 || $2::VARCHAR || $5 ESCAPE $6)"
    " ORDER BY tools.id \n LIMIT $3::BIGINT",
    30,
)
SEARCHED = {
    "Node Type": "Limit",
    "Plans": [
        {
            "Node Type": "Index Scan",
            "Relation Name": "tools",
            "Schema": "public",
            "Alias": "tools",
            "Index Cond": "(tools.id > $1)",
            "Filter": "(tools.name ~~* like_escape((($4 || ($2)::text) || $5), $6))",
        }
    ],
}


def of(name: str, operator: str, **more: object) -> Column:
    return Column("public", "tools", "tools", name, operator, **more)  # type: ignore[arg-type]


def test_a_search_that_is_put_together_from_pieces() -> None:
    """The word that is looked for is in the middle; a wildcard in its place would read the whole table each time."""
    assert columns(SEARCHED) == {
        1: of("id", ">"),
        4: of("name", "~~*", part=Part.WILDCARD),
        2: of("name", "~~*", part=Part.WORD),
        5: of("name", "~~*", part=Part.WILDCARD),
    }
    assert bound(SEARCH) == {3: "'50'", 6: "'/'"}
    assert SEARCH.parameters == 6


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("(t.id = ANY ($1))", {1: ("id", "=", True)}),
        ("((t.name)::text = ($2)::text)", {2: ("name", "=", False)}),
        ("((t.made >= $1) AND (t.made < $2))", {1: ("made", ">=", False), 2: ("made", "<", False)}),
        ('(t."of when" <> $1)', {1: ("of when", "<>", False)}),
        # Nobody knows what a sum of two is like, nor what a function of a column gives.
        ("(t.id > ($1 + $2))", {}),
        ("(length(t.name) > $1)", {}),
        ("(lower((t.name)::text) = $1)", {}),
        # What is reckoned from one is not like the column either: an interval is no time.
        ("(t.made > (now() - ($1)::interval))", {}),
        ("(t.price > ($1 * '2'::numeric))", {}),
        ("((t.name)::text ~~ upper(($1)::text))", {}),
        ("(t.price > (($1)::numeric(10,2)))", {1: ("price", ">", False)}),
        ("((t.id = ANY (($1)::integer[])) AND (t.on_off = $2))", {1: ("id", "=", True), 2: ("on_off", "=", False)}),
        (
            '((t.word = ($1)::public.citext) OR (t.kind = ($2)::"char"))',
            {1: ("word", "=", False), 2: ("kind", "=", False)},
        ),
        ("(t.made >= ($1)::timestamp with time zone)", {1: ("made", ">=", False)}),
        ("((t.name)::text ~~* (('it''s %'::text || ($1)::text) || '%'::text))", {1: ("name", "~~*", False)}),
        # A relation that is not scanned, such as a subquery, has no rows to take values from.
        ("(x.id = $1)", {}),
    ],
)
def test_a_condition_tells_the_column(condition: str, expected: dict[int, tuple[str, str, bool]]) -> None:
    plan = {"Node Type": "Seq Scan", "Relation Name": "tools", "Schema": "own", "Alias": "t", "Filter": condition}
    found = columns(plan)
    assert {number: (each.column, each.operator, each.many) for number, each in found.items()} == expected
    assert all((each.schema, each.relation) == ("own", "tools") for each in found.values())


def test_values_stand_in_the_place_of_parameters() -> None:
    """$1 is not the beginning of $10."""
    seen = Seen("SELECT $1, $10, $2::int", 1)
    values = {1: "'it''s'", 2: "'7'", 10: "NULL"}
    types = ["text", "integer", *["text"] * 7, "timestamp with time zone"]
    assert (
        filled(seen, values, types) == "SELECT ('it''s'::text), (NULL::timestamp with time zone), ('7'::integer)::int"
    )


def test_each_statement_is_asked_as_often_as_it_was_called() -> None:
    text = script({Seen("SELECT 1", 30): ["SELECT 1;"], Seen("SELECT $1", 10): ["SELECT 'a'", "SELECT 'b'"]})
    assert text == (
        "\\set dice random(1, 40)\n"
        "\\if :dice <= 30\n\\set variant random(1, 1)\n\\if :variant = 1\nSELECT 1;\n\\endif\n"
        "\\else\n\\set variant random(1, 2)\n"
        "\\if :variant = 1\nSELECT 'a';\n\\endif\n\\if :variant = 2\nSELECT 'b';\n\\endif\n"
        "\\endif\n"
    )
    with pytest.raises(ValueError, match="was called"):
        script({})


def test_one_statement_alone_is_always_asked() -> None:
    assert script({Seen("SELECT 1", 3): ["SELECT 1"]}).splitlines()[1] == r"\if :dice <= 3"


def test_what_was_called_seldom_has_a_side_of_the_dice_too() -> None:
    """And is named where a run may never throw it."""
    asked = {Seen("SELECT 1", 50_000_000): ["a"], Seen("SELECT 2", 500): ["b"], Seen("SELECT 3", 400): ["c"]}
    lines = script(asked).splitlines()
    assert lines[0] == r"\set dice random(1, 50000900)"
    assert [each for each in lines if "dice <=" in each] == [r"\if :dice <= 50000000", r"\elif :dice <= 50000500"]
    assert lines.count(r"\else") == 1
    assert rare(asked) == {"SELECT 2": 100_001, "SELECT 3": 125_002}
    assert rare({Seen("SELECT 1", 9_999): ["a"], Seen("SELECT 2", 1): ["b"]}) == {}
