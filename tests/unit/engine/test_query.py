"""Rows through psql."""

from stackctl.engine.query import as_json, rows


def test_rows_come_back_as_json():
    assert rows('[{"name":"a","n":1},{"name":null,"n":2.5}]\n') == [{"name": "a", "n": 1}, {"name": None, "n": 2.5}]
    assert rows("[]\n") == []


def test_a_query_is_wrapped_into_one_array():
    assert as_json("SELECT 1 AS n") == "SELECT coalesce(json_agg(row_to_json(r)), '[]') FROM (SELECT 1 AS n) r"
