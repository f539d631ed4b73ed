"""What a cluster really runs, as its backend saw it: facts only, no wishes."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.hosts import Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Held, Slot
from scheduler.model.workloads import JobId, Replica


class RunState(StrEnum):
    """Where one attempt of a job is, on the cluster."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    """Told to stop; holds its room until it is gone."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    """Ended because it was told to, cleanly or killed: by us, or by somebody through the cluster's own means."""
    NOT_STARTED = "not started"
    """It could not be started, or only in part; nothing is left of it, and a later try may go better."""
    LOST = "lost"
    """Known to be gone with a host or with the cluster; nobody told it to stop."""

    @property
    def holds_room(self) -> bool:
        """Whether its slots are still taken."""
        return self in {RunState.STARTING, RunState.RUNNING, RunState.STOPPING}


@dataclass(frozen=True, slots=True)
class Progress:
    """The last checkpoint of an attempt, as the job itself reported it.

    Attributes:
        step: step from which a new attempt would resume.
        total_steps: steps of the whole job; None when it does not say.
        saved_at_s: when the checkpoint was complete, epoch seconds.
    """

    step: int
    total_steps: int | None
    saved_at_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt of a job on the cluster; ended ones stay listed until they are forgotten.

    Attributes:
        job_id: whose attempt.
        attempt: its number, from 1.
        slots: one per worker, in rank order.
        state: see `RunState`.
        started_at_s: when it got its room, epoch seconds.
        ended_at_s: when it was over; None while it holds room.
        progress: last checkpoint of this attempt, None before the first.
        message: why it failed or could not start, in the cluster's words; "" otherwise.
    """

    job_id: JobId
    attempt: int
    slots: tuple[Slot, ...]
    state: RunState
    started_at_s: float
    ended_at_s: float | None = None
    progress: Progress | None = None
    message: str = ""


class StrayKind(StrEnum):
    """What a stray is, on the cluster."""

    RUN = "run"
    GROUP = "group"
    """Room that is held, with nothing known to run in it."""
    APPLICATION = "application"
    """Something that answers requests."""


@dataclass(frozen=True, slots=True)
class Stray:
    """Something on the cluster that this control plane's store did not start: counted, reported and left alone.

    Attributes:
        name: what the cluster calls it; one of a kind.
        kind: see `StrayKind`.
        owner: identity of the store that started it, or as much of it as is known; "" when it carries no mark.
        held: the room it takes, as far as the cluster tells; nothing else may have it.
        job_id: whose attempt it says it is; "" when it says nothing.
        attempt: the number of that attempt.
    """

    name: str
    kind: StrayKind
    owner: str = ""
    held: tuple[Held, ...] = ()
    job_id: str = ""
    attempt: int = 0

    def may_be(self, job_id: str, attempt: int) -> bool:
        """Whether it may be this attempt, started before runs carried the mark of an owner."""
        return not self.owner and (self.job_id, self.attempt) == (job_id, attempt)


@dataclass(frozen=True, slots=True)
class Order:
    """A job that was given to the cluster itself rather than to our API.

    Attributes:
        spec: what is asked for, with its `origin`; of the priority only the class counts.
        at_s: when it was given, epoch seconds.
        held: why it is to wait, in the words of who said so there; "" when it is not.
        fault: why it cannot be taken as it is; "" when it can.
    """

    spec: JobSpec
    at_s: float
    held: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything a cluster shows at one moment.

    Attributes:
        taken_at_s: epoch seconds of the world's clock.
        hosts: all hosts known, lost ones included, sorted by name; READY, CORDONED and LOST are the backend's to say.
        runs: attempts that hold room or ended since they were last forgotten. One that still holds room on a LOST host
            was there when it was last seen, and may be there still; where the cluster knows better, it is LOST as well.
        replicas: that hold room.
        faults: sentences for operators, for instance a replica that cannot start and why.
        strays: what others run here, sorted by name.
        occupied: room that other work takes, which nobody here can start or stop: daemons, other people's work, what
            ours needs beyond its declared shape; at most one entry a slot, sorted by slot. What has not changed should
            be the same objects as before. It may exceed what a host has, and never counts what runs, replicas or
            strays hold.
        asked: (model, replicas), what the cluster's own controllers want now, by name: a rollout that starts new
            replicas beside the old ones, an autoscaler above us. Nothing where nobody but this control plane decides.
        orders: all jobs that were given to the cluster itself and are there still: one that is absent was deleted. A
            backend that is not sure of its list raises `Unreachable`.
    """

    taken_at_s: float
    hosts: tuple[Host, ...] = ()
    runs: tuple[Run, ...] = ()
    replicas: tuple[Replica, ...] = ()
    faults: tuple[str, ...] = ()
    strays: tuple[Stray, ...] = ()
    occupied: tuple[Held, ...] = ()
    asked: tuple[tuple[str, int], ...] = ()
    orders: tuple[Order, ...] = ()
