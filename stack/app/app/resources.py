"""/resources: create, list, read, replace, delete. A tool's own list is in tools.py."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from app import crud
from app.access import DatabaseAccess
from app.models import Resource
from app.schemas import Imported, Page, PagingQuery, PathId, ResourceIn, ResourceOut, Rows

router = APIRouter()


@router.post("/resources", status_code=201, response_model=ResourceOut)
async def create(resource: ResourceIn, db: DatabaseAccess, response: Response) -> Any:
    """Store a new resource of a tool."""
    return await crud.create(db, response, Resource, resource.model_dump())


@router.post("/resources/import", status_code=201, response_model=Imported)
async def create_all(resources: Rows[ResourceIn], db: DatabaseAccess) -> Any:
    """Store new resources, all or none."""
    return await crud.create_all(db, Resource, resources)


@router.get("/resources", response_model=Page[ResourceOut])
async def page(db: DatabaseAccess, paging: PagingQuery) -> Any:
    """Give resources of all tools by ascending id; a limit above 500 means 500."""
    return await crud.page(db, Resource, paging, Resource.name)


@router.get("/resources/{resource_id}", response_model=ResourceOut)
async def read(resource_id: PathId, db: DatabaseAccess) -> Any:
    """Give one resource."""
    return await crud.read(db, Resource, id=resource_id)


@router.put("/resources/{resource_id}", response_model=ResourceOut)
async def replace(resource_id: PathId, resource: ResourceIn, db: DatabaseAccess) -> Any:
    """Replace what a client may write of a resource, its tool too."""
    return await crud.replace(db, Resource, resource.model_dump(), id=resource_id)


@router.delete("/resources/{resource_id}", status_code=204)
async def remove(resource_id: PathId, db: DatabaseAccess) -> Response:
    """Delete a resource."""
    return await crud.remove(db, Resource, id=resource_id)
