"""Create, list, read, replace and delete rows of any table, each in one short unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import HTTPException, Response
from pydantic import BaseModel
from sqlalchemy import Connection, Row, delete, func, insert, update
from sqlalchemy.orm import InstrumentedAttribute

from app.access import Access
from app.models import Base
from app.schemas import Paging
from app.statements import one_row, rows_after

LARGEST_PAGE = 500
# One statement: a round trip costs less than inserting these.
ROWS_AT_A_TIME = 500
# For each of these statements. Nobody wants to send 10,000 rows again because one of them waited.
IMPORT_TIMEOUT_MS = 60_000

T = TypeVar("T")
Model = type[Base]
Parent = tuple[Model, int]


async def create(db: Access, response: Response, model: Model, values: dict[str, Any]) -> Row[Any]:
    """Store a new row and say in the response where it is."""
    table = model.__table__
    statement = insert(table).values(**values).returning(table)
    row = await db.write(lambda connection: connection.execute(statement).one(), table.name)
    # An id in the path may have blanks around it, also some that no header can carry.
    response.headers["Location"] = quote(f"{db.path}/{row.id}")
    return row


async def create_all(db: Access, model: Model, rows: Sequence[BaseModel], **common: Any) -> dict[str, Any]:
    """Store new rows, all or none; give their ids in the order of the rows."""
    table = model.__table__
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)

    def work(connection: Connection) -> list[int]:
        ids: list[int] = []
        # In parts, so that only one of them at a time is also there as parameters.
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            part = [row.model_dump() | common for row in rows[start : start + ROWS_AT_A_TIME]]
            ids += connection.scalars(statement, part)
        return ids

    ids = await db.write(work, table.name, statement_timeout_ms=IMPORT_TIMEOUT_MS)
    return {"imported": len(ids), "ids": ids}


async def page(
    db: Access,
    model: Model,
    paging: Paging,
    searched: InstrumentedAttribute[str],
    parent: Parent | None = None,
    **keys: int,
) -> Any:
    """Give rows by ascending id; when there are none, 404 for a parent that does not exist."""
    wanted = min(paging.limit, LARGEST_PAGE)
    statement = rows_after(model.__table__, *keys)
    if paging.search:
        statement = statement.where(searched.icontains(paging.search, autoescape=True))
    # One more than asked for tells whether there is a next page without a second query.
    values = {"after": paging.after, "most": wanted + 1, **keys}

    def work(connection: Connection) -> list[dict[str, Any]]:
        result = connection.execute(statement, values)
        names = result.keys()
        # As plain dicts, whose values the check of the answer finds faster than a row's.
        rows = [dict(zip(names, row, strict=True)) for row in result]
        if not rows and parent is not None:
            found(parent[0], _one(connection, parent[0], {"id": parent[1]}))
        return rows

    async def load() -> dict[str, Any]:
        rows = await db.read(work)
        items = rows[:wanted]
        return {"items": items, "next": items[-1]["id"] if len(rows) > wanted else None}

    return await db.listed(model.__tablename__, (wanted, paging.after, paging.search), load)


def _one(connection: Connection, model: Model, keys: dict[str, int]) -> Row[Any] | None:
    return connection.execute(one_row(model.__table__, *keys), keys).one_or_none()


async def read(db: Access, model: Model, **keys: int) -> Row[Any]:
    """Give the row whose columns have these values, or 404."""
    return found(model, await db.read(lambda connection: _one(connection, model, keys)))


async def replace(db: Access, model: Model, values: dict[str, Any], **keys: int) -> Row[Any]:
    """Replace what a client may write of a row, or 404."""
    table = model.__table__
    statement = update(table).filter_by(**keys).values(**values, updated_at=func.now()).returning(table)
    return found(model, await db.write(lambda connection: connection.execute(statement).one_or_none(), table.name))


async def remove(db: Access, model: Model, **keys: int) -> Response:
    """Delete a row and what belongs to it, or 404."""
    statement = delete(model.__table__).filter_by(**keys).returning(model.__table__.c.id)
    tables = with_dependents(model)
    found(model, await db.write(lambda connection: connection.scalar(statement), *tables))
    return Response(status_code=204)


def with_dependents(model: Model) -> set[str]:
    """Return the names of a table and of those whose rows go with its rows."""
    keys = [
        (other.key, key.column.table.key)
        for other in Base.metadata.tables.values()
        for key in other.foreign_keys
        if key.ondelete == "CASCADE"
    ]
    names = {model.__tablename__}
    while more := {child for child, parent in keys if parent in names} - names:
        names |= more
    return names


def found(model: Model, result: T | None) -> T:
    """Return the result, or raise 404 when there is none."""
    if result is None:
        raise HTTPException(404, f"There is no {model.__name__.lower()} with this id.")
    return result
