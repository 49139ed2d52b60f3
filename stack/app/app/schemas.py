"""What clients send and get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _storable(text: str) -> str:
    # JSON can carry both and PostgreSQL's text neither: refused here, it is the client's error.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain U+0000 or half of a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class ToolIn(BaseModel):
    """A tool as a client writes it."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    description: Annotated[Text, Field(max_length=10_000)] = ""


class ToolOut(BaseModel):
    """A tool as it is stored."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


class ToolPage(BaseModel):
    """Some tools in the order of their ids; `next` is the `after` of the following page, if any."""

    model_config = ConfigDict(from_attributes=True)

    items: list[ToolOut]
    next: int | None
