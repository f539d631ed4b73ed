"""Keys that a store makes for itself."""

from alembic import op
from sqlalchemy import Column, String

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "keys",
        Column("name", String(32), primary_key=True),
        Column("value", String(64), nullable=False),
    )
