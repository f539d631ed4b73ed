"""The seams of the control loop: narrow protocols that drivers, simulators and tests implement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, runtime_checkable

from forecasting.series import Series
from forecasting.track_record import TrackRecord
from scheduler.control.model_records import ModelRecord, Proposal, Publication, Revision
from scheduler.control.records import CycleRecord, EventRecord, HostMark, JobRecord, Once, StartRecord, StrayOrder
from scheduler.control.reports.board import RequestCounts
from scheduler.control.settings import Declared
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Progress, Stray
from scheduler.model.plan import Action, Reservation
from scheduler.model.workloads import JobId, Moved


class Clock(Protocol):
    """The world's time; on a replay or in a simulation it runs faster than the wall's."""

    @property
    def speed(self) -> float:
        """World seconds per wall second; 1.0 for real time."""

    def now_s(self) -> float:
        """Return the world's time, epoch seconds."""

    def to_world_s(self, wall_s: float) -> float:
        """Return the world's time at a wall time (epoch seconds), for instance of a file's change."""

    def sleep(self, duration_s: float) -> None:
        """Wait for `duration_s` seconds of the world."""


class Cluster(Protocol):
    """Hosts that run gangs and replicas. `tests/contracts` holds the suite that every implementation passes.

    Where several control planes may lead in turn, an implementation holds a `Lease` and proves it before each order;
    every call may raise `Superseded` then, and nothing is done.
    """

    def observe(self) -> Observation:
        """Return what runs now.

        Raises:
            Unreachable: the cluster does not answer.
        """

    def apply(self, action: Action) -> None:
        """Begin to carry out one action; return before it is finished.

        Applying the same action again changes nothing: a run or replica that is there stays, one that is gone stays
        gone. Durations in the action are seconds of the world's clock.

        Raises:
            ActionFailed: the cluster refuses; the room is as it was before.
            Unreachable: the cluster does not answer; the action may or may not have begun.
        """

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop an ended run from later observations, once its outcome is safely stored."""

    def adopt(self, stray: Stray) -> None:
        """Take over a stray, as if this control plane's store had started it; nothing changes when it is gone.

        Later observations show it among runs or replicas.

        Raises:
            ActionFailed: it is nothing that could be taken over.
            Unreachable: the cluster does not answer.
        """

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take note of all revisions of models that are served or tried, and which part of the requests each gets.

        Nothing is started or stopped for it; what is left out answers until it is stopped. Saying the same again
        changes nothing. A cluster begins with the models that it was made with.
        """

    def evict(self, stray: Stray, grace_s: float) -> None:
        """Tell a stray to end, and end it when the grace is over; nothing changes when it is gone.

        Args:
            stray: as observed.
            grace_s: seconds of the world that it gets.

        Raises:
            ActionFailed: the cluster refuses.
            Unreachable: the cluster does not answer.
        """


class Backend(Cluster, Protocol):
    """A cluster as the control plane's process has it: with what people read of it, and an end."""

    def claim(self) -> None:
        """Claim the cluster, as looking at it does.

        Raises:
            Unreachable: the cluster does not answer.
            Superseded: another control plane leads, or has the cluster.
        """

    def logs(self, job_id: JobId, attempt: int) -> str:
        """Return what an attempt has printed so far, without secrets; "" when nobody knows it.

        Raises:
            Unreachable: the cluster does not answer.
        """

    def request_counts(self) -> Mapping[str, RequestCounts]:
        """Return the requests counted since counting began, by model; nothing where no router of ours counts."""

    def close(self) -> None:
        """Let go of the cluster; what runs there goes on."""


@runtime_checkable
class TakesProgress(Protocol):
    """A backend to which attempts must tell how far they are, for it sees no file of theirs."""

    def report(self, job_id: JobId, attempt: int, progress: Progress) -> None:
        """Write down the last checkpoint of an attempt, for later observations to show; nothing when it is gone.

        Raises:
            ActionFailed: the cluster refuses.
            Unreachable: the cluster does not answer.
        """


class JobSpecs(Protocol):
    """Where a backend finds what to run."""

    def spec(self, job_id: JobId) -> JobSpec:
        """Return the job's specification.

        Raises:
            NotFound: no such job was ever accepted.
        """


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a traffic source knows at one moment.

    Attributes:
        series: history in closed bins, requests per second; NaN where missing.
        latest_rps: the last rate measured, perhaps of an open bin; NaN when there is none.
        latest_at_s: when it was measured, epoch seconds.
        holidays: local dates on which the traffic goes like on a Sunday.
    """

    series: Series
    latest_rps: float
    latest_at_s: float
    holidays: frozenset[date] = frozenset()


class TrafficSource(Protocol):
    """Where the load of served models is measured."""

    def read(self, now_s: float) -> Traffic:
        """Return everything known at `now_s` and nothing from later.

        Raises:
            Unreachable: the source does not answer.
        """


class Store(JobSpecs, Protocol):
    """What survives a crash. Every call is one transaction; when it has returned, it is on disk.

    Every call may raise `Unreachable` when the database does not answer; every one that writes, `Superseded` when the
    control plane does not lead any more: nothing is written then.
    """

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

        A job whose `origin` was accepted before is that job again, and nothing is stored.

        Raises:
            Conflict: its key was used for something else; or its origin for a job that is no longer kept.
        """

    def origins(self) -> frozenset[str]:
        """Return the origins of all jobs that were ever accepted."""

    def submitted(self, once: Once) -> JobRecord | None:
        """Return the job that a submission was accepted as before; None when it was not.

        Raises:
            Conflict: its key was used for something else.
        """

    def job(self, job_id: JobId) -> JobRecord:
        """Return one job with all its attempts.

        Raises:
            NotFound: no such job.
        """

    def jobs(self, *, open_only: bool = True, limit: int | None = None) -> tuple[JobRecord, ...]:
        """Return jobs with their attempts, oldest first; the newest `limit` of them when it is given."""

    def jobs_after(self, after: int, limit: int) -> tuple[JobRecord, ...]:
        """Return at most `limit` jobs, open or not, with numbers above `after`, oldest first."""

    def save(self, job: JobRecord) -> None:
        """Replace a job's state, desired state, priority and attempts."""

    def save_all(self, jobs: Sequence[JobRecord], events: Sequence[EventRecord]) -> None:
        """Replace several jobs and add events, all or nothing."""

    def record(self, *events: EventRecord) -> None:
        """Add events."""

    def events(
        self, *, after_id: int = 0, before_id: int = 0, subject: str = "", limit: int = 100
    ) -> tuple[EventRecord, ...]:
        """Return the newest `limit` events with an id above `after_id` (and below `before_id`), oldest first."""

    def starts(self) -> tuple[StartRecord, ...]:
        """Return the newest starts of replicas, `STARTS_KEPT` of each model on each kind of host, oldest first."""

    def record_starts(self, starts: Sequence[StartRecord]) -> None:
        """Add starts, and forget those that are too old to be kept."""

    def track_records(self) -> Mapping[str, TrackRecord]:
        """Return how the forecasts of each traffic source did lately, by the source's name."""

    def keep_track_records(self, records: Mapping[str, TrackRecord], at_s: float) -> None:
        """Replace those of some sources; forget those of sources that had none for as long as records look back."""

    def host_marks(self) -> tuple[HostMark, ...]:
        """Return what operators said of hosts, by host name."""

    def mark_host(self, mark: HostMark) -> None:
        """Cordon or drain a host."""

    def unmark_host(self, host: str) -> None:
        """Let a host take work again."""

    def stray_orders(self) -> tuple[StrayOrder, ...]:
        """Return what operators said of strays and was not carried out yet, by name."""

    def order_stray(self, order: StrayOrder) -> None:
        """Say what is to become of a stray; the last word counts."""

    def drop_stray_order(self, name: str) -> None:
        """Forget an order."""

    def models(self) -> tuple[ModelRecord, ...]:
        """Return the models that were deployed at run time, removed ones too, in the order of their deployment."""

    def revision(self, model: str, number: int) -> Revision:
        """Return one revision of a model.

        Raises:
            NotFound: there is none.
        """

    def revisions(self, model: str) -> tuple[Revision, ...]:
        """Return all revisions of a model, oldest first; () of one that was never deployed."""

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the models that are proposed, oldest first."""

    def propose(self, proposal: Proposal, event: EventRecord) -> None:
        """Add a proposal, or replace the one of its name, and tell of it."""

    def drop_proposal(self, name: str, event: EventRecord) -> None:
        """Forget a proposal that was decided, and tell of it."""

    def save_model(
        self, record: ModelRecord, revisions: Sequence[Revision] = (), events: Sequence[EventRecord] = ()
    ) -> None:
        """Add a model or replace its record, add or replace revisions, and add events, all or nothing."""

    def unpublished(self) -> tuple[JobRecord, ...]:
        """Return jobs that succeeded and of which it is open what they publish, oldest first."""

    def publication(self, job_id: JobId) -> Publication | None:
        """Return what a job has published; None while that is not known, and of one that publishes nothing."""

    def publish(self, publication: Publication, events: Sequence[EventRecord] = ()) -> None:
        """Add or replace what a job has published, and add events, all or nothing."""

    def reservations(self) -> tuple[Reservation, ...]:
        """Return the reservations of the last plan."""

    def moves(self, since_s: float) -> tuple[Moved, ...]:
        """Return the moves of jobs that plans decided on since an epoch second, oldest first."""

    def journal(self, cycle: CycleRecord) -> None:
        """Append a cycle and its moves, and replace the reservations by those of its plan."""

    def cycles(self, *, limit: int = 100) -> tuple[CycleRecord, ...]:
        """Return the newest `limit` journalled cycles, oldest first."""
