"""A `scheduler.control.ports.Store` that lives as long as its process: nothing is written, nothing survives."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from forecasting.track_record import REMEMBERED_S, TrackRecord
from scheduler.control.model_records import ModelRecord, Proposal, Publication, Revision
from scheduler.control.records import (
    STARTS_KEPT,
    CycleRecord,
    DesiredState,
    EventRecord,
    HostMark,
    JobRecord,
    Once,
    StartRecord,
    StrayOrder,
    moves_of,
)
from scheduler.model.errors import NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Reservation
from scheduler.model.workloads import JobId, JobState, Moved

EVENTS_KEPT = 100_000
CYCLES_KEPT = 100
MOVES_KEPT = 10_000


class MemoryStore:
    """Jobs, events, marks and cycles in dictionaries; ids are decimal digits from 1."""

    def __init__(
        self,
        jobs: Iterable[JobRecord] = (),
        *,
        marks: Iterable[HostMark] = (),
        moves: Iterable[Moved] = (),
        cycle: CycleRecord | None = None,
    ) -> None:
        """Start empty, or with what was written down before: the last cycle's plan says what is reserved."""
        self._jobs: dict[JobId, JobRecord] = {}
        self._open: dict[JobId, None] = {}
        self._last_number = 0
        self._events: deque[EventRecord] = deque(maxlen=EVENTS_KEPT)
        self._event_id = 0
        self._marks: dict[str, HostMark] = {}
        self._stray_orders: dict[str, StrayOrder] = {}
        self._cycles: deque[CycleRecord] = deque(maxlen=CYCLES_KEPT)
        self._reservations: tuple[Reservation, ...] = ()
        self._moves: deque[Moved] = deque(maxlen=MOVES_KEPT)
        self._submitted: dict[tuple[str, str], tuple[Once, JobId]] = {}
        self._origins: dict[str, JobId] = {}
        self._starts: list[StartRecord] = []
        self._tracks: dict[str, tuple[float, TrackRecord]] = {}
        self._models: dict[str, ModelRecord] = {}
        self._revisions: dict[str, dict[int, Revision]] = {}
        self._proposals: dict[str, Proposal] = {}
        self._publications: dict[JobId, Publication] = {}
        for job in jobs:
            self._put(job)
        for mark in marks:
            self.mark_host(mark)
        if cycle is not None:
            self.journal(cycle)
        self._moves = deque(moves, maxlen=MOVES_KEPT)

    def accept(
        self,
        spec: JobSpec,
        at_s: float,
        *,
        once: Once | None = None,
        told: Callable[[JobRecord], EventRecord] | None = None,
    ) -> JobRecord:
        """Store a new job, with the event that tells of it, and return it with its id.

        Raises:
            Conflict: the key of `once` was used for something else.
        """
        if once is not None and (earlier := self.submitted(once)) is not None:
            return earlier
        if spec.origin in self._origins:
            return self.job(self._origins[spec.origin])
        job = JobRecord(JobId(str(self._last_number + 1)), spec, JobState.PENDING, DesiredState.RUN, at_s)
        self._put(job)
        self._submitted = {key: known for key, known in self._submitted.items() if known[0].until_s >= at_s}
        if once is not None:
            self._submitted[once.owner, once.key] = (once, job.job_id)
        if spec.origin:
            self._origins[spec.origin] = job.job_id
        if told is not None:
            self.record(told(job))
        return job

    def origins(self) -> frozenset[str]:
        """Return the origins of all jobs that were ever accepted."""
        return frozenset(self._origins)

    def submitted(self, once: Once) -> JobRecord | None:
        """Return the job that a submission was accepted as before; None when it was not.

        Raises:
            Conflict: its key was used for something else.
        """
        before, job_id = self._submitted.get((once.owner, once.key), (once, None))
        if job_id is None:
            return None
        if before.digest != once.digest:
            raise once.used_for(job_id)
        return self.job(job_id)

    def spec(self, job_id: JobId) -> JobSpec:
        """Return the job's specification.

        Raises:
            NotFound: no such job was ever accepted.
        """
        return self.job(job_id).spec

    def job(self, job_id: JobId) -> JobRecord:
        """Return one job with all its attempts.

        Raises:
            NotFound: no such job.
        """
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound(f"no job {job_id}") from None

    def jobs(self, *, open_only: bool = True, limit: int | None = None) -> tuple[JobRecord, ...]:
        """Return jobs with their attempts, oldest first; the newest `limit` of them when it is given."""
        jobs = tuple(self._jobs[job_id] for job_id in (self._open if open_only else self._jobs))
        return jobs if limit is None else jobs[max(0, len(jobs) - limit) :]

    def jobs_after(self, after: int, limit: int) -> tuple[JobRecord, ...]:
        """Return at most `limit` jobs, open or not, with numbers above `after`, oldest first."""
        return tuple(job for number, job in sorted((int(n), job) for n, job in self._jobs.items()) if number > after)[
            :limit
        ]

    def save(self, job: JobRecord) -> None:
        """Replace a job's state, desired, priority and attempts."""
        self.save_all([job], [])

    def save_all(self, jobs: Sequence[JobRecord], events: Sequence[EventRecord]) -> None:
        """Replace several jobs and add events, all or nothing.

        Raises:
            NotFound: one of them was never accepted.
        """
        for job in jobs:
            self.job(job.job_id)
        for job in jobs:
            self._put(job)
        self.record(*events)

    def record(self, *events: EventRecord) -> None:
        """Add events; the oldest go when there are more than `EVENTS_KEPT`."""
        for event in events:
            self._event_id += 1
            self._events.append(replace(event, event_id=self._event_id))

    def events(
        self, *, after_id: int = 0, before_id: int = 0, subject: str = "", limit: int = 100
    ) -> tuple[EventRecord, ...]:
        """Return the newest `limit` events with an id above `after_id` (and below `before_id`), oldest first."""
        found = [
            e
            for e in self._events
            if after_id < e.event_id and e.event_id < (before_id or e.event_id + 1) and subject in {"", e.subject}
        ]
        return tuple(found[max(0, len(found) - limit) :])

    def starts(self) -> tuple[StartRecord, ...]:
        """Return the newest starts of replicas, `STARTS_KEPT` of each model on each kind of host, oldest first."""
        return tuple(self._starts)

    def record_starts(self, starts: Sequence[StartRecord]) -> None:
        """Add starts, and forget those that are too old to be kept."""
        self._starts += starts
        counts = Counter[tuple[str, str]]()
        kept = list[StartRecord]()
        for one in reversed(self._starts):
            counts[one.model, one.kind] += 1
            if counts[one.model, one.kind] <= STARTS_KEPT:
                kept.append(one)
        self._starts = kept[::-1]

    def track_records(self) -> Mapping[str, TrackRecord]:
        """Return how the forecasts of each traffic source did lately, by the source's name."""
        return {name: record for name, (_, record) in self._tracks.items()}

    def keep_track_records(self, records: Mapping[str, TrackRecord], at_s: float) -> None:
        """Replace those of some sources; forget those of sources that had none for as long as records look back."""
        self._tracks |= {name: (at_s, record) for name, record in records.items()}
        self._tracks = {name: kept for name, kept in self._tracks.items() if kept[0] >= at_s - REMEMBERED_S}

    def host_marks(self) -> tuple[HostMark, ...]:
        """Return what operators said of hosts, by host name."""
        return tuple(self._marks[host] for host in sorted(self._marks))

    def mark_host(self, mark: HostMark) -> None:
        """Cordon or drain a host."""
        self._marks[mark.host] = mark

    def unmark_host(self, host: str) -> None:
        """Let a host take work again."""
        self._marks.pop(host, None)

    def stray_orders(self) -> tuple[StrayOrder, ...]:
        """Return what operators said of strays and was not carried out yet, by name."""
        return tuple(self._stray_orders[name] for name in sorted(self._stray_orders))

    def order_stray(self, order: StrayOrder) -> None:
        """Say what is to become of a stray; the last word counts."""
        self._stray_orders[order.name] = order

    def drop_stray_order(self, name: str) -> None:
        """Forget an order."""
        self._stray_orders.pop(name, None)

    def models(self) -> tuple[ModelRecord, ...]:
        """Return the models that were deployed at run time, in the order of their deployment."""
        return tuple(self._models.values())

    def revision(self, model: str, number: int) -> Revision:
        """Return one revision of a model.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._revisions[model][number]
        except KeyError:
            raise NotFound(f"no revision {number} of {model}") from None

    def revisions(self, model: str) -> tuple[Revision, ...]:
        """Return all revisions of a model, oldest first."""
        return tuple(self._revisions.get(model, {}).values())

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the models that are proposed, oldest first."""
        return tuple(sorted(self._proposals.values(), key=lambda one: (one.at_s, one.name)))

    def propose(self, proposal: Proposal, event: EventRecord) -> None:
        """Add a proposal, or replace the one of its name, and tell of it."""
        self._proposals[proposal.name] = proposal
        self.record(event)

    def drop_proposal(self, name: str, event: EventRecord) -> None:
        """Forget a proposal that was decided, and tell of it."""
        self._proposals.pop(name, None)
        self.record(event)

    def save_model(
        self, record: ModelRecord, revisions: Sequence[Revision] = (), events: Sequence[EventRecord] = ()
    ) -> None:
        """Add a model or replace its record, add or replace revisions, and add events."""
        self._models[record.name] = record
        self._revisions.setdefault(record.name, {}).update({one.number: one for one in revisions})
        self.record(*events)

    def unpublished(self) -> tuple[JobRecord, ...]:
        """Return jobs that succeeded and of which it is open what they publish, oldest first."""
        done = {job_id for job_id, made in self._publications.items() if not made.is_open}
        succeeded = (job for job in self._jobs.values() if job.state is JobState.SUCCEEDED)
        return tuple(job for job in succeeded if job.spec.publishes is not None and job.job_id not in done)

    def publication(self, job_id: JobId) -> Publication | None:
        """Return what a job has published; None while that is not known, and of one that publishes nothing."""
        return self._publications.get(job_id)

    def publish(self, publication: Publication, events: Sequence[EventRecord] = ()) -> None:
        """Add or replace what a job has published, and add events."""
        self._publications[publication.job_id] = publication
        self.record(*events)

    def reservations(self) -> tuple[Reservation, ...]:
        """Return the reservations of the last plan."""
        return self._reservations

    def moves(self, since_s: float) -> tuple[Moved, ...]:
        """Return the moves of jobs that plans decided on since an epoch second, oldest first."""
        return tuple(moved for moved in self._moves if moved.at_s >= since_s)

    def journal(self, cycle: CycleRecord) -> None:
        """Append a cycle and replace the reservations by those of its plan; only the newest `CYCLES_KEPT` stay."""
        self._cycles.append(cycle)
        self._reservations = cycle.plan.reservations
        self._moves.extend(moves_of(cycle))

    def cycles(self, *, limit: int = 100) -> tuple[CycleRecord, ...]:
        """Return the newest `limit` journalled cycles, oldest first."""
        return tuple(self._cycles)[max(0, len(self._cycles) - limit) :]

    def _put(self, job: JobRecord) -> None:
        self._jobs[job.job_id] = job
        self._last_number = max(self._last_number, int(job.job_id))
        if job.state.is_final:
            self._open.pop(job.job_id, None)
        elif job.job_id not in self._open:
            newest = int(next(reversed(self._open), "0"))
            self._open[job.job_id] = None
            if int(job.job_id) < newest:  # open again, it belongs among older ones
                self._open = dict.fromkeys(sorted(self._open, key=int))
