"""/tools: create, list, read, replace, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.access import DatabaseAccess
from app.models import Tool
from app.schemas import ToolIn, ToolOut, ToolPage

LARGEST_PAGE = 500
LARGEST_ID = 2**63 - 1

router = APIRouter()
ToolId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post("/tools", status_code=201, response_model=ToolOut)
async def create(tool: ToolIn, db: DatabaseAccess) -> Any:
    """Store a new tool."""

    def work(session: Session) -> Tool:
        return session.scalars(insert(Tool).values(**tool.model_dump()).returning(Tool)).one()

    return await db.write(work)


@router.get("/tools", response_model=ToolPage)
async def page(
    db: DatabaseAccess,
    limit: Annotated[int, Query(ge=1)] = 50,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Any:
    """Give tools by ascending id; a limit above 500 means 500."""
    wanted = min(limit, LARGEST_PAGE)

    def work(session: Session) -> Sequence[Tool]:
        # One more than asked for tells whether there is a next page without a second query.
        rows = select(Tool).where(Tool.id > after).order_by(Tool.id).limit(wanted + 1)
        return session.scalars(rows).all()

    tools = await db.read(work)
    items = tools[:wanted]
    return {"items": items, "next": items[-1].id if len(tools) > wanted else None}


@router.get("/tools/{tool_id}", response_model=ToolOut)
async def read(tool_id: ToolId, db: DatabaseAccess) -> Any:
    """Give one tool."""
    return _found(await db.read(lambda session: session.get(Tool, tool_id)))


@router.put("/tools/{tool_id}", response_model=ToolOut)
async def replace(tool_id: ToolId, tool: ToolIn, db: DatabaseAccess) -> Any:
    """Replace what a client may write of a tool."""

    def work(session: Session) -> Tool | None:
        values = tool.model_dump() | {"updated_at": func.now()}
        statement = update(Tool).where(Tool.id == tool_id).values(**values).returning(Tool)
        return session.scalars(statement).one_or_none()

    return _found(await db.write(work))


@router.delete("/tools/{tool_id}", status_code=204)
async def remove(tool_id: ToolId, db: DatabaseAccess) -> Response:
    """Delete a tool."""

    def work(session: Session) -> int | None:
        return session.scalar(delete(Tool).where(Tool.id == tool_id).returning(Tool.id))

    _found(await db.write(work))
    return Response(status_code=204)


def _found(result: Any) -> Any:
    if result is None:
        raise HTTPException(404, "There is no tool with this id.")
    return result
