"""Whole cycles that are kept longer than the journal."""

from alembic import op
from sqlalchemy import Column, Float, Integer, LargeBinary

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cycle_history",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("at_s", Float, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_index("cycle_history_by_time", "cycle_history", ["at_s"])
