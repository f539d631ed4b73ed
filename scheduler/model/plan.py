"""What a plan says: actions in a safe order, the room kept for whom it was freed, and why the rest waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.reasons import Reasons
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import FIRST_REVISION, JobId, ReplicaId


class Cause(StrEnum):
    """Why an action is taken."""

    DEMAND = "demand"
    """Replicas for the load within the lead time."""
    SURPLUS = "surplus"
    """More replicas than anybody needs."""
    DRAIN = "drain"
    """The host is being emptied."""
    SPREAD = "spread"
    """More on one host than its owner allows."""
    ROLLOUT = "rollout"
    """Another revision of the model takes over."""
    LATE = "late"
    """It does not get ready where it is: another host is tried."""
    QUEUE = "queue"
    """A waiting job's turn."""
    BACKFILL = "backfill"
    """Before its turn, in the shadow of a booking: it delays none."""
    SERVING = "serving"
    """Room for replicas."""
    PRIORITY = "priority"
    """Room for a job of higher priority."""
    SHORTER = "shorter"
    """Room for a job of the same priority that is much shorter."""
    GUARANTEE = "guarantee"
    """Room that its queue lent, or borrowed from nobody, for a job that another queue's guarantee covers."""
    CONSOLIDATION = "consolidation"
    """It goes on elsewhere, so that a waiting gang fits."""
    GROWTH = "growth"
    """It goes on with more workers."""
    STOP_ASKED = "stop asked"
    """Its owner or an operator ended it or put it on hold."""
    TIME_LIMIT = "time limit"
    """It has run for as long as it said it would at most."""
    ORPHAN = "orphan"
    """It runs, and nobody asked for it (any more)."""


@dataclass(frozen=True, slots=True)
class StopReplica:
    """Stop a replica after the requests it has."""

    replica_id: ReplicaId
    model: str
    slot: Slot
    cause: Cause = Cause.SURPLUS


@dataclass(frozen=True, slots=True)
class PreemptJob:
    """Tell a job to save a checkpoint and stop; its room is free when it is gone.

    Attributes:
        job_id: the victim.
        attempt: the attempt that is stopped.
        grace_period_s: after it the attempt is killed.
        cause: see `Cause`.
        beneficiary: model name or job id for whom; empty for DRAIN, GROWTH, STOP_ASKED,
            TIME_LIMIT and ORPHAN.
        lost_gpu_s: expected GPU-seconds of work lost, restart included.
        goes_on_with: workers for which room is reserved; 0 when it waits for room.
    """

    job_id: JobId
    attempt: int
    grace_period_s: float
    cause: Cause
    beneficiary: str = ""
    lost_gpu_s: float = 0.0
    goes_on_with: int = 0


@dataclass(frozen=True, slots=True)
class StartReplica:
    """Start one replica of a revision of a model in a slot; where a cluster places replicas itself, that is a wish.

    The slot in which a replica is observed counts.
    """

    model: str
    slot: Slot
    cause: Cause = Cause.DEMAND
    revision: int = FIRST_REVISION

    @property
    def revised(self) -> tuple[str, int]:
        """What starts: a model and its revision."""
        return self.model, self.revision


@dataclass(frozen=True, slots=True)
class StartJob:
    """Start the next attempt of a job, one slot per worker."""

    job_id: JobId
    attempt: int
    slots: tuple[Slot, ...]
    cause: Cause = Cause.QUEUE


Action = StopReplica | PreemptJob | StartReplica | StartJob
"""The closed set of what a plan can ask for; match on it and end with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room being freed (or free) that only its holder may take.

    Attributes:
        holder: model name or job id.
        slots: one per worker or replica.
        since_s: when the room was first reserved, epoch seconds.
        expires_s: after this the reservation is void, so that a holder that cannot use it blocks nobody for ever.
    """

    holder: str
    slots: tuple[Slot, ...]
    since_s: float
    expires_s: float


@dataclass(frozen=True, slots=True)
class PeakHold:
    """Room kept empty for the coming peak of a model, or of several together.

    Attributes:
        models: names of those for whom.
        shape: what each slot holds.
        slots: one per replica, free or being freed.
        until_s: when the peak is expected, epoch seconds; 0 when unknown.
    """

    models: tuple[str, ...]
    shape: Shape
    slots: tuple[Slot, ...]
    until_s: float


@dataclass(frozen=True, slots=True)
class Booking:
    """A start of a waiting job that is planned for later; until then others may use the room.

    Attributes:
        job_id: the job.
        slots: one per worker.
        start_s: from when on it has them, epoch seconds.
        end_s: when it is expected to be over again; infinity when unknown.
        models: those that are expected to need fewer replicas by then, where it counts on that.
    """

    job_id: JobId
    slots: tuple[Slot, ...]
    start_s: float
    end_s: float
    models: tuple[str, ...] = ()


class Reason(StrEnum):
    """Why a job waits or a replica is missing; the codes of the API."""

    INSUFFICIENT_DEVICES = "InsufficientDevices"
    INSUFFICIENT_CPU = "InsufficientCpu"
    INSUFFICIENT_MEMORY = "InsufficientMemory"
    NO_HOST_MATCHES = "NoHostMatches"
    """No host has the labels, the GPU model or the device memory asked for."""
    IMPOSSIBLE_GANG = "ImpossibleGang"
    """Larger than the cluster would be if it were empty."""
    INSUFFICIENT_HOSTS = "InsufficientHosts"
    """Too few hosts to spread over: losing some would leave a model short."""
    HELD_FOR_SERVING = "HeldForServing"
    """It would fit, but the room is kept for a peak."""
    RESERVED = "Reserved"
    """It would fit, but the room was freed for somebody else."""
    WAITS_FOR_PREEMPTION = "WaitsForPreemption"
    """Its room is being freed."""
    QUEUE_LIMIT = "QueueLimit"
    """Its queue may hold no more than it does."""
    KEPT_FOR_QUEUE = "KeptForQueue"
    """It would be above its queue's guarantee, and what is free is kept for another queue's."""
    BACKING_OFF = "BackingOff"
    """Its last start failed; it is tried again later."""
    HELD_BY_OWNER = "HeldByOwner"


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Why something asked for is not running, with numbers.

    Attributes:
        subject: job id or model name.
        reason: see `Reason`.
        message: one sentence for people.
        asked: units of the scarce resource asked for (workers, devices, cores or MiB, as the message says).
        free: the most of them that can be had now.
        until_s: when it may change, epoch seconds; None when unknown.
        blocked_by: job ids or model names that hold what is missing.
    """

    subject: str
    reason: Reason
    message: str
    asked: int = 0
    free: int = 0
    until_s: float | None = None
    blocked_by: tuple[str, ...] = ()


class Consolidation(StrEnum):
    """What is done when a waiting gang would fit if a few running jobs went on elsewhere."""

    OFF = "off"
    PROPOSE = "propose"
    """It is said, and nobody is moved."""
    DO = "do"


@dataclass(frozen=True, slots=True)
class Move:
    """A running job and where it would go on: one slot per worker, free now."""

    job_id: JobId
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Moves that would make room for a waiting gang, and what they are worth.

    Attributes:
        beneficiary: job id of the gang.
        moves: whom to move, and where to.
        lost_gpu_s: GPU-seconds of work that the moves lose, restarts included.
        waits_s: how long the gang is expected to wait otherwise.
    """

    beneficiary: JobId
    moves: tuple[Move, ...]
    lost_gpu_s: float
    waits_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision of one cycle.

    Attributes:
        snapshot_version: version of the snapshot it was made from.
        actions: in the order to apply; every prefix is safe.
        reservations: all in force after this plan; replaces the snapshot's.
        holds: room kept empty for peaks, made anew by each plan.
        bookings: starts planned for later, the earliest first, made anew by each plan.
        unplaced: every waiting or held job, in queue order, then every model that lacks replicas.
        proposals: moves that would make room, where the site wants to be asked.
    """

    snapshot_version: int
    actions: tuple[Action, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    unplaced: Sequence[Unplaced] = ()
    proposals: tuple[Proposal, ...] = ()
    holds: tuple[PeakHold, ...] = ()
    bookings: tuple[Booking, ...] = ()

    def reason_for(self, subject: str) -> Unplaced | None:
        """Return why a job or model is not placed, or None when it is."""
        return Reasons.of(self.unplaced).for_subject(subject)
