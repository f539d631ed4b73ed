"""The schema as it is now; how a database comes to it stands in `scheduler.store.migrations`."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

identity = Table(
    "identity",
    metadata,
    Column("owner", String(36), primary_key=True, doc="UUID made with the store"),
    Column("fence", Integer, nullable=False, doc="number of whoever leads now, or led last; grows with each"),
)

keys = Table(
    "keys",
    metadata,
    Column("name", String(32), primary_key=True, doc="what it is for"),
    Column("value", String(64), nullable=False, doc="32 random bytes in hexadecimal, made when first asked for"),
)

leadership = Table(
    "leadership",
    metadata,
    Column("fence", Integer, primary_key=True, autoincrement=False, doc="that of `identity` when it was taken"),
    Column("holder", Text, nullable=False, doc="process and host, for people"),
    Column("address", Text, nullable=False, doc="where its API answers"),
    Column("since_s", Float, nullable=False),
    Column("until_s", Float, nullable=False, doc="end of its lease by the database's clock, epoch seconds"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("spec", Text, nullable=False, doc="JSON of JobSpec"),
    Column("state", String(16), nullable=False),
    Column("desired", String(8), nullable=False),
    Column("submitted_at_s", Float, nullable=False),
    Column("finished_at_s", Float),
    Column("hold_reason", Text, nullable=False),
    Column("not_before_s", Float, nullable=False),
    Index("jobs_by_state", "state"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("outcome", String(16), nullable=False),
    Column("stop_cause", String(16), nullable=False, doc='"" when it was not told to stop'),
    Column("saved", Boolean, nullable=False, doc="whether it has a checkpoint"),
    Column("lost_gpu_s", Float, nullable=False),
    Column("body", Text, nullable=False, doc="JSON of AttemptRecord, the columns before it included"),
)

attempt_sums = Table(
    "attempt_sums",
    metadata,
    Column("outcome", String(16), primary_key=True),
    Column("stop_cause", String(16), primary_key=True, doc='"" when they were not told to stop'),
    Column("saved", Boolean, primary_key=True, doc="whether they have a checkpoint"),
    Column("attempts", Integer, nullable=False, doc="ever made, those of jobs that were dropped included"),
    Column("lost_gpu_s", Float, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", String(255), primary_key=True, doc="chosen by who submits; the same again is the same submission"),
    Column("digest", String(64), nullable=False, doc="of what was submitted"),
    Column("job_id", Integer, nullable=False),
    Column("until_s", Float, nullable=False, doc="when it is forgotten, epoch seconds"),
    Index("submissions_by_end", "until_s"),
)

origins = Table(
    "origins",
    metadata,
    Column("origin", Text, primary_key=True, doc="what the cluster calls it; stays when the job is pruned"),
    Column("job_id", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_s", Float, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("actor", Text, nullable=False, server_default="", doc='who did it; "" where no person did'),
    Index("events_by_subject", "subject", "id"),
    sqlite_autoincrement=True,
)

replica_starts = Table(
    "replica_starts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False, doc='GPU model of the host; "" without GPUs'),
    Column("at_s", Float, nullable=False, doc="when it was decided"),
    Column("took_s", Float, nullable=False),
    Index("replica_starts_by_kind", "model", "kind", "id"),
    sqlite_autoincrement=True,
)

track_records = Table(
    "track_records",
    metadata,
    Column("source", Text, primary_key=True, doc="of traffic"),
    Column("at_s", Float, nullable=False, doc="when it was written, epoch seconds"),
    Column("body", Text, nullable=False, doc="JSON of TrackRecord, with Infinity and NaN"),
)

host_marks = Table(
    "host_marks",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_s", Float, nullable=False),
    Column("deadline_s", Float),
)

stray_orders = Table(
    "stray_orders",
    metadata,
    Column("name", Text, primary_key=True),
    Column("verb", String(8), nullable=False),
    Column("by", String(255), nullable=False),
    Column("at_s", Float, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("body", Text, nullable=False, doc="JSON of ModelRecord"),
    sqlite_autoincrement=True,
)

model_revisions = Table(
    "model_revisions",
    metadata,
    Column("model", String(255), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False, doc="JSON of Revision"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("name", String(255), primary_key=True, doc="of the model; one at a time"),
    Column("at_s", Float, nullable=False),
    Column("body", Text, nullable=False, doc="JSON of Proposal"),
)

publications = Table(
    "publications",
    metadata,
    Column("job_id", Integer, primary_key=True, autoincrement=False, doc="stays when the job is pruned"),
    Column("is_open", Boolean, nullable=False, doc="whether there is still something to be done"),
    Column("body", Text, nullable=False, doc='JSON of Publication; "" while nothing is published'),
    Index("publications_open", "is_open", "job_id"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False, doc="JSON of Reservation"),
)

moves = Table(
    "moves",
    metadata,
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False, doc="when a plan moved the job, epoch seconds"),
)

cycles = Table(
    "cycles",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False),
    Column("body", LargeBinary, nullable=False, doc="zlib of the codec's JSON"),
)

cycle_changes = Table(
    "cycle_changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False),
    Column("body", LargeBinary, nullable=False, doc="zlib of JSON: what has changed since the cycle before"),
)

cycle_history = Table(
    "cycle_history",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False),
    Column("body", LargeBinary, nullable=False, doc="zlib of the codec's JSON"),
    Index("cycle_history_by_time", "at_s"),
)
