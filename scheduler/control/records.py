"""What the store keeps: the truth about what was accepted, tried and seen."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.choices import Choices
from scheduler.model.demand import Demand
from scheduler.model.errors import Conflict
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan, PreemptJob
from scheduler.model.resources import Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, JobState, Moved


class DesiredState(StrEnum):
    """What the owner (or an operator) wants of a job."""

    RUN = "run"
    HOLD = "hold"
    STOP = "stop"


class Outcome(StrEnum):
    """How an attempt ended; empty while it lasts."""

    OPEN = ""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    PREEMPTED = "Preempted"
    STOPPED = "Stopped"
    TIMED_OUT = "TimedOut"
    """Stopped at its time limit: the job is over."""
    LOST = "Lost"
    """Gone with a host or with the cluster: the job is tried again."""
    NEVER_STARTED = "NeverStarted"
    """The cluster refused, or the control plane died between deciding and acting."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try at running a job; written *before* the cluster is asked to start it.

    Attributes:
        job_id: whose.
        number: from 1.
        slots: one per worker, in rank order.
        decided_at_s: when the plan said so, epoch seconds.
        started_at_s: when the cluster had it; None until seen.
        ended_at_s: None while it lasts.
        outcome: see `Outcome`.
        cause: why it was stopped, for people; "" when it ended by itself.
        stop_asked_at_s: when it was told to stop; None when it was not.
        stop_cause: why it was told to; None when it was not.
        resumed_from_step: step it began with.
        checkpoint_step: last checkpoint; None before the first.
        checkpointed_at_s: when that was; None before the first.
        total_steps: None when the job does not say.
        lost_gpu_s: GPU-seconds between its last checkpoint and its end, when it did not succeed.
        message: the cluster's words when it failed.
        goes_on_with: workers for which room was reserved when it was told to stop; 0 when it was to wait.
    """

    job_id: JobId
    number: int
    slots: tuple[Slot, ...]
    decided_at_s: float
    started_at_s: float | None = None
    ended_at_s: float | None = None
    outcome: Outcome = Outcome.OPEN
    cause: str = ""
    stop_asked_at_s: float | None = None
    stop_cause: Cause | None = None
    resumed_from_step: int = 0
    checkpoint_step: int | None = None
    checkpointed_at_s: float | None = None
    total_steps: int | None = None
    lost_gpu_s: float = 0.0
    message: str = ""
    goes_on_with: int = 0

    @property
    def workers(self) -> int:
        """With how many workers it runs."""
        return len(self.slots)

    @property
    def is_resized(self) -> bool:
        """Whether it was told to stop so that the job goes on at another size at once."""
        return self.goes_on_with not in {0, self.workers}

    @property
    def is_open(self) -> bool:
        """Whether it may still hold room."""
        return self.outcome is Outcome.OPEN

    @property
    def held_s(self) -> float:
        """How long it held its room; 0 while it lasts and when it never started."""
        if self.started_at_s is None or self.ended_at_s is None:
            return 0.0
        return max(0.0, self.ended_at_s - self.started_at_s)


@dataclass(frozen=True, slots=True)
class AttemptTotal:
    """How many attempts ended alike, since the store was made.

    Attributes:
        outcome: see `Outcome`; OPEN for those that last.
        stop_cause: why they were told to stop; None when they were not.
        saved: whether they had a checkpoint.
        attempts: how many.
        lost_gpu_s: GPU-seconds they lost together.
    """

    outcome: Outcome
    stop_cause: Cause | None
    saved: bool
    attempts: int
    lost_gpu_s: float


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job that was accepted.

    Attributes:
        job_id: made by the store.
        spec: what was asked for (its priority may have been changed since).
        state: see `JobState`.
        desired: see `DesiredState`.
        submitted_at_s: epoch seconds.
        finished_at_s: None while it is open.
        hold_reason: in the words of who put it on hold.
        not_before_s: back-off after failed starts.
        attempts: oldest first.
    """

    job_id: JobId
    spec: JobSpec
    state: JobState
    desired: DesiredState
    submitted_at_s: float
    finished_at_s: float | None = None
    hold_reason: str = ""
    not_before_s: float = 0.0
    attempts: tuple[AttemptRecord, ...] = ()

    @property
    def attempt(self) -> AttemptRecord | None:
        """The latest attempt, or None before the first."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a submission one and the same, however often it is sent.

    Attributes:
        owner: who submits.
        key: chosen by them.
        digest: of what is submitted; the same key with another one is refused.
        until_s: when it may be forgotten, epoch seconds.
    """

    owner: str
    key: str
    digest: str
    until_s: float

    def used_for(self, job_id: object) -> Conflict:
        """Return the error of a key that stands for another submission, which became a job."""
        said = f'the idempotency key "{self.key}" was used for job {job_id}, which was submitted differently'
        return Conflict(said, help="choose a new key for each submission, and the same only to repeat it unchanged")


class EventKind(StrEnum):
    """What an event is about; also the colour of its edge on the page."""

    SERVING = "serving"
    TRAINING = "training"
    PREEMPTION = "preemption"
    HOST = "host"
    FORECAST = "forecast"
    CONTROL = "control"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened, cause and effect in one entry; `event_id` is 0 until the store has it.

    Attributes:
        actor: who did it; "" where no person did.
    """

    at_s: float
    cycle: int
    kind: EventKind
    subject: str
    title: str
    detail: str = ""
    event_id: int = 0
    actor: str = ""


@dataclass(frozen=True, slots=True)
class HostMark:
    """An operator's word about a host; `state` is CORDONED or DRAINING.

    Attributes:
        deadline_s: jobs that end by themselves before it are left alone; None for at once.
    """

    host: str
    state: HostState
    reason: str
    since_s: float
    deadline_s: float | None = None


STARTS_KEPT: Final = 50
"""Starts of replicas that are remembered of each model on each kind of host."""


@dataclass(frozen=True, slots=True)
class StartRecord:
    """A replica that has started.

    Attributes:
        model: whose.
        kind: GPU model of its host; "" where there are no GPUs.
        at_s: when it was decided, epoch seconds.
        took_s: seconds from then until it answered.
    """

    model: str
    kind: str
    at_s: float
    took_s: float


class StrayVerb(StrEnum):
    """What is to become of a stray."""

    ADOPT = "adopt"
    EVICT = "evict"


@dataclass(frozen=True, slots=True)
class StrayOrder:
    """An operator's word about a stray, by its name; `by` is who said it, `at_s` when."""

    name: str
    verb: StrayVerb
    by: str
    at_s: float


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """One turn of the control loop, as journalled: its inputs and its decision.

    Attributes:
        number: from 1, without gaps.
        at_s: the world's time.
        snapshot, demand: what the planner was given.
        plan: what it answered.
        plan_duration_s: wall seconds the planner took.
        choices: by which policy; None where nobody has a name for it, and in what was written before it was recorded.
        release: of the Headroom that planned; "" likewise.
    """

    number: int
    at_s: float
    snapshot: Snapshot
    demand: Demand
    plan: Plan
    plan_duration_s: float
    choices: Choices | None = None
    release: str = ""


def moves_of(cycle: CycleRecord) -> tuple[Moved, ...]:
    """Return the jobs that a turn told to go on elsewhere."""
    stops = (action for action in cycle.plan.actions if isinstance(action, PreemptJob))
    return tuple(Moved(stop.job_id, cycle.at_s) for stop in stops if stop.cause is Cause.CONSOLIDATION)
