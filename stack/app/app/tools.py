"""/tools: create, list, read, replace, delete."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from app import crud
from app.access import DatabaseAccess
from app.models import Resource, Tool
from app.schemas import Imported, Page, PagingQuery, PathId, ResourceOut, Rows, ToolIn, ToolOut

router = APIRouter()


@router.post("/tools", status_code=201, response_model=ToolOut)
async def create(tool: ToolIn, db: DatabaseAccess, response: Response) -> Any:
    """Store a new tool."""
    return await crud.create(db, response, Tool, tool.model_dump())


@router.post("/tools/import", status_code=201, response_model=Imported)
async def create_all(tools: Rows[ToolIn], db: DatabaseAccess) -> Any:
    """Store new tools, all or none."""
    return await crud.create_all(db, Tool, tools)


@router.get("/tools", response_model=Page[ToolOut])
async def page(db: DatabaseAccess, paging: PagingQuery) -> Any:
    """Give tools by ascending id; a limit above 500 means 500."""
    return await crud.page(db, Tool, paging, Tool.name)


@router.get("/tools/{tool_id}", response_model=ToolOut)
async def read(tool_id: PathId, db: DatabaseAccess) -> Any:
    """Give one tool."""
    return await crud.read(db, Tool, id=tool_id)


@router.get("/tools/{tool_id}/resources", response_model=Page[ResourceOut])
async def resources(tool_id: PathId, db: DatabaseAccess, paging: PagingQuery) -> Any:
    """Give a tool's resources by ascending id; a limit above 500 means 500."""
    return await crud.page(db, Resource, paging, Resource.name, (Tool, tool_id), tool_id=tool_id)


@router.put("/tools/{tool_id}", response_model=ToolOut)
async def replace(tool_id: PathId, tool: ToolIn, db: DatabaseAccess) -> Any:
    """Replace what a client may write of a tool."""
    return await crud.replace(db, Tool, tool.model_dump(), id=tool_id)


@router.delete("/tools/{tool_id}", status_code=204)
async def remove(tool_id: PathId, db: DatabaseAccess) -> Response:
    """Delete a tool and its resources."""
    return await crud.remove(db, Tool, id=tool_id)
