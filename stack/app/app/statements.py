"""The statements that reads send, built once: what differs from one request to the next is a parameter."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Select, Table, bindparam, select


@cache
def one_row(table: Table, *keys: str) -> Select[Any]:
    """Return the SELECT of the row whose columns `keys` have the values of the same names."""
    return select(table).where(*(table.c[key] == bindparam(key) for key in keys))


@cache
def rows_after(table: Table, *keys: str) -> Select[Any]:
    """Return the SELECT of up to `most` such rows by ascending id, from the one behind the id `after`."""
    following = one_row(table, *keys).where(table.c.id > bindparam("after"))
    return following.order_by(table.c.id).limit(bindparam("most", type_=BigInteger))
