"""A store with something of everything, and how it was written down in `schemas/` by the Headroom of each schema.

    python tests/store/recorded.py sqlite:////tmp/new/headroom.db > tests/store/schemas/NAME.sqlite.sql
    python tests/store/recorded.py postgresql://headroom@127.0.0.1/new > tests/store/schemas/NAME.postgresql.sql

is run once with an empty store before a schema is changed that was released; no file there is ever written again.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

from sqlalchemy import make_url

from scheduler.control.records import (
    AttemptRecord,
    CycleRecord,
    DesiredState,
    EventKind,
    EventRecord,
    HostMark,
    Once,
    Outcome,
    StrayOrder,
    StrayVerb,
)
from scheduler.model.demand import Demand
from scheduler.model.hosts import Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan, PreemptJob, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore

SPEC = JobSpec("lm", "python train.py", Gang(2, Shape(1000, 1024, 1)), owner="ada", queue="research")
ONCE = Once("ada", "key", "digest", 1e12)
HOSTS = (Host("a", 64_000, 65_536), Host("b", 64_000, 65_536))


def attempt(job_id: str, number: int, outcome: Outcome, lost_gpu_s: float = 0.0) -> AttemptRecord:
    """Return an attempt that ended somehow; one that was preempted had saved."""
    slots = (Slot("a", (0,)), Slot("b", (1,)))
    tried = AttemptRecord(JobId(job_id), number, slots, 1.0, started_at_s=2.0, outcome=outcome, lost_gpu_s=lost_gpu_s)
    if outcome is not Outcome.PREEMPTED:
        return tried
    return replace(tried, stop_cause=Cause.SERVING, checkpoint_step=70, checkpointed_at_s=3.0, ended_at_s=9.0)


def fill(store: SqlStore) -> None:
    """Put something of everything into a new store."""
    jobs = [store.accept(replace(SPEC, name=f"lm{number}"), float(number), once=ONCE if number == 1 else None)
            for number in range(1, 6)]  # fmt: skip
    tried = [attempt("1", 1, Outcome.PREEMPTED, 60.0), attempt("1", 2, Outcome.OPEN)]
    done, failed = attempt("2", 1, Outcome.SUCCEEDED), attempt("3", 1, Outcome.FAILED, 9.5)
    events = [
        EventRecord(5.0, 1, EventKind.TRAINING, "1", "lm1 accepted", "normal", actor="ada"),
        EventRecord(6.0, 2, EventKind.HOST, "a", "a cordoned", "disk", actor="boss"),
    ]
    changed = [
        replace(jobs[0], state=JobState.RUNNING, attempts=tuple(tried)),
        replace(jobs[1], state=JobState.SUCCEEDED, finished_at_s=9.0, attempts=(done,)),
        replace(jobs[2], state=JobState.FAILED, finished_at_s=9.0, not_before_s=8.0, attempts=(failed,)),
        replace(jobs[3], state=JobState.HELD, desired=DesiredState.HOLD, hold_reason="exam"),
    ]
    store.save_all(changed, events)
    store.mark_host(HostMark("a", HostState.DRAINING, "disk", 6.0, 60.0))
    store.order_stray(StrayOrder("headroom-x-1", StrayVerb.EVICT, "boss", 7.0))
    move = PreemptJob(JobId("1"), 1, 30.0, Cause.CONSOLIDATION)
    plan = Plan(0, (move,), (Reservation("4", (Slot("b", (0,)),), 3.0, 90.0),))
    for number in (1, 2, 3):
        store.journal(CycleRecord(number, float(number), Snapshot.of(hosts=HOSTS), Demand(), plan, 0.25))


def content(store: SqlStore) -> dict[str, object]:
    """Return all that can be asked of a store."""
    return {
        "jobs": store.jobs(open_only=False),
        "events": store.events(),
        "marks": store.host_marks(),
        "strays": store.stray_orders(),
        "reservations": store.reservations(),
        "moves": store.moves(0.0),
        "cycles": store.cycles(),
        "totals": store.attempt_totals(),
        "submitted": store.submitted(ONCE),
    }


def dump(url: str) -> str:
    """Return a store as the statements that make it."""
    known = make_url(url)
    if known.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(known.database))) as connection:
            return "\n".join(connection.iterdump()) + "\n"
    words = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", url]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    left_out = ("--", "\\", "SET ", "SELECT pg_catalog.set_config")
    return "\n".join(line for line in said.splitlines() if line and not line.startswith(left_out)) + "\n"


def main() -> None:
    """Fill an empty store, lead it once, and print it."""
    url = sys.argv[1]
    store = SqlStore(url)
    fill(store)
    store.close()
    with Candidacy(url, holder="recorded", address="http://127.0.0.1:8000") as candidacy:
        candidacy.insist()
    sys.stdout.write(dump(url))


if __name__ == "__main__":
    main()
