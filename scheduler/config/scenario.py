"""The shape of a scenario file, in the words of `cluster.yaml` wherever they mean the same."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from scheduler.config.schema import (
    ONE_WORKER,
    Control,
    LocalHost,
    Model,
    PolicyNames,
    QueueSection,
    ReplayTraffic,
    Resources,
    Section,
    Workers,
    Written,
    queue_from_name,
)
from scheduler.config.units import DurationSeconds


class ScenarioHost(LocalHost):
    """Hosts of one kind; names count on from the number at the end of `name`."""

    count: Annotated[int, Field(ge=1)] = 1
    """How many there are."""


class Training(Section):
    """What all jobs of one origin have in common."""

    priority: str = "normal"
    """Name of the priority class."""
    queue: str = "default"
    """For fair share and limits."""
    owner: str = ""
    """Who submits them."""
    preemptible: bool = True
    """Whether they may be stopped for others."""
    checkpoint_interval: DurationSeconds | None = 600.0
    """Null for jobs that never save."""
    grace: DurationSeconds = 30.0
    """Time they are given to save when they are stopped."""
    start_up: DurationSeconds = 60.0
    """Time an attempt needs before it makes progress."""
    save: DurationSeconds = 10.0
    """Time a job needs to save when it is told to stop; saved in vain when it is longer than the grace period."""
    failing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of jobs that break at a random point of their work."""
    says_runtime: bool = False
    """Whether owners declare a longest runtime (twice the real one), which lets others be fitted around it."""
    runtime_error: Annotated[float, Field(ge=0, le=5)] | None = None
    """Owners declare the real one x e^(this x |z|), z normal: half of it an owner's habit, half by chance; never too
    short, as a job is stopped at what was declared."""


class JobStream(Training):
    """Jobs that come at random (a Poisson process), all alike but for their durations."""

    name: str
    """Jobs are called by it and a number; it also decides the stream's chance."""
    per_day: Annotated[float, Field(gt=0)]
    """Mean number of jobs that arrive."""
    workers: Workers = ONE_WORKER
    """Workers of each job, which start together or not at all; a range for jobs that shrink and grow."""
    max_per_host: Annotated[int, Field(ge=0)] = 0
    """Most workers of a job on one host; 0 for no limit."""
    prefer_same: str = ""
    """As in job.yaml."""
    require_same: str = ""
    """As in job.yaml."""
    resources: Resources = Resources()
    """Of each worker."""
    duration: DurationSeconds
    """Mean time of work, undisturbed; of jobs with a range of workers at the most of them."""
    durations: Literal["fixed", "exponential", "lognormal"] = "lognormal"
    """How durations spread around the mean."""
    sigma: Annotated[float, Field(gt=0)] = 1.0
    """Spread of the logarithm, for lognormal durations."""


class JobTrace(Training, Written):
    """Recorded jobs: a table with times, durations and devices, or Standard Workload Format (docs/files.md)."""

    file: Path
    """Relative to the scenario file."""
    timestamp: str = ""
    """Column of the times of submission; empty for timestamp, submit_time or creation_time, whichever there is."""
    duration: str = ""
    """Column of the durations; empty for duration or run_time, or the end of a job less its beginning."""
    gpus: str = ""
    """Column of the devices of a job; empty for num_gpus, num_gpu or gpu_num (times gpu_milli), or plan_gpu."""
    user: str = ""
    """Column of the owners; empty for user, user_id, username, owner or uid, if it is there; none for no column."""
    queue_column: str = ""
    """Column of the queues; empty for queue, cluster, vc or partition, if there and `queue` is not said; or none."""
    requested_time: str = ""
    """Column of the longest time that was asked for; empty for requested_time, time_limit or walltime; or none."""
    duration_unit: Literal["", "s", "ms", "us", "ns", "min", "h"] = ""
    """Of durations that are numbers; empty for the one in the column's name, or the likeliest, which is told."""
    gpu_unit: Literal["", "gpu", "percent", "milli"] = ""
    """Of numbers of devices: whole ones (with shares below 1), hundredths or thousandths of one."""
    units_per_gpu: Annotated[float, Field(gt=0)] = 1.0
    """So many of what is counted (processors, nodes) are one GPU; what is left over takes a whole one."""
    max_duration: Annotated[DurationSeconds, Field(gt=0)] | None = None
    """Longer jobs are cut to it, counted and told."""
    first: str = ""
    """RFC 3339 time of the trace that plays at the scenario's start; empty for its first row."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of its jobs that is taken, by chance."""
    max_gpus: Annotated[int, Field(ge=1)] = 8
    """Jobs with more devices are left out."""
    gpus_per_worker: Annotated[int, Field(ge=1)] = 8
    """Most devices of one worker; larger jobs become gangs."""
    skip_bad_rows: bool = False
    """Leave out rows with a cell that cannot be read, or more or fewer than the header has, counted and named."""
    per_gpu: Resources = Resources(cpus=4, memory=16384)
    """CPUs and memory for each device; its own `gpus` are not looked at."""


class Jobs(Section):
    """Training that is submitted while the scenario runs."""

    streams: tuple[JobStream, ...] = ()
    """Jobs at random."""
    traces: tuple[JobTrace, ...] = ()
    """Jobs as recorded."""


class ScenarioTraffic(ReplayTraffic):
    """Recorded traffic as in cluster.yaml, and when it plays."""

    shift: DurationSeconds = 0.0
    """It plays so much later than it was recorded."""


class Noise(Section):
    """How traffic differs from the means that were recorded, while the scenario plays; drawn by seed and source."""

    poisson: bool = True
    """The loop sees requests that were counted, a minute at a time, as a metrics server shows them; else their rate."""
    spread: Annotated[float, Field(ge=0, le=3)] = 0.0
    """Over-dispersion: the load is about that share of the recorded one above or below it (gamma)."""
    lasts: Annotated[DurationSeconds, Field(ge=1)] = 60.0
    """For so long the load stays above or below."""
    shown: Annotated[DurationSeconds, Field(ge=60)] | None = None
    """The loop sees bins of this length where longer ones were recorded, if it divides them. Those of before the
    beginning are drawn: straight lines with as much noise."""


class Outage(Section):
    """A host that is lost and comes back."""

    host: str
    """Its name."""
    after: DurationSeconds
    """From the scenario's start."""
    lasts: DurationSeconds
    """Until it returns, empty."""


class Spike(Section):
    """A time in which more comes than was recorded; no forecast knows of it."""

    traffic: str
    """Which one, by its name."""
    after: DurationSeconds
    """From the scenario's start."""
    lasts: DurationSeconds
    """Until all is as recorded again."""
    times: Annotated[float, Field(gt=0)]
    """So many times the recorded load; below 1 for a time with less."""


class Failover(Section):
    """Another site's requests, which come here for a time in addition."""

    source: str
    """The traffic that comes, by its name."""
    to: str
    """The traffic that it comes on top of."""
    after: DurationSeconds
    """From the scenario's start."""
    lasts: DurationSeconds
    """Until it is over."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """Of that traffic's requests."""


class Window(Section):
    """A stretch of time."""

    after: DurationSeconds
    """From the scenario's start."""
    lasts: DurationSeconds
    """Until it is over."""


class Silence(Window):
    """A time in which a traffic source does not answer."""

    traffic: str
    """Which one, by its name."""


class Starts(Section):
    """What goes wrong when something starts, drawn by seed for each start."""

    slow: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the replicas that take longer to get ready."""
    slow_by: Annotated[float, Field(ge=1)] = 3.0
    """So many times as long."""
    failing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the replicas that never get ready, and say so after their warm-up."""
    jobs_failing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the attempts of jobs that do not come up."""


class ForecastFaults(Section):
    """A forecast that is not there, or is wrong."""

    silent: tuple[Window, ...] = ()
    """Times in which none is made: planned by the last one, or by the load now."""
    bias: Annotated[float, Field(gt=-1, le=10)] = 0.0
    """Each forecast is too high by this share, below 0 too low."""
    error: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Each forecast is besides wrong by a factor e^(this x z), z normal, drawn for each hour of each source."""


class Restart(Section):
    """A control plane that ends, and is started again with what its store has."""

    after: DurationSeconds
    """From the scenario's start."""
    down: DurationSeconds = 60.0
    """Until it is there again."""


class Faults(Section):
    """What breaks."""

    outages: tuple[Outage, ...] = ()
    """Listed ones."""
    starts: Starts = Starts()
    """Of replicas and jobs."""
    telemetry: tuple[Silence, ...] = ()
    """Traffic sources that do not answer."""
    forecasts: ForecastFaults = ForecastFaults()
    """Forecasts that are missing or wrong."""
    restarts: tuple[Restart, ...] = ()
    """Of the control plane."""
    restart_every: Annotated[DurationSeconds, Field(gt=0)] | None = None
    """Mean time between restarts at random; null for none."""
    mean_time_between: Annotated[DurationSeconds, Field(gt=0)] | None = None
    """Of one host, for outages at random; null for none."""
    mean_repair: Annotated[DurationSeconds, Field(gt=0)] = 4 * 3600.0
    """Of outages at random."""


class Scenario(Section):
    """A whole scenario file."""

    scenario: Annotated[str, Field(min_length=1)]
    """Its name."""
    about: str = ""
    """One sentence for readers."""
    extends: str = ""
    """Another scenario file of the same directory, which holds for all that this one does not say."""
    start: str
    """RFC 3339; the traffic plays at its own dates."""
    days: Annotated[float, Field(gt=0)]
    """How long jobs arrive, and requests and devices are counted."""
    drain: DurationSeconds = 7 * 86400.0
    """The run goes on for at most so long after that, until no job is open; those still open then are counted."""
    seed: int = 1
    """Of all that is left to chance; further seeds count on from it."""
    lead_in: DurationSeconds = 7200.0
    """The world begins this much earlier, so that replicas are up when the counting starts."""
    idle_period: DurationSeconds = 300.0
    """Longest time between two turns while no model is served and no job waits; else the loop turns each period."""
    hosts: tuple[ScenarioHost, ...] = Field(min_length=1)
    """The cluster."""
    traffic: dict[str, ScenarioTraffic] = Field(default_factory=dict)
    """Recorded traffic by name."""
    spikes: tuple[Spike, ...] = ()
    """More load than was recorded, for a time."""
    failovers: tuple[Failover, ...] = ()
    """Another site's load on top, for a time."""
    noise: Noise = Noise()
    """By how much the traffic that is played differs from the recorded means."""
    models: tuple[Model, ...] = ()
    """Served models, most important first."""
    jobs: Jobs = Jobs()
    """Training."""
    faults: Faults = Faults()
    """What breaks."""
    control: Control = Control()
    """As in cluster.yaml."""
    policy: PolicyNames = PolicyNames()
    """As in cluster.yaml."""
    queues: tuple[Annotated[QueueSection, BeforeValidator(queue_from_name)], ...] = ()
    """As in cluster.yaml; those that jobs name are there without being declared."""
    priorities: dict[str, int] = Field(default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25})
    """Integer of each priority class; higher goes first."""
    vary: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Values to try of some keys, every combination a scenario of its own: hosts.gpu.count: [8, 10, 12]."""
