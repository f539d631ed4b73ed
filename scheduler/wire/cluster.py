"""Hosts, served models, capacity and forecasts on the wire."""

from datetime import datetime

from pydantic import ConfigDict, Field

from scheduler.wire.base import Resource, Why
from scheduler.wire.models import ModelCard, RolloutState


class DeviceUse(Resource):
    """Who holds (a share of) a device."""

    holder: str
    """Model name or job id."""
    name: str
    """For people: model name, or the job's name."""
    kind: str
    """serving, community, starting, stopping, training, preempting, stray, occupied (by other work on the host), held
    (for a peak) or reserved (for them)."""
    gpu_milli: int
    """Thousandths of the device."""

    @property
    def is_kept(self) -> bool:
        """Whether nobody has it yet: it is kept empty."""
        return self.kind in {"held", "reserved"}


class Device(Resource):
    """One device and its holders; what is left is free, drained or lost by the host's state."""

    index: int
    memory_bytes: int = 0
    partitions: int = 1
    """Into how many equal parts the accelerator is cut that this is one of; 1 when it is whole."""
    uses: tuple[DeviceUse, ...] = ()


class HostBooking(Resource):
    """Room that a waiting job is planned to have later; until then others may use it."""

    job: str
    name: str
    at: datetime
    """From when on."""
    devices: tuple[int, ...] = ()


class Host(Resource):
    """A host with what runs on it."""

    name: str
    state: str
    """ready, cordoned, draining or lost."""
    reason: str = ""
    since: datetime | None = None
    gpu_model: str = ""
    devices: tuple[Device, ...] = ()
    cpus: float
    cpus_used: float
    memory_bytes: int
    memory_bytes_used: int
    labels: dict[str, str] = Field(default_factory=dict)
    bookings: tuple[HostBooking, ...] = ()
    """The earliest first."""

    @property
    def rest(self) -> str:
        """What its devices are that nobody has: free, drained (cordoned, too) or lost."""
        return {"ready": "free", "lost": "lost"}.get(self.state, "drained")

    @property
    def gpu_kind(self) -> str:
        """Model of its devices, and which part of one each is when they are partitioned: "MI300X/8" is an eighth."""
        parts = self.devices[0].partitions if self.devices else 1
        return self.gpu_model if parts == 1 else f"{self.gpu_model}/{parts}"


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


class ProposedMove(Resource):
    """A running job that could go on elsewhere."""

    job_id: str
    hosts: tuple[str, ...]
    """Where there is room for it now."""


class Proposal(Resource):
    """Moves that would make room for a waiting job; nothing is moved unless the site's policy says so."""

    job_id: str
    """The job that would fit."""
    moves: tuple[ProposedMove, ...]
    lost_gpu_s: float
    """Work that the moves lose, restarts included."""
    waits_s: float
    """How long the job is expected to wait otherwise."""


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


class ForecastPoint(Resource):
    """Requests per second at one step; quantiles that were asked for come beside these, as p95 or p99.9."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: datetime
    p10: float
    p50: float
    p90: float
    p99: float


class Peak(Resource):
    """The highest load of a window; quantiles that were asked for come beside these, as p95 or p99.9."""

    model_config = ConfigDict(frozen=True, extra="allow")

    window_s: float
    at: datetime
    """When it is most likely."""
    at_p10: datetime | None = None
    at_p90: datetime | None = None
    p50: float
    p90: float
    p99: float


class TrackRecord(Resource):
    """How the forecasts of a model's traffic did lately, in windows of six hours."""

    windows: int
    p99_held: float
    """The share of windows whose peak the p99 was not below."""
    bias: float | None
    """By which part the p50 of the peak was usually above the peak that came; below 0: under it."""
    skill: float | None
    """By which part its error was below that of the same hours a week before."""
    skill_over_reactive: float | None
    """By which part its error was below that of the load just before the window."""
    widened: float
    """What the forecast's errors are multiplied by until the p99 holds again; 1 for nothing."""
    gives_way: bool
    """Whether no less is planned for than the load now with the margin."""
    says: str
    """All of it in a sentence."""


class Forecast(Resource):
    """The forecast of one model's traffic."""

    model: str
    source: str
    basis: str
    history_s: float
    source_age_s: float | None
    """Of the last value; None: nothing was heard of it yet."""
    points: tuple[ForecastPoint, ...]
    peaks: tuple[Peak, ...]
    rests_on: str = ""
    """What the forecast rests on, in a sentence."""
    share: float = 1.0
    """Requests to the model per request of the source."""
    share_spread: float = 0.0
    """Standard deviation of the share's logarithm; 0 for one that is declared, not learned."""
    record: TrackRecord | None = None
    """None before the first window is over."""


class Status(Resource):
    """The control plane itself."""

    version: str
    cluster: str
    backend: str
    state: str
    """starting, live, degraded (with `message`), or standby: it waits for another one to end (see `leader`)."""
    message: str = ""
    waiting: str = ""
    """What plans are made without until it is heard, for instance "waits for traffic of 130 of 137 sources"."""
    period_s: float
    speed: float
    """World seconds per wall second; 1 but on a replay."""
    last_plan_at: datetime | None
    last_plan_age_s: float | None = None
    """Wall seconds since the last plan; None before the first."""
    plan_duration_s: float
    role: str = ""
    """The caller's role."""
    caller: str = ""
    """The caller's name, owner of the jobs it submits."""
    strays: int = 0
    """What others run on the cluster, see /api/v1/strays."""
    leader: str = ""
    """Address of the one that leads, when this one does not."""


class Stray(Resource):
    """Something on the cluster that this control plane's store did not start; left alone until somebody decides."""

    name: str
    kind: str
    """run, group (room that is held) or application."""
    owner: str = ""
    """Identity of the store that started it, or its beginning; empty when it carries no mark."""
    hosts: tuple[str, ...] = ()
    gpus: float = 0.0
    cpus: float = 0.0
    memory_bytes: int = 0
    job: str = ""
    """Whose attempt it says it is."""
    attempt: int = 0
    adoptable: bool
    why: str = ""
    """Why it cannot be adopted."""
    ordered: str = ""
    """adopt or evict, when that was asked for and is not done yet."""


class StraysOrder(Resource):
    """Adopt or evict strays."""

    names: tuple[str, ...] = ()
    """Which; none for all of them (to adopt: all that can be)."""


class DrainOrder(Resource):
    """Empty a host."""

    reason: str = ""
    deadline_s: float | None = None
    """Jobs that end by themselves before it are not preempted."""
    force: bool = False
    """Even when serving falls short."""
    dry_run: bool = False


class DrainAnswer(Resource):
    """What a drain will do (or, with `dry_run`, would do)."""

    host: str
    steps: tuple[str, ...]
    """One sentence per replica or job that moves."""
    covered: bool
    short: tuple[str, ...] = ()
    """Models that would lack replicas; empty when covered."""
    empty_at: datetime | None
    applied: bool


class CordonOrder(Resource):
    """Take no new work on a host."""

    reason: str = ""
