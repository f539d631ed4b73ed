"""How the forecasts of each traffic source did lately."""

from alembic import op
from sqlalchemy import Column, Float, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "track_records",
        Column("source", Text, primary_key=True),
        Column("at_s", Float, nullable=False),
        Column("body", Text, nullable=False),
    )
