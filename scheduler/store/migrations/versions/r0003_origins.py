"""Where jobs come from that were given to the cluster itself."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "origins",
        Column("origin", Text, primary_key=True),
        Column("job_id", Integer, nullable=False),
    )
