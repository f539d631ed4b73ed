"""The column of what is desired of a job has its name; the count of schemas gives way to Alembic's revisions."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rename the column, and drop the count where there was one."""
    op.alter_column("jobs", "wish", new_column_name="desired")
    op.drop_table("schema_version", if_exists=True)
