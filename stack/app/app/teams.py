"""/teams: create, list, read, replace, delete."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from app import crud
from app.access import DatabaseAccess
from app.models import Team
from app.schemas import Imported, Page, PagingQuery, PathId, Rows, TeamIn, TeamOut

router = APIRouter()


@router.post("/teams", status_code=201, response_model=TeamOut)
async def create(team: TeamIn, db: DatabaseAccess, response: Response) -> Any:
    """Store a new team."""
    return await crud.create(db, response, Team, team.model_dump())


@router.post("/teams/import", status_code=201, response_model=Imported)
async def create_all(teams: Rows[TeamIn], db: DatabaseAccess) -> Any:
    """Store new teams, all or none."""
    return await crud.create_all(db, Team, teams)


@router.get("/teams", response_model=Page[TeamOut])
async def page(db: DatabaseAccess, paging: PagingQuery) -> Any:
    """Give teams by ascending id; a limit above 500 means 500."""
    return await crud.page(db, Team, paging, Team.name)


@router.get("/teams/{team_id}", response_model=TeamOut)
async def read(team_id: PathId, db: DatabaseAccess) -> Any:
    """Give one team."""
    return await crud.read(db, Team, id=team_id)


@router.put("/teams/{team_id}", response_model=TeamOut)
async def replace(team_id: PathId, team: TeamIn, db: DatabaseAccess) -> Any:
    """Replace what a client may write of a team."""
    return await crud.replace(db, Team, team.model_dump(), id=team_id)


@router.delete("/teams/{team_id}", status_code=204)
async def remove(team_id: PathId, db: DatabaseAccess) -> Response:
    """Delete a team and its members."""
    return await crud.remove(db, Team, id=team_id)
