"""/teams/ID/members: create, list, read, replace, delete."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from app import crud
from app.access import DatabaseAccess
from app.faults import MissingParent
from app.models import Member, Team
from app.schemas import Imported, MemberIn, MemberOut, Page, PagingQuery, PathId, Rows

router = APIRouter()


@router.post("/teams/{team_id}/members", status_code=201, response_model=MemberOut)
async def create(team_id: PathId, member: MemberIn, db: DatabaseAccess, response: Response) -> Any:
    """Store a new member of a team."""
    try:
        return await crud.create(db, response, Member, member.model_dump() | {"team_id": team_id})
    except MissingParent:
        return crud.found(Team, None)


@router.post("/teams/{team_id}/members/import", status_code=201, response_model=Imported)
async def create_all(team_id: PathId, members: Rows[MemberIn], db: DatabaseAccess) -> Any:
    """Store new members of a team, all or none."""
    try:
        return await crud.create_all(db, Member, members, team_id=team_id)
    except MissingParent:
        return crud.found(Team, None)


@router.get("/teams/{team_id}/members", response_model=Page[MemberOut])
async def page(team_id: PathId, db: DatabaseAccess, paging: PagingQuery) -> Any:
    """Give a team's members by ascending id; a limit above 500 means 500."""
    return await crud.page(db, Member, paging, Member.email, (Team, team_id), team_id=team_id)


@router.get("/teams/{team_id}/members/{member_id}", response_model=MemberOut)
async def read(team_id: PathId, member_id: PathId, db: DatabaseAccess) -> Any:
    """Give one member."""
    return await crud.read(db, Member, team_id=team_id, id=member_id)


@router.put("/teams/{team_id}/members/{member_id}", response_model=MemberOut)
async def replace(team_id: PathId, member_id: PathId, member: MemberIn, db: DatabaseAccess) -> Any:
    """Replace a member's e-mail address and role."""
    return await crud.replace(db, Member, member.model_dump(), team_id=team_id, id=member_id)


@router.delete("/teams/{team_id}/members/{member_id}", status_code=204)
async def remove(team_id: PathId, member_id: PathId, db: DatabaseAccess) -> Response:
    """Take a member out of a team."""
    return await crud.remove(db, Member, team_id=team_id, id=member_id)
