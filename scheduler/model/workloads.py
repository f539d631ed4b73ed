"""What runs on hosts: training jobs (gangs) and the replicas of served models."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Final, NewType

from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot

JobId = NewType("JobId", str)
"""Identity of a training job; decimal digits, made by the store when it accepts the job."""
ReplicaId = NewType("ReplicaId", str)
"""Identity of one replica while it lives; made by the backend."""


UNTRUSTED_S: Final = 86_400.0
"""How long nobody is stopped for a job whose start failed; twice as long with each further start that fails."""
SHARE_OF_GRACE: Final = 0.5
"""Part of its grace period that saving is expected to take."""
MOST_DOUBLINGS: Final = 6
"""Doublings of it at most."""
FIRST_REVISION: Final = 1
"""Revision of a model that was never changed."""


class JobState(StrEnum):
    """Where a training job is in its life; the first five are open, the rest final."""

    PENDING = "Pending"
    """Waits for room; never ran, or its last attempt was lost with its host."""
    HELD = "Held"
    """Its owner or an operator asked it to wait."""
    ADMITTED = "Admitted"
    """Has been given room; its processes start."""
    RUNNING = "Running"
    PREEMPTING = "Preempting"
    """Told to save and stop; its room is not free yet."""
    PREEMPTED = "Preempted"
    """Stopped for somebody else; waits to resume from its checkpoint."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    """Ended by its owner or an operator."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED}

    @property
    def is_waiting(self) -> bool:
        """Whether the planner may start it."""
        return self in {JobState.PENDING, JobState.PREEMPTED}

    @property
    def holds_room(self) -> bool:
        """Whether its slots are taken."""
        return self in {JobState.ADMITTED, JobState.RUNNING, JobState.PREEMPTING}


@dataclass(frozen=True, slots=True)
class Gang:
    """Workers that start together or not at all.

    Attributes:
        workers: how many, at least 1; of an elastic gang the fewest with which it runs.
        shape: what each of them needs.
        max_per_host: most workers on one host; 0 means no limit.
        prefer_same: label of hosts, for instance "rack", in whose value they should differ as little as possible.
        require_same: label whose value all its hosts must share; "" for none, as above.
        max_workers: the most that an elastic gang runs with; 0 when it is not elastic.
    """

    workers: int
    shape: Shape
    max_per_host: int = 0
    prefer_same: str = ""
    require_same: str = ""
    max_workers: int = 0

    def __post_init__(self) -> None:
        """Refuse an empty gang.

        Raises:
            ValueError: `workers` below 1, `max_per_host` below 0, or a `max_workers` that is not more than `workers`.
        """
        if self.workers < 1 or self.max_per_host < 0:
            msg = f"a gang needs at least one worker and no negative limit: {self}"
            raise ValueError(msg)
        if self.max_workers and self.max_workers <= self.workers:
            msg = f"the most workers of an elastic gang are more than the fewest: {self}"
            raise ValueError(msg)

    @property
    def is_elastic(self) -> bool:
        """Whether it runs with more workers than the fewest, too."""
        return self.max_workers > 0

    @property
    def most(self) -> int:
        """The most workers it runs with."""
        return self.max_workers or self.workers

    def of_size(self, workers: int) -> "Gang":
        """Return it with a fixed number of workers."""
        if not self.is_elastic and workers == self.workers:
            return self
        return replace(self, workers=max(1, workers), max_workers=0)

    @property
    def gpus(self) -> float:
        """Devices of all workers, the fewest of an elastic gang; shares count in part."""
        return self.workers * self.shape.total_gpu_milli / WHOLE_DEVICE_MILLI


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training job as the planner sees it: what it asks for and how far it has come.

    Attributes:
        job_id: see `JobId`.
        name: for people; need not be unique.
        gang: all of it runs, or none.
        queue: for fair share and limits.
        owner: who submitted it.
        priority: higher goes first and may preempt lower.
        preemptible: whether it may be stopped for others; independent of priority.
        state: see `JobState`.
        submitted_at_s: epoch seconds; the age that orders equals.
        grace_period_s: time it is given to save a checkpoint when stopped.
        checkpoint_interval_s: how often it says it saves; None when it never does.
        max_runtime_s: longest it says one attempt takes, and is let run; None when it does not say.
        expected_runtime_s: within what time nearly all jobs like it were over; None when too few have ended yet.
        attempt: number of the latest attempt; 0 before the first.
        slots: one per worker while `state.holds_room`, else empty; their number is the size at which it runs.
        started_at_s: when the present attempt got its room; None when none runs.
        checkpointed_at_s: last checkpoint of the present attempt; None when there is none yet.
        restart_cost_s: time an attempt needs before it makes progress again.
        not_before_s: back-off after a failed start: not to be tried earlier.
        stop_asked: its owner or an operator wants the running attempt ended (stopped, or put on hold).
        ends_in_time: it says that it is over before its draining host must be empty: no reason to move it.
        stops: how many earlier attempts were stopped for others.
        ran_before_s: how long earlier attempts held room, all together.
        ran_on_s: how long those held room that ended only for the present one to go on at once (resized, or moved).
        doubt: by how much what it says of `max_runtime_s` is multiplied until it runs, because such words were broken.
        failed_starts: how many of its latest starts failed in a row.
        saves_when_told: whether it saved when it was told to stop, as far as is known.
    """

    job_id: JobId
    name: str
    gang: Gang
    queue: str = "default"
    owner: str = ""
    priority: int = 50
    preemptible: bool = True
    state: JobState = JobState.PENDING
    submitted_at_s: float = 0.0
    grace_period_s: float = 30.0
    checkpoint_interval_s: float | None = None
    max_runtime_s: float | None = None
    expected_runtime_s: float | None = None
    attempt: int = 0
    slots: tuple[Slot, ...] = ()
    started_at_s: float | None = None
    checkpointed_at_s: float | None = None
    restart_cost_s: float = 60.0
    not_before_s: float = 0.0
    stop_asked: bool = False
    ends_in_time: bool = False
    stops: int = 0
    ran_before_s: float = 0.0
    ran_on_s: float = 0.0
    doubt: float = 1.0
    failed_starts: int = 0
    saves_when_told: bool = True

    def lost_gpu_s(self, now_s: float) -> float:
        """Return the work that stopping the present attempt would lose: unsaved and restart, over all its devices."""
        return (self.unsaved_s(now_s) + self.restart_cost_s) * self.gang_now.gpus

    def unsaved_s(self, now_s: float) -> float:
        """Return for how long it has worked, or would, in vain if it were told to stop now."""
        started_s = now_s if self.started_at_s is None else self.started_at_s
        saved_s = started_s if self.checkpointed_at_s is None else self.checkpointed_at_s
        return min(max(0.0, now_s - saved_s), self.saves_within_s)

    @property
    def saves_within_s(self) -> float:
        """How long saving takes when it is told to stop, a guess from the time it asks for; infinity if it does not."""
        if self.checkpoint_interval_s is None or not self.saves_when_told:
            return inf
        return SHARE_OF_GRACE * self.grace_period_s

    @property
    def gang_now(self) -> Gang:
        """Its gang at the size at which it runs; the gang itself while it holds no room."""
        return self.gang.of_size(len(self.slots)) if self.slots and self.gang.is_elastic else self.gang

    @property
    def trusted_from_s(self) -> float:
        """From when on others may be stopped for it, epoch seconds: not for long after a start of it failed.

        Who could not start in the room that was freed may not be able to in any. A start that succeeds ends this.
        """
        if not self.failed_starts:
            return -inf
        return self.not_before_s + UNTRUSTED_S * 2.0 ** min(self.failed_starts - 1, MOST_DOUBLINGS)

    @property
    def rank(self) -> tuple[float, int, str]:
        """Where it stands among all jobs: by submission, then id."""
        return (self.submitted_at_s, len(self.job_id), self.job_id)

    @property
    def runtime_s(self) -> float:
        """How long an attempt takes at most: by its own word, else as jobs like it did; infinity when unknown."""
        known_s = self.word_s if self.word_s is not None else self.expected_runtime_s
        return inf if known_s is None else known_s

    @property
    def word_s(self) -> float | None:
        """How long it says one attempt takes at most, as far as that is believed; None when it does not say."""
        return None if self.max_runtime_s is None else self.max_runtime_s * self.doubt

    @property
    def limit_s(self) -> float:
        """When the present attempt has run for as long as it is let, epoch seconds; infinity when nothing limits it."""
        if self.started_at_s is None or self.max_runtime_s is None:
            return inf
        return self.started_at_s - self.ran_on_s + self.max_runtime_s

    @property
    def ends_s(self) -> float:
        """When the present attempt should be over, epoch seconds; infinity when nothing is known, or none runs."""
        return inf if self.started_at_s is None else min(self.limit_s, self.started_at_s + self.runtime_s)


def rank_of(job: TrainingJob) -> tuple[float, int, str]:
    """Return `TrainingJob.rank`."""
    return (job.submitted_at_s, len(job.job_id), job.job_id)


@dataclass(frozen=True, slots=True)
class Moved:
    """A job was told to go on elsewhere so that another fits; `at_s` is when, epoch seconds."""

    job_id: JobId
    at_s: float


@dataclass(frozen=True, slots=True)
class ServingModel:
    """A served model, as declared by its owner.

    Attributes:
        name: unique.
        shape: what one replica needs.
        min_replicas: never fewer.
        max_replicas: never more.
        warm_up_s: from the decision to start a replica until it answers requests.
        max_per_host: most replicas on one host; 0 means no limit.
        survive_host_losses: k: the demand must still be met when any k hosts are lost.
        community: whether the community trained it (shown apart, planned alike).
        elsewhere: whether others run its replicas: its peak is foreseen and room is held for those that are not seen
            on this cluster, but nothing is started or stopped.
        avoids: hosts on which replicas have not become ready lately: none is started there, and one that only starts
            there goes once another one is started elsewhere.
        revision: which revision its replicas are to be of; those of others leave once these have taken over.
        of: of a revision that is tried beside the one that serves, the model's name; "" for the model itself.
        surge: replicas that start at once beside those that leave for another revision.
        withdrawn: revisions that are not to serve: a replica of one that only starts is stopped at once.
    """

    name: str
    shape: Shape
    min_replicas: int = 1
    max_replicas: int = 1
    warm_up_s: float = 0.0
    max_per_host: int = 0
    survive_host_losses: int = 0
    community: bool = False
    elsewhere: bool = False
    avoids: frozenset[str] = frozenset()
    revision: int = FIRST_REVISION
    of: str = ""
    surge: int = 1
    withdrawn: frozenset[int] = frozenset()

    @property
    def served_as(self) -> str:
        """The name under which its requests come."""
        return self.of or self.name

    @property
    def revised(self) -> tuple[str, int]:
        """What its replicas are: the name under which they serve, and the revision."""
        return self.served_as, self.revision


class ReplicaState(StrEnum):
    """Where a replica is in its life."""

    STARTING = "starting"
    """Holds its room, answers nothing yet."""
    READY = "ready"
    STOPPING = "stopping"
    """Answers what it has, takes nothing new; its room is not free yet."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One running copy of a served model.

    Attributes:
        replica_id: see `ReplicaId`.
        model: its name; no longer declared, perhaps.
        slot: where it sits.
        state: see `ReplicaState`.
        since_s: when its state began, epoch seconds.
        shape: what it holds; None where its model says so.
        retired_s: since when its model is known to be declared no longer, epoch seconds; None while it is.
        revision: of its model, which it runs.
        fault: why it cannot start, or does not stay up, in the cluster's words; "" while nothing is known against it.
    """

    replica_id: ReplicaId
    model: str
    slot: Slot
    state: ReplicaState = ReplicaState.READY
    since_s: float = 0.0
    shape: Shape | None = None
    retired_s: float | None = None
    revision: int = FIRST_REVISION
    fault: str = ""


def trial_name(model: str, revision: int) -> str:
    """Return what a revision is called while it is tried beside the one that serves; no model has such a name."""
    return f"{model}@{revision}"
