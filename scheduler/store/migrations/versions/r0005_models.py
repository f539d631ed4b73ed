"""Models that are deployed at run time: their revisions, and what is proposed."""

from alembic import op
from sqlalchemy import Column, Float, Integer, String, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "models",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("name", String(255), nullable=False, unique=True),
        Column("body", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "model_revisions",
        Column("model", String(255), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "proposals",
        Column("name", String(255), primary_key=True),
        Column("at_s", Float, nullable=False),
        Column("body", Text, nullable=False),
    )
