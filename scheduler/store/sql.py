"""`scheduler.control.ports.Store` on SQLite or PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, insert, select

from forecasting.track_record import TrackRecord
from scheduler.control.records import (
    AttemptTotal,
    CycleRecord,
    DesiredState,
    EventKind,
    EventRecord,
    JobRecord,
    Once,
    StartRecord,
    moves_of,
)
from scheduler.model.errors import NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Reservation
from scheduler.model.workloads import JobId, JobState, Moved
from scheduler.store.archive import FINAL, SqlArchive
from scheduler.store.engine import reading, writing
from scheduler.store.fencing import fenced
from scheduler.store.job_rows import chunks, job_values, save_job, with_attempts
from scheduler.store.journal import Journal
from scheduler.store.keys import key_of
from scheduler.store.marker import Marker, held_in, marker_beside
from scheduler.store.model_shelf import ModelShelf
from scheduler.store.numbering import row_number
from scheduler.store.open_jobs import OpenJobs
from scheduler.store.opening import open_engine
from scheduler.store.operators import OperatorShelf
from scheduler.store.publications import (
    await_publication,
)
from scheduler.store.starts import add_starts, starts_in
from scheduler.store.submitting import earlier_job, of_origin, remember, remember_origin
from scheduler.store.sums import count_changes, totals
from scheduler.store.tables import events, jobs, moves, origins, reservations
from scheduler.store.tracks import track_records_in, write_track_records

_RESERVATION = TypeAdapter(Reservation)
MOVES_KEPT_S: Final = 8 * 86_400.0
"""Longer than any site may ask that a moved job stays where it is."""


class SqlStore(ModelShelf, OperatorShelf):
    """Jobs, attempts, events, marks and the journal in a database; thread-safe, for one process that leads it."""

    def __init__(
        self,
        url: str,
        *,
        fence: int | None = None,
        cycles_kept: int = 2000,
        events_kept: int = 200_000,
        marker: Path | None = None,
    ) -> None:
        """Open (or create) the database at a SQLAlchemy URL.

        Args:
            url: for instance "sqlite:////var/lib/headroom/state.db" or "postgresql://user@host/headroom".
            fence: number that every write carries, so that it fails once somebody else leads; 0 for one that does not
                lead and reads what the leader writes; None where nobody else can.
            cycles_kept: the journal's length; older cycles are dropped.
            events_kept: likewise for events.
            marker: where it is written down what a store on a server holds; that of a file stands beside it.

        Raises:
            ConfigError: a URL we do not know, a schema newer than ours, or a store that is damaged or has lost some.
            Unreachable: the database does not answer.
        """
        self._follows = fence == 0
        opened = open_engine(url)
        self.engine = opened if fence is None else fenced(opened, fence)
        self._open = OpenJobs(lambda: self._read_jobs(open_only=True))
        self._journal = Journal(cycles_kept)
        self.events_kept = events_kept
        try:
            self._marker = self._compared(marker)
        except BaseException:
            self.engine.dispose()  # a refused store leaves no connection behind
            raise

    def _compared(self, path: Path | None) -> Marker | None:
        """Return the marker of this store, written anew; None for who only follows, or has no place for it."""
        is_file = self.engine.dialect.name == "sqlite"
        marker = marker_beside(self.engine.url) if is_file else Marker(path) if path else None
        if marker is None or self._follows:
            return None
        with reading(self.engine) as connection:
            held = held_in(connection)
        if not is_file:
            marker.compare(held, self.engine.url.render_as_string(hide_password=True))
        marker.write(held)
        return marker

    @property
    def archive(self) -> SqlArchive:
        """What is over and old in it."""
        return SqlArchive(self.engine)

    def key(self, name: str) -> bytes:
        """Return the key of this store for one purpose, made when it is first asked for.

        Raises:
            Unreachable: the database does not answer.
            Superseded: there is none yet, and another control plane leads.
        """
        return key_of(self.engine, name)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def accept(
        self,
        spec: JobSpec,
        at_s: float,
        *,
        once: Once | None = None,
        told: Callable[[JobRecord], EventRecord] | None = None,
    ) -> JobRecord:
        """Store a new job, with the event that tells of it, and return it with its id.

        Args:
            spec: what was asked for.
            at_s: when, epoch seconds.
            once: a submission that was accepted before is that job again; nothing is stored.
            told: makes the event.

        Raises:
            Conflict: its key was used for something else; or its origin for a job that is no longer kept.
        """
        new = JobRecord(JobId(""), spec, JobState.PENDING, DesiredState.RUN, at_s)
        with self._open.written() as written:
            with writing(self.engine) as connection:
                if once is not None and (earlier := earlier_job(connection, once)) is not None:
                    return with_attempts(connection, [earlier])[0]
                if (known := of_origin(connection, spec)) is not None:
                    return with_attempts(connection, [known])[0]
                number = connection.execute(insert(jobs).values(**job_values(new)).returning(jobs.c.id)).scalar_one()
                accepted = replace(new, job_id=JobId(str(number)))
                remember(connection, once, number, at_s)
                remember_origin(connection, spec, number)
                await_publication(connection, number, spec)
                if told is not None:
                    self.add(connection, [told(accepted)])
            written.append(accepted)
        if self._marker is not None:
            self._marker.grow(job=number)
        return accepted

    def origins(self) -> frozenset[str]:
        """Return the origins of all jobs that were ever accepted."""
        with reading(self.engine) as connection:
            return frozenset(connection.scalars(select(origins.c.origin)))

    def submitted(self, once: Once) -> JobRecord | None:
        """Return the job that a submission was accepted as before; None when it was not.

        Raises:
            Conflict: its key was used for something else.
        """
        with reading(self.engine) as connection:
            row = earlier_job(connection, once)
            return None if row is None else with_attempts(connection, [row])[0]

    def spec(self, job_id: JobId) -> JobSpec:
        """Return the job's specification; NotFound when no such job was ever accepted."""
        return self.job(job_id).spec

    def job(self, job_id: JobId) -> JobRecord:
        """Return one job with all its attempts; NotFound when there is none."""
        if not self._follows and (known := self._open.get(job_id)) is not None:
            return known
        if (number := row_number(job_id)) is not None:
            with reading(self.engine) as connection:
                row = connection.execute(select(jobs).where(jobs.c.id == number)).one_or_none()
                if row is not None:
                    return with_attempts(connection, [row])[0]
        raise NotFound(f"no job {job_id}", help="headroom list --all")

    def jobs(self, *, open_only: bool = True, limit: int | None = None) -> tuple[JobRecord, ...]:
        """Return jobs with their attempts, oldest first; the newest `limit` of them when it is given."""
        if not open_only:
            return self._read_jobs(open_only=False, limit=limit)
        listed = self._read_jobs(open_only=True) if self._follows else self._open.all()
        return listed if limit is None else listed[max(0, len(listed) - limit) :]

    def jobs_after(self, after: int, limit: int) -> tuple[JobRecord, ...]:
        """Return at most `limit` jobs, open or not, with numbers above `after`, oldest first."""
        query = select(jobs).where(jobs.c.id > after).order_by(jobs.c.id).limit(limit)
        with reading(self.engine) as connection:
            return tuple(with_attempts(connection, connection.execute(query).all()))

    def _read_jobs(self, *, open_only: bool, limit: int | None = None) -> tuple[JobRecord, ...]:
        query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        if open_only:
            query = query.where(jobs.c.state.not_in(FINAL))
        with reading(self.engine) as connection:
            return tuple(with_attempts(connection, connection.execute(query).all()[::-1]))

    def save(self, job: JobRecord) -> None:
        """Replace a job's state, desired state, priority and attempts."""
        self.save_all([job], [])

    def save_all(self, jobs: Sequence[JobRecord], events: Sequence[EventRecord]) -> None:
        """Replace several jobs and add events, all or nothing."""
        with self._open.written() as written:
            with writing(self.engine) as connection:
                count_changes(connection, jobs, chunks([int(job.job_id) for job in jobs]))
                for job in jobs:
                    save_job(connection, job)
                self.add(connection, events)
            written.extend(jobs)

    def record(self, *events: EventRecord) -> None:
        """Add events."""
        with writing(self.engine) as connection:
            self.add(connection, events)

    def events(
        self, *, after_id: int = 0, before_id: int = 0, subject: str = "", limit: int = 100
    ) -> tuple[EventRecord, ...]:
        """Return the newest `limit` events with an id above `after_id` (and below `before_id`), oldest first."""
        query = select(events).where(events.c.id > after_id).order_by(events.c.id.desc()).limit(limit)
        if before_id:
            query = query.where(events.c.id < before_id)
        if subject:
            query = query.where(events.c.subject == subject)
        with reading(self.engine) as connection:
            return tuple(map(_event, connection.execute(query).all()[::-1]))

    def starts(self) -> tuple[StartRecord, ...]:
        """Return the newest starts of replicas, `STARTS_KEPT` of each model on each kind of host, oldest first."""
        with reading(self.engine) as connection:
            return starts_in(connection)

    def record_starts(self, starts: Sequence[StartRecord]) -> None:
        """Add starts, and forget those that are too old to be kept."""
        if starts:
            with writing(self.engine) as connection:
                add_starts(connection, starts)

    def track_records(self) -> Mapping[str, TrackRecord]:
        """Return how the forecasts of each traffic source did lately, by the source's name."""
        with reading(self.engine) as connection:
            return track_records_in(connection)

    def keep_track_records(self, records: Mapping[str, TrackRecord], at_s: float) -> None:
        """Replace those of some sources; forget those of sources that had none for as long as records look back."""
        with writing(self.engine) as connection:
            write_track_records(connection, records, at_s)

    def reservations(self) -> tuple[Reservation, ...]:
        """Return the reservations of the last plan."""
        with reading(self.engine) as connection:
            bodies = connection.scalars(select(reservations.c.body).order_by(reservations.c.position)).all()
        return tuple(map(_RESERVATION.validate_json, bodies))

    def moves(self, since_s: float) -> tuple[Moved, ...]:
        """Return the moves of jobs that plans decided on since an epoch second, oldest first."""
        query = select(moves).where(moves.c.at_s >= since_s).order_by(moves.c.cycle, moves.c.job_id)
        with reading(self.engine) as connection:
            return tuple(Moved(JobId(str(row.job_id)), row.at_s) for row in connection.execute(query))

    def journal(self, cycle: CycleRecord) -> None:
        """Append a cycle and its moves, and replace the reservations; a cycle of the same number is replaced."""
        entry = self._journal.entry(cycle)
        rows = [
            {"position": position, "body": _RESERVATION.dump_json(reservation).decode()}
            for position, reservation in enumerate(cycle.plan.reservations)
        ]
        with writing(self.engine) as connection:
            self._journal.write(connection, entry)
            connection.execute(delete(reservations))
            if rows:
                connection.execute(insert(reservations), rows)
            forgotten_s = cycle.at_s - MOVES_KEPT_S
            connection.execute(delete(moves).where((moves.c.cycle == cycle.number) | (moves.c.at_s < forgotten_s)))
            if moved := [
                {"cycle": cycle.number, "job_id": int(move.job_id), "at_s": move.at_s} for move in moves_of(cycle)
            ]:
                connection.execute(insert(moves), moved)
        self._journal.written(entry)
        if self._marker is not None:
            self._marker.grow(cycle=cycle.number)

    def cycles(self, *, limit: int = 100) -> tuple[CycleRecord, ...]:
        """Return the newest `limit` journalled cycles, oldest first."""
        with reading(self.engine) as connection:
            return self._journal.read(connection, limit)

    def attempt_totals(self) -> tuple[AttemptTotal, ...]:
        """Return how all attempts ever made ended, counted by outcome, cause and whether they saved."""
        with reading(self.engine) as connection:
            return totals(connection)


def _event(row: Row[Any]) -> EventRecord:
    return EventRecord(row.at_s, row.cycle, EventKind(row.kind), row.subject, row.title, row.detail, row.id, row.actor)
