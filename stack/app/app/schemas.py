"""What clients send and get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Body, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _storable(text: str) -> str:
    # JSON can carry both and PostgreSQL's text neither: refused here, it is the client's error.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain U+0000 or half of a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_storable)]


Name = Annotated[Text, Field(min_length=1, max_length=200)]
Description = Annotated[Text, Field(max_length=10_000)]
# A scheme and something behind it.
Uri = Annotated[Text, Field(max_length=2000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
# Whether an address exists, only a message to it can tell. Lower case, so that nobody is in a team twice.
Email = Annotated[Text, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(str.lower)]
LARGEST_ID = 2**63 - 1
PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class Paging(BaseModel):
    """Which part of a list a client wants."""

    limit: Annotated[int, Field(ge=1)] = 50
    after: Annotated[int, Field(ge=0, le=LARGEST_ID)] = 0
    search: Annotated[Text, Field(max_length=200)] = ""


PagingQuery = Annotated[Paging, Query()]
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Some rows in the order of their ids; `next` is the `after` of the following page, if any."""

    items: list[Item]
    next: int | None


# More would make one transaction, and one answer, that others wait for.
LARGEST_IMPORT_ROWS = 10_000
Rows = Annotated[list[Item], Body(min_length=1, max_length=LARGEST_IMPORT_ROWS)]


class Imported(BaseModel):
    """What an import stored: the ids in the order of the rows that were sent."""

    imported: int
    ids: list[int]


class Stored(BaseModel):
    """A row as it is stored."""

    model_config = ConfigDict(from_attributes=True)


class ToolIn(BaseModel):
    """A tool as a client writes it."""

    name: Name
    description: Description = ""


class ToolOut(Stored):
    """A tool as it is stored."""

    id: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


class ResourceIn(BaseModel):
    """A resource as a client writes it."""

    tool_id: Annotated[int, Field(ge=1, le=LARGEST_ID)]
    name: Name
    uri: Uri
    description: Description = ""


class ResourceOut(Stored):
    """A resource as it is stored."""

    id: int
    tool_id: int
    name: str
    uri: str
    description: str
    created_at: datetime
    updated_at: datetime


class TeamIn(BaseModel):
    """A team as a client writes it."""

    name: Name
    description: Description = ""


class TeamOut(Stored):
    """A team as it is stored."""

    id: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


class MemberIn(BaseModel):
    """A team's member as a client writes it."""

    email: Email
    role: Literal["member", "owner"] = "member"


class MemberOut(Stored):
    """A team's member as it is stored."""

    id: int
    team_id: int
    email: str
    role: str
    created_at: datetime
    updated_at: datetime
