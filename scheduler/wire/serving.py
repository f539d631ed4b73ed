"""Served models and capacity on the wire: what each has and wants, pools of them, and whether serving is covered."""

from datetime import datetime

from scheduler.wire.base import Resource, Why
from scheduler.wire.hosts import Proposal
from scheduler.wire.models import ModelCard, RolloutState


class ServedModel(Resource):
    """A served model and its headroom."""

    name: str
    owner: str
    community: bool
    served_elsewhere: bool = False
    """Whether others run its replicas: `ready` and `headroom_ratio` say nothing then, room for `wanted` is held."""
    ready: int
    starting: int
    wanted: int
    """Replicas for the highest load within the lead time."""
    peak_replicas: int
    """Replicas at the highest p99 in the next 48 h (or as far as the forecast reaches)."""
    peak_at: datetime | None
    min_replicas: int
    max_replicas: int
    rps_now: float
    rps_wanted: float
    """The planning quantile of the highest load within the lead time."""
    rps_per_replica: float
    headroom_ratio: float | None
    """Load that the ready replicas serve over the load now; None when there is neither."""
    lowest_ratio_48h: float | None
    lead_time_s: float
    warm_up_s: float
    """As declared."""
    warm_up_measured_s: float | None = None
    """By which it is planned, from its starts and the declared one; None before the first start that was seen."""
    starts_measured: int = 0
    """How many of the newest starts that rests on."""
    basis: str
    late_24h: int
    failed_24h: int
    requests_24h: int
    gpus_per_replica: float
    why: Why | None = None
    trouble: str = ""
    """What keeps it from being served as it should: replicas that do not get ready, a demand nobody can say."""
    warnings: tuple[str, ...] = ()
    """What the cluster says of it: pods that find no host, a quota that would stop its next rollout."""
    p99_held: float | None = None
    """The share of windows of six hours in four weeks in which the forecast's p99 held; None before the first."""
    forecast_record: str = ""
    """How the forecast did lately, in a sentence."""
    revision: int = 0
    """The one that serves; 0 for a model that belongs to the file, and for one of which none serves yet."""
    artifact: str = ""
    """Digest of the artifact that a job has published and its replicas are started with."""
    rollout: RolloutState | None = None
    """The last one begun, of a model that was deployed at run time."""
    removing: bool = False
    card: ModelCard = ModelCard()


class CapacityPoint(Resource):
    """One moment of the serving demand and capacity chart, in the unit that `Capacity.unit` says."""

    at: datetime
    actual: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    ready: float | None = None
    planned: float | None = None
    serving: float | None = None
    held: float | None = None
    """For peaks."""
    reserved: float | None = None
    """For jobs and models for whom it was freed."""
    training: float | None = None
    free: float | None = None
    drained: float | None = None


class PoolPeak(Resource):
    """What the models of a pool need at once within a window from now, in GPUs (in replicas without GPUs)."""

    window_s: float
    p50: float
    p99: float
    apart_p99: float
    """The sum of each model's own p99; what adding their peaks path by path saves is the difference."""


class Pool(Resource):
    """Models on one kind of device: room held for one of them serves any of them."""

    name: str
    models: tuple[str, ...]
    gpus_per_replica: float
    held_for_peak: float
    """GPUs held for the joint peak beyond what the models want now (replicas without GPUs, likewise below)."""
    held_apart: float
    """What would be held if each model's own quantile were added."""
    held_for_flash_crowd: float
    held_for_rollout: float
    peak_at: datetime | None
    peaks: tuple[PoolPeak, ...] = ()


class PoolList(Resource):
    """All pools that have a forecast."""

    pools: tuple[Pool, ...]


class StartableSize(Resource):
    """A size of job that could start, stopping nobody."""

    hosts: int
    gpus: int
    """On each of them."""
    at: datetime | None
    """From when on; None where nobody can say."""


class Capacity(Resource):
    """Whether serving is covered, until when, and what is being done about it."""

    verdict: str
    """One sentence: "Serving is covered for the next 48 h." or "Short …"."""
    detail: str
    """What is being done, for people; "" when nothing is."""
    notice: str
    """Drains, lost hosts, silent sources; "" when there are none."""
    covered: bool
    headroom_ratio: float | None
    headroom_model: str
    lowest_ratio: float | None
    lowest_at: datetime | None
    lowest_model: str
    horizon_s: float
    lead_time_s: float
    unit: str = "GPUs"
    """What `points` are in: GPUs, or "requests/s" for one model."""
    gpus: int
    gpus_serving: float
    gpus_training: float
    gpus_held: float
    """For peaks."""
    gpus_reserved: float = 0.0
    """For jobs and models for whom they were freed."""
    gpus_free: float
    gpus_drained: float
    gpus_occupied: float = 0.0
    """By strays and other work on the hosts."""
    gpus_lost: float = 0.0
    """Devices of lost hosts, as far as nobody is known to hold them."""
    serving_gpus_ready: float
    serving_gpus_p99_now: float
    waiting: int
    oldest_wait_s: float
    requests_24h: int
    late_24h: int
    failed_24h: int
    gpu_s_lost_24h: float
    gpu_s_trained_24h: float
    preemptions_24h: int
    points: tuple[CapacityPoint, ...] = ()
    preempted_at: tuple[datetime, ...] = ()
    pools: tuple[Pool, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    sizes: tuple[StartableSize, ...] = ()
    """The largest that could start now, and the next larger one; empty without GPUs."""
