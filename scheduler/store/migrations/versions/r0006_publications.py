"""What jobs publish."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "publications",
        Column("job_id", Integer, primary_key=True, autoincrement=False),
        Column("is_open", Boolean, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_index("publications_open", "publications", ["is_open", "job_id"])
