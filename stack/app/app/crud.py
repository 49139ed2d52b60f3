"""Create, list, read, replace and delete rows of any table, each in one short unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import HTTPException, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.access import Access
from app.models import Base
from app.schemas import Paging

LARGEST_PAGE = 500
# One statement: a round trip costs less than inserting these.
ROWS_AT_A_TIME = 500
# For each of these statements. Nobody wants to send 10,000 rows again because one of them waited.
IMPORT_TIMEOUT_MS = 60_000

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)
Condition = ColumnElement[bool]
Parent = tuple[type[Base], int]


async def create(db: Access, response: Response, table: type[Row], values: dict[str, Any]) -> Row:
    """Store a new row and say in the response where it is."""

    def work(session: Session) -> Row:
        return session.scalars(insert(table).values(**values).returning(table)).one()

    row = await db.write(work, table.__tablename__)
    # An id in the path may have blanks around it, also some that no header can carry.
    response.headers["Location"] = quote(f"{db.path}/{row.id}")
    return row


async def create_all(db: Access, table: type[Row], rows: Sequence[BaseModel], **common: Any) -> dict[str, Any]:
    """Store new rows, all or none; give their ids in the order of the rows."""
    statement = insert(table).returning(table.id, sort_by_parameter_order=True)

    def work(session: Session) -> list[int]:
        ids: list[int] = []
        # In parts, so that only one of them at a time is also there as parameters.
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            part = [row.model_dump() | common for row in rows[start : start + ROWS_AT_A_TIME]]
            ids += session.scalars(statement, part)
        return ids

    ids = await db.write(work, table.__tablename__, statement_timeout_ms=IMPORT_TIMEOUT_MS)
    return {"imported": len(ids), "ids": ids}


async def page(
    db: Access,
    table: type[Row],
    paging: Paging,
    searched: InstrumentedAttribute[str],
    *conditions: Condition,
    parent: Parent | None = None,
) -> Any:
    """Give rows by ascending id; when there are none, 404 for a parent that does not exist."""
    wanted = min(paging.limit, LARGEST_PAGE)
    # One more than asked for tells whether there is a next page without a second query.
    statement = select(table).where(table.id > paging.after, *conditions).order_by(table.id).limit(wanted + 1)
    if paging.search:
        statement = statement.where(searched.icontains(paging.search, autoescape=True))

    def work(session: Session) -> Sequence[Row]:
        rows = session.scalars(statement).all()
        if not rows and parent is not None:
            found(parent[0], session.get(*parent))
        return rows

    async def load() -> dict[str, Any]:
        rows = await db.read(work)
        items = rows[:wanted]
        return {"items": items, "next": items[-1].id if len(rows) > wanted else None}

    return await db.listed(table.__tablename__, (wanted, paging.after, paging.search), load)


async def read(db: Access, table: type[Row], *conditions: Condition) -> Row:
    """Give the row that meets the conditions, or 404."""
    return found(table, await db.read(lambda session: session.scalars(select(table).where(*conditions)).one_or_none()))


async def replace(db: Access, table: type[Row], values: dict[str, Any], *conditions: Condition) -> Row:
    """Replace what a client may write of a row, or 404."""
    statement = update(table).where(*conditions).values(**values, updated_at=func.now()).returning(table)
    return found(table, await db.write(lambda session: session.scalars(statement).one_or_none(), table.__tablename__))


async def remove(db: Access, table: type[Row], *conditions: Condition) -> Response:
    """Delete a row and what belongs to it, or 404."""
    statement = delete(table).where(*conditions).returning(table.id)
    tables = with_dependents(table)
    found(table, await db.write(lambda session: session.scalars(statement).one_or_none(), *tables))
    return Response(status_code=204)


def with_dependents(table: type[Base]) -> set[str]:
    """Return the names of a table and of those whose rows go with its rows."""
    keys = [
        (other.key, key.column.table.key)
        for other in Base.metadata.tables.values()
        for key in other.foreign_keys
        if key.ondelete == "CASCADE"
    ]
    names = {table.__tablename__}
    while more := {child for child, parent in keys if parent in names} - names:
        names |= more
    return names


def found(table: type[Base], result: T | None) -> T:
    """Return the result, or raise 404 when there is none."""
    if result is None:
        raise HTTPException(404, f"There is no {table.__name__.lower()} with this id.")
    return result
