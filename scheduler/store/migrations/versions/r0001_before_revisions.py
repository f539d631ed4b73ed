"""Schema 4, the last that was counted in a table of its own; makes what an empty or an older database lacks of it."""

from alembic import op
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Text, inspect, text
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that are not there, name who acted in the events, and count the attempts."""
    there = set(inspect(op.get_bind()).get_table_names())
    _make_jobs()
    _make_what_is_told()
    _make_what_is_decided()
    _make_who_leads()
    if "schema_version" in there:
        _from_before_schema_4()


def _from_before_schema_4() -> None:
    database = op.get_bind()
    if int(database.scalar(text("SELECT version FROM schema_version")) or 0) >= 4:  # noqa: PLR2004  # see above
        return
    if "actor" not in {column["name"] for column in inspect(database).get_columns("events")}:
        op.add_column("events", Column("actor", Text, nullable=False, server_default=""))
    op.execute("DELETE FROM attempt_sums")
    op.execute(
        "INSERT INTO attempt_sums (outcome, stop_cause, saved, attempts, lost_gpu_s) "
        "SELECT outcome, stop_cause, saved, count(*), sum(lost_gpu_s) FROM attempts GROUP BY outcome, stop_cause, saved"
    )


def _table(name: str, *parts: SchemaItem, counts: bool = False) -> None:
    op.create_table(name, *parts, if_not_exists=True, sqlite_autoincrement=counts)


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), if_not_exists=True)


def _make_jobs() -> None:
    _table(
        "jobs",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("spec", Text, nullable=False),
        Column("state", String(16), nullable=False),
        Column("wish", String(8), nullable=False),
        Column("submitted_at_s", Float, nullable=False),
        Column("finished_at_s", Float),
        Column("hold_reason", Text, nullable=False),
        Column("not_before_s", Float, nullable=False),
        counts=True,
    )
    _index("jobs_by_state", "jobs", "state")
    _table(
        "attempts",
        Column("job_id", Integer, ForeignKey("jobs.id"), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("outcome", String(16), nullable=False),
        Column("stop_cause", String(16), nullable=False),
        Column("saved", Boolean, nullable=False),
        Column("lost_gpu_s", Float, nullable=False),
        Column("body", Text, nullable=False),
    )
    _table(
        "attempt_sums",
        Column("outcome", String(16), primary_key=True),
        Column("stop_cause", String(16), primary_key=True),
        Column("saved", Boolean, primary_key=True),
        Column("attempts", Integer, nullable=False),
        Column("lost_gpu_s", Float, nullable=False),
    )
    _table(
        "submissions",
        Column("owner", Text, primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("digest", String(64), nullable=False),
        Column("job_id", Integer, nullable=False),
        Column("until_s", Float, nullable=False),
    )
    _index("submissions_by_end", "submissions", "until_s")


def _make_what_is_told() -> None:
    _table(
        "events",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("at_s", Float, nullable=False),
        Column("cycle", Integer, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("subject", String(255), nullable=False),
        Column("title", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("actor", Text, nullable=False, server_default=""),
        counts=True,
    )
    _index("events_by_subject", "events", "subject", "id")
    _table(
        "host_marks",
        Column("host", String(255), primary_key=True),
        Column("state", String(16), nullable=False),
        Column("reason", Text, nullable=False),
        Column("since_s", Float, nullable=False),
        Column("deadline_s", Float),
    )
    _table(
        "stray_orders",
        Column("name", Text, primary_key=True),
        Column("verb", String(8), nullable=False),
        Column("by", String(255), nullable=False),
        Column("at_s", Float, nullable=False),
    )


def _make_what_is_decided() -> None:
    _table(
        "reservations",
        Column("position", Integer, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),
    )
    _table(
        "moves",
        Column("cycle", Integer, primary_key=True, autoincrement=False),
        Column("job_id", Integer, primary_key=True, autoincrement=False),
        Column("at_s", Float, nullable=False),
    )
    for journal in ("cycles", "cycle_changes"):
        _table(
            journal,
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("at_s", Float, nullable=False),
            Column("body", LargeBinary, nullable=False),
        )


def _make_who_leads() -> None:
    _table(
        "identity",
        Column("owner", String(36), primary_key=True),
        Column("fence", Integer, nullable=False),
    )
    _table(
        "leadership",
        Column("fence", Integer, primary_key=True, autoincrement=False),
        Column("holder", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("since_s", Float, nullable=False),
        Column("until_s", Float, nullable=False),
    )
