"""Tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# The newest migration. Readiness compares it with the database; a constant keeps Alembic (memory and
# start time) out of the workers, and a test keeps it equal to Alembic's own head.
SCHEMA_REVISION = "0002"

# SQLite numbers rows by itself only in an INTEGER primary key.
Id = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always read as UTC: SQLite keeps no zone and PostgreSQL gives the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        moment: datetime = value
        # What the app's own sessions give, unless behind a pooler: a hundred times in a page.
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables have in common."""

    # Never another kind of FROM here.
    __table__: ClassVar[Table]

    id: Mapped[int] = mapped_column(Id, Identity(), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())


class Tool(Base):
    """A tool that somebody registered."""

    __tablename__ = "tools"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")


class Resource(Base):
    """Something that a tool uses; it goes with the tool."""

    __tablename__ = "resources"
    # Serves a tool's pages too, which come by ascending id.
    __table_args__ = (Index("resources_tool_id_id_idx", "tool_id", "id"),)

    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    uri: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")


class Team(Base):
    """A group of users."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("name", name="teams_name_key"),)

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")


class Member(Base):
    """A user's place in a team; it goes with the team."""

    __tablename__ = "members"
    # The unique constraint is the foreign key's index at the same time.
    __table_args__ = (
        UniqueConstraint("team_id", "email", name="members_team_id_email_key"),
        CheckConstraint("role IN ('member', 'owner')", name="members_role_check"),
    )

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
