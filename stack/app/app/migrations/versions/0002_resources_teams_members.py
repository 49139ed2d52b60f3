"""The tables of resources, teams and their members."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _id() -> sa.BigInteger:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, **options)


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _create(table: str, *columns: Any) -> None:
    key = sa.Column("id", _id(), sa.Identity(), primary_key=True)
    op.create_table(table, key, *columns, _moment("created_at"), _moment("updated_at"))


def _parent(column: str, key: str) -> sa.Column[int]:
    return sa.Column(column, _id(), sa.ForeignKey(key, ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    parent = _parent("tool_id", "tools.id")
    _create("resources", parent, _text("name"), _text("uri"), _text("description", server_default=""))
    op.create_index("resources_tool_id_id_idx", "resources", ["tool_id", "id"])
    unique = sa.UniqueConstraint("name", name="teams_name_key")
    _create("teams", _text("name"), _text("description", server_default=""), unique)
    _create(
        "members",
        _parent("team_id", "teams.id"),
        _text("email"),
        _text("role"),
        sa.UniqueConstraint("team_id", "email", name="members_team_id_email_key"),
        sa.CheckConstraint("role IN ('member', 'owner')", name="members_role_check"),
    )


def downgrade() -> None:
    op.drop_table("members")
    op.drop_table("teams")
    op.drop_table("resources")
