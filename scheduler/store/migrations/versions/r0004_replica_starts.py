"""How long replicas took to start."""

from alembic import op
from sqlalchemy import Column, Float, Integer, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "replica_starts",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("model", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("at_s", Float, nullable=False),
        Column("took_s", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("replica_starts_by_kind", "replica_starts", ["model", "kind", "id"])
