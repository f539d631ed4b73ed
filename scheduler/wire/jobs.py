"""Training jobs on the wire."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Final

from pydantic import Field

from scheduler.wire.base import Resource, Why

MOST_STEPS: Final = 10**15


class Attempt(Resource):
    """One try at running a job."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    """"" while it lasts, then Succeeded, Failed, Preempted, Stopped, TimedOut, Lost or NeverStarted."""
    workers: int = 0
    """With how many it runs or ran."""
    where: tuple[str, ...] = ()
    """"host:device,device" per worker."""
    cause: str = ""
    """Why it ended, for people."""
    resumed_from_step: int = 0
    checkpoint_step: int | None = None
    lost_gpu_s: float = 0.0
    """GPU-seconds of work done after the last checkpoint."""


class Condition(Resource):
    """A milestone in a job's life: Accepted, Admitted, Running, Checkpointed, Preempted, Finished."""

    type: str
    at: datetime
    message: str = ""


class ExpectedStart(Resource):
    """When a job may be expected to start, or to end, as the queue is now: run times are learned as distributions."""

    p50: datetime
    """As likely before as after."""
    p90: datetime | None = None
    """Nine times out of ten before; None where the room may not come from training that ends."""


class PreemptionRisk(Resource):
    """The chance that a job that runs is stopped for others."""

    share: float
    within_s: float
    lost_gpu_s: float
    """Work that would be lost then, on average."""


class JobBooking(Resource):
    """The start that the last plan has planned for a job that waits; the next plan may make it earlier or later."""

    at: datetime
    where: tuple[str, ...]
    """As `Job.where`."""
    counts_on: tuple[str, ...] = ()
    """Models that are expected to need fewer replicas by then."""


class Published(Resource):
    """What a job publishes when it succeeds, and what became of that."""

    model: str
    """Which model the artifact is for."""
    path: str
    """Folder of the artifact, below the job's checkpoints."""
    deploys: bool = False
    """Whether it becomes the model's next revision by itself, or is proposed as that."""
    data_version: str = ""
    at: datetime | None = None
    """When it was taken in; None before."""
    attempt: int = 0
    digest: str = ""
    """"sha256:…" of the artifact."""
    size_bytes: int = 0
    files: int = 0
    fault: str = ""
    """Why there is no artifact."""
    followed: str = ""
    """What became of it by itself."""


class Job(Resource):
    """A training job."""

    id: str
    name: str
    owner: str
    queue: str
    priority_class: str
    priority: int
    preemptible: bool
    state: str
    """Pending, Held, Admitted, Running, Preempting, Preempted, Succeeded, Failed or Stopped."""
    workers: int
    """With how many it runs; while it does not, the fewest that it starts with."""
    max_workers: int = 0
    """The most it runs with; 0 when it runs at one size only."""
    min_workers: int = 0
    """The fewest it runs with; 0 when it runs at one size only."""
    gpus_per_worker: float
    gpus: float
    """Devices over all workers, as they are or would be."""
    cpus_per_worker: float
    memory_bytes_per_worker: int
    gpu_models: tuple[str, ...] = ()
    entrypoint: str = ""
    origin: str = ""
    """What the cluster calls it where it was given to the cluster itself: it is edited and deleted there."""
    publishes: Published | None = None
    """What became of it is set for one job that is asked for."""
    submitted_at: datetime
    finished_at: datetime | None = None
    age_s: float
    wait_s: float
    """Seconds not running since it was submitted, so far or in all."""
    run_s: float
    """Seconds of all attempts together."""
    grace_period_s: float = 0.0
    checkpoint_interval_s: float | None = None
    max_runtime_s: float | None = None
    step: int | None = None
    total_steps: int | None = None
    checkpointed_at: datetime | None = None
    lost_gpu_s: float = 0.0
    where: tuple[str, ...] = ()
    why: Why | None = None
    """Set while it waits."""
    expected_start: ExpectedStart | None = None
    """Set while it waits, where something can be said."""
    expected_end: ExpectedStart | None = None
    """Set while it waits or runs, where something can be said."""
    preemption_risk: PreemptionRisk | None = None
    """Set while it runs and may be stopped for others, where something can be said."""
    booking: JobBooking | None = None
    """Set for one job that is asked for while it waits, where room is booked for it."""
    order: int | None = None
    """Place in the order of trying, from 1; None when it does not wait."""
    attempts: tuple[Attempt, ...] = ()
    conditions: tuple[Condition, ...] = ()
    events: tuple["Event", ...] = ()


class Event(Resource):
    """Something that happened, cause and effect in one entry."""

    id: int
    at: datetime
    cycle: int
    kind: str
    """serving, training, preemption, host, forecast, control or failure: also the colour of its edge."""
    subject: str
    """Job id, model name or host name."""
    title: str
    detail: str = ""
    actor: str = ""
    """Who did it, by the name of their token; "" where no person did."""


class JobOutlook(Resource):
    """What would become of a job if it were submitted now."""

    name: str
    owner: str
    queue: str
    priority_class: str
    workers: int
    gpus: float
    where: tuple[str, ...] = ()
    """"host:device,device" per worker where it would start in the next plan; empty when it would wait."""
    why: Why | None = None
    """Why it would wait."""
    order: int | None = None
    """Its place in the order of trying, from 1; None when it would start."""
    preempts: tuple[str, ...] = ()
    """A sentence for each job that would be stopped for it."""
    delays: tuple[str, ...] = ()
    """Jobs that would start in the next plan, were it not for this one."""


class JobOrder(Resource):
    """What is submitted: the content of job.yaml, as it stands there."""

    job: dict[str, object]
    working_dir: str = ""
    """Digest of a package uploaded before, "" for none."""


class ProgressOrder(Resource):
    """How far an attempt has saved its work, as it says itself."""

    step: int = Field(ge=0, le=MOST_STEPS)
    """From which a new attempt would go on."""
    total_steps: int | None = Field(default=None, ge=0, le=MOST_STEPS)
    """None when unknown."""


class HoldOrder(Resource):
    """Why a job is put on hold."""

    reason: str = ""


class PriorityOrder(Resource):
    """A new priority class."""

    priority: str


_ENDED: Final = {
    "": "runs",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Preempted": "preempted",
    "Stopped": "stopped",
    "TimedOut": "stopped",
    "Lost": "lost",
    "NeverStarted": "could not start",
}


def ended(outcome: str) -> str:
    """Return how an attempt ended, in words; its cause says more where there is one."""
    return _ENDED.get(outcome, outcome)


def devices_by_host(where: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the devices of all workers by host, from `where`; workers on one host are taken together."""
    pairs = sorted((host, devices) for host, _, devices in (place.partition(":") for place in where))
    return {
        host: tuple(sorted({int(device) for _, devices in group if devices for device in devices.split(",")}))
        for host, group in groupby(pairs, key=lambda pair: pair[0])
    }
