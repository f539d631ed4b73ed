"""The shape of `cluster.yaml`, validated by pydantic; every field says what it means and in what unit.

Durations ("30s", "10m", "6h", "1d12h") and sizes ("8Gi", "16G") are read into numbers by the annotated types of
`scheduler.config.units`. `headroom explain` prints the texts under the fields.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

from policies.choices import DEFAULTS as CHOSEN
from records.form import Form, check_separators, check_time_format
from scheduler.config.units import Cores, Devices, DurationSeconds, Names, SizeMib, workers
from scheduler.control.settings import Settings

LOOP: Final = Settings()
"""The loop where a site chooses nothing."""

JOB_NAME: Final = r"^[0-9]*[A-Za-z][A-Za-z0-9._-]*$"
"""Names of jobs have a letter, so that none looks like a job's number."""


def _time_format(text: str) -> str:
    check_time_format(text)
    return text


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Resources(Section):
    """What one worker or replica needs on a single host."""

    cpus: Cores = 1.0
    """Cores."""
    memory: SizeMib = 1024
    """Memory of the host."""
    gpus: Devices = 0.0
    """Whole devices, or a share of one below 1."""
    gpu_model: Names = ()
    """GPU models that will do; one name or a list; empty for any."""
    gpu_memory: SizeMib = 0
    """Least memory of a device. Only who says it is given a partition of a device."""
    host_labels: dict[str, str] = Field(default_factory=dict)
    """Labels the host must carry."""


class WorkerRange(Section):
    """The fewest and the most workers of a gang; equal for one that runs at a single size."""

    min: Annotated[int, Field(ge=1, examples=[2])]
    """The fewest workers it runs with."""
    max: Annotated[int, Field(ge=1, examples=[8])]
    """The most workers it runs with."""


Workers = Annotated[WorkerRange, BeforeValidator(workers, json_schema_input_type=int | str | dict[str, int])]
"""Written 4, "2-8" or {min: 2, max: 8}."""
ONE_WORKER: Final = WorkerRange(min=1, max=1)


class LocalHost(Section):
    """One host of the embedded local Ray cluster; its GPUs are bookkeeping, not hardware."""

    name: Annotated[str, Field(min_length=1, examples=["gpu-1"])]
    """Unique name."""
    cpus: Annotated[int, Field(ge=1)] = 4
    """Cores that work may use."""
    memory: SizeMib = 8192
    """Memory that work may use."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """Devices."""
    gpu_model: str = ""
    """Model of its devices, for instance MI300X."""
    gpu_memory: SizeMib = 0
    """Memory of each device."""
    gpu_partitions: Annotated[int, Field(ge=1, examples=[8])] = 1
    """Into how many equal parts each device is cut; 1 leaves them whole. An MI300X has modes with 1, 2, 4 and 8."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that jobs and models may ask for."""


class LocalRay(Section):
    """Start a Ray cluster of fake hosts on this machine."""

    kind: Literal["local"]
    """Starts a Ray cluster of several hosts on this machine."""
    hosts: Annotated[tuple[LocalHost, ...], Field(min_length=1)]
    """The hosts to start."""


class RemoteRay(Section):
    """Use a Ray cluster that runs already."""

    kind: Literal["ray"]
    """Uses a Ray cluster that runs already."""
    address: Annotated[str, Field(examples=["10.0.0.5:6379"])]
    """Host and port of the head's GCS, for instance 10.0.0.5:6379."""
    dashboard: Annotated[str, Field(examples=["http://10.0.0.5:8265"])]
    """URL of the head's dashboard, for instance http://10.0.0.5:8265."""


class Written(Section):
    """How a recorded file writes times and numbers: what is left out is found out, or refused where it is ambiguous."""

    time_format: Annotated[str, AfterValidator(_time_format), Field(examples=["day-first"])] = ""
    """day-first, month-first, unix, unix-ms, unix-us, unix-ns, or a pattern such as "%d/%m/%Y %H:%M"."""
    local_times: bool | None = None
    """Whether times without an offset are local ones of `zone`; unsaid or false for UTC."""
    zone: str = "UTC"
    """Time zone of local times."""
    decimal: Literal["", ".", ","] = ""
    """What stands before decimals: "." or ","."""
    thousands: Literal["", "none", ".", ",", "'", "space"] = ""
    """What stands between thousands."""

    @model_validator(mode="after")
    def _separators_differ(self) -> Self:
        check_separators(self.decimal, self.thousands)
        return self

    @property
    def form(self) -> Form:
        """The same for those who read the file."""
        return Form(self.time_format, self.local_times, self.zone, self.decimal, self.thousands)


class ReplayTraffic(Written):
    """Traffic from a CSV or Parquet file, moved so that it plays on the control plane's clock."""

    kind: Literal["replay"]
    """Plays a recorded file."""
    file: Annotated[Path, Field(examples=["traffic.csv"])]
    """CSV, Parquet or JSON file, also packed (.gz); relative to this file's directory."""
    timestamp: str = "timestamp"
    """Column of the times."""
    value: str = "requests"
    """Column of the requests per bin."""
    zone: str = "UTC"
    """Time zone of the users, whose day and week the traffic follows."""
    holidays: Path | None = None
    """Days that go towards Sundays: iCalendar (.ics), or a date a line; relative to this file's directory."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """The file's values are requests per bin; they are divided by the bin's seconds and multiplied by this."""


class PrometheusTraffic(Section):
    """Traffic from a Prometheus server."""

    kind: Literal["prometheus"]
    """Asks a Prometheus server."""
    url: Annotated[str, Field(examples=["http://prometheus:9090"])]
    """Its address."""
    query: Annotated[str, Field(min_length=1, examples=["sum(rate(http_requests_total[5m]))"])]
    """PromQL that yields one series in requests per second."""
    step: DurationSeconds = 3600.0
    """Width of a bin."""
    history: DurationSeconds = 42 * 86400.0
    """How far back to read."""
    zone: str = "UTC"
    """Time zone of the users, whose day and week the traffic follows."""
    holidays: Path | None = None
    """Days that go towards Sundays: iCalendar (.ics), or a date a line; relative to this file's directory."""


class Application(Section):
    """The Ray Serve application of one replica."""

    import_path: Annotated[str, Field(examples=["my_service.app:build"])]
    """Module and builder of the application, as `serve run` takes it."""
    args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Arguments of the builder."""
    runtime_env: dict[str, object] = Field(default_factory=dict)
    """Ray's runtime environment of the replica."""


class TargetRate(Section):
    """Replicas by a target rate."""

    kind: Literal["rate"]
    """Replicas by a rate that each of them serves."""
    rps_per_replica: Annotated[float, Field(gt=0, examples=[15])]
    """Requests per second that one replica serves at the latency objective."""


class ErlangC(Section):
    """Replicas by the probability of waiting in an M/M/c queue."""

    kind: Literal["erlang-c"]
    """Replicas by the probability of waiting (Erlang C)."""
    service_time: Annotated[DurationSeconds, Field(gt=0, examples=["80ms"])]
    """Mean time one request takes."""
    concurrency: Annotated[int, Field(ge=1)] = 1
    """Requests a replica works on at once."""
    latency_objective: Annotated[DurationSeconds, Field(gt=0, examples=["500ms"])]
    """Time within which a request must be answered."""
    within: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of requests that must meet the objective."""


class ErlangA(Section):
    """Replicas by the probability of being taken up in time in an M/M/c+M queue: who waits too long gives up."""

    kind: Literal["erlang-a"]
    """Replicas by the probability of being taken up in time, when requests give up (Erlang A)."""
    service_time: Annotated[DurationSeconds, Field(gt=0, examples=["80ms"])]
    """Mean time one request takes."""
    concurrency: Annotated[int, Field(ge=1)] = 1
    """Requests a replica works on at once."""
    latency_objective: Annotated[DurationSeconds, Field(gt=0, examples=["500ms"])]
    """Time within which a request must be answered."""
    patience: Annotated[DurationSeconds, Field(gt=0, examples=["5s"])]
    """Mean time a request waits before its sender gives up."""
    within: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of all requests that must meet the objective; those that gave up do not."""


class Model(Section):
    """A served model."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["edit-check"])]
    """Unique name: lower-case letters, digits and hyphens."""
    owner: str = ""
    """Team that answers for it."""
    community: bool = False
    """Whether the community trained it; shown apart, planned alike."""
    resources: Resources = Resources()
    """What one replica needs."""
    capacity: Annotated[TargetRate | ErlangC | ErlangA, Field(discriminator="kind")]
    """How load becomes replicas."""
    min_replicas: Annotated[int, Field(ge=0)] = 1
    """Never fewer."""
    max_replicas: Annotated[int, Field(ge=1)] = 1
    """Never more."""
    warm_up: DurationSeconds = 60.0
    """From the decision to start a replica until it answers; part of the lead time."""
    max_per_host: Annotated[int, Field(ge=0)] = 0
    """Most replicas on one host; 0 for no limit."""
    survive_host_losses: Annotated[int, Field(ge=0)] = 0
    """The demand must still be met when any so many hosts are lost."""
    rollout_surge: Annotated[int, Field(ge=0)] = 0
    """Replicas that a rolling update starts beside the old ones; room for one update at a time is held."""
    traffic: Annotated[str, Field(examples=["enwiki"])]
    """Name of the traffic source."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """Requests to this model per request of the source."""
    requests: Annotated[str, Field(examples=["edit-check"])] = ""
    """Name of a traffic source that measures the model's own requests; its share is then learned, and may change."""
    application: Application | None = None
    """What a replica runs; every model has one, or says `served_elsewhere`."""
    served_elsewhere: bool = False
    """Whether others run its replicas: its peak is forecast and room for it is held, but nothing is started."""
    latency_objective: DurationSeconds = 1.0
    """A request that takes longer counts as late."""


class Reserve(Section):
    """Room held beyond the forecast's peak, for what no forecast knows of."""

    flash_crowd: Annotated[float, Field(ge=0, le=1, examples=[0.9])] = 0.0
    """Share of the flash crowds in a source's history that room is held for; 0 for no reserve."""


class Control(Section):
    """The control loop."""

    period: Annotated[DurationSeconds, Field(gt=0)] = LOOP.period_s
    """Time between two plans."""
    quantile: Annotated[float, Field(gt=0.5, lt=1)] = LOOP.quantile
    """Quantile of the highest load within the lead time that replicas must cover."""
    reactive: bool = LOOP.reactive
    """Plan by the load of the moment with the margin, not by the forecast."""
    margin: Annotated[float, Field(ge=0)] = LOOP.margin
    """Added to the load when there is no forecast."""
    scale_down_after: DurationSeconds = LOOP.scale_down_after_s
    """A replica goes only after it was not needed for this long."""
    preemption_grace: DurationSeconds = LOOP.preemption_grace_s
    """Longest grace period a job may ask for; part of the lead time."""
    lost_after: Annotated[DurationSeconds, Field(gt=0)] = LOOP.patience.lost_s
    """A job is started elsewhere when a host of it has been silent for this long; at once where the cluster knows that
    the host is dead. Until then it may still be running there."""
    joint_peak: bool = LOOP.joint_peak
    """Hold room for the joint peak of models on one kind of device; else for each model's own peak."""
    reserve: Reserve = Reserve()
    """Room held beyond the peak."""


class PolicyNames(Section):
    """Policies by their name in `policies.registry`, and their numbers."""

    queue_order: str = "auto"
    """Which waiting job is tried first; auto is fair-share where queues have terms, else priority."""
    placement_score: str = CHOSEN.placement_score
    """Which host is best. headroom and fgd follow the jobs and models that the site was seen to run."""
    victim_cost: str = CHOSEN.victim_cost
    """Which running job is cheapest to stop."""
    may_preempt: str = CHOSEN.may_preempt
    """Who may have whom stopped."""
    may_displace: str = CHOSEN.may_displace
    """Who may have jobs of its own priority and queue stopped: never, or shorter-first for much shorter jobs."""
    min_runtime: DurationSeconds = CHOSEN.min_runtime_s
    """A younger attempt is not preempted for another job (for serving it is)."""
    reservation: DurationSeconds = CHOSEN.reservation_s
    """How long freed room is kept for whom it was freed, from when all of it is free."""
    bookings: Annotated[int, Field(ge=0)] = CHOSEN.bookings
    """For how many of the first blocked jobs room is booked ahead: jobs behind them go first only where that delays
    none. 0 for none: whatever fits goes first."""
    ageing_per_hour: Annotated[float, Field(ge=0)] = CHOSEN.ageing_per_hour
    """Points of priority that each hour of waiting adds, with queue_order priority or, among the jobs of one owner,
    fair-share; 0 for none."""
    ageing_most: Annotated[float, Field(ge=0)] = CHOSEN.ageing_most
    """Points that a job gains by waiting at most: it never overtakes one whose priority is higher by more."""
    consolidation: Literal["off", "propose", "do"] = CHOSEN.consolidation.value
    """When a waiting gang would fit if a few running jobs went on elsewhere: off, propose (say it) or do."""
    moves_per_hour: Annotated[int, Field(ge=0)] = CHOSEN.moves_per_hour
    """Most jobs that consolidation moves in any hour."""
    usage_half_life: DurationSeconds = 7 * 86_400.0
    """Under fair share, what was used so long ago counts half; 0 to go by what is held now only."""
    move_again_after: Annotated[DurationSeconds, Field(le=7 * 86_400)] = CHOSEN.move_again_after_s
    """A job that consolidation moved stays for so long, at most 7d."""
    grow_after: Annotated[DurationSeconds, Field(gt=0)] = CHOSEN.grow_after_s
    """An attempt as old as this may be stopped to go on with more workers, if that pays for itself in as long again."""


class Quota(Section):
    """Amounts of resources; what is left out is not counted."""

    cpus: Cores | None = None
    """Cores."""
    memory: SizeMib | None = None
    """Memory of hosts."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """Devices of any model."""
    gpu_models: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Devices of single models."""


def queue_from_name(value: object) -> object:
    """Read a queue of which nothing but the name is said."""
    return {"name": value} if isinstance(value, str) else value


class QueueSection(Section):
    """A queue; its name alone stands for one without terms."""

    name: Annotated[str, Field(min_length=1, examples=["research"])]
    """Unique name."""
    guarantee: Quota = Quota()
    """What it can always have back from other queues; nothing when left out."""
    borrow_limit: Quota = Quota()
    """How far above its guarantee it may go while others leave room; without limit where left out."""
    lend_limit: Quota = Quota()
    """How much of its guarantee others may use while it does not; all of it where left out."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Its part of what is shared beyond guarantees: twice the weight, twice the part."""
    submitters: tuple[str, ...] = ()
    """Who may submit to it, and read what its jobs print, by the name of their token; when left out, everybody may
    submit, and owners and operators read."""
    highest_priority: Annotated[str, Field(examples=["high"])] = ""
    """Highest priority class that its jobs may have; any when left out."""

    def __str__(self) -> str:
        """Return its name, as the default is shown."""
        return self.name


class Limits(Section):
    """How much of what there is one person may have."""

    pending_jobs_per_owner: Annotated[int, Field(ge=0)] = 1000
    """Jobs of one owner that may wait at once; 0 for any number."""
    highest_priority: dict[Literal["submitter", "operator"], Annotated[str, Field(examples=["high"])]] = Field(
        default_factory=dict
    )
    """Highest priority class that a role may use; any where left out."""


class Retention(Section):
    """For how long what is over is kept, in time of the world's clock; 0 for ever. What is open is always kept."""

    jobs: DurationSeconds = 90 * 86_400.0
    """Jobs that ended, with their attempts; the newest job stays. Run times and fair share are learned from them."""
    events: DurationSeconds = 90 * 86_400.0
    """Events; those of open jobs stay."""
    logs: DurationSeconds = 90 * 86_400.0
    """What the attempts of jobs that ended have printed; gone with the job at the latest."""
    checkpoints: DurationSeconds = 30 * 86_400.0
    """Checkpoints of jobs that ended; gone with the job at the latest, kept while an open job names them."""
    packages: DurationSeconds = 30 * 86_400.0
    """Uploaded working directories, since one was sent last and the last job that names it, of those kept, ended."""


class SecretSource(Section):
    """Where a secret of the site lies; jobs name it in `env`."""

    file: Path | None = None
    """File that has it, best readable by the control plane only; relative to this file's directory."""
    env: str = ""
    """Variable of the control plane's environment that has it, instead of a file."""
    owners: tuple[str, ...] = ()
    """Whose jobs may have it, by the name of their token; everybody's when left out."""


class Token(Section):
    """A bearer token of the API, known by its digest only."""

    name: Annotated[str, Field(min_length=1, examples=["ci"])]
    """Who uses it; the owner of what is submitted with it."""
    role: Literal["viewer", "submitter", "operator"]
    """What its bearer may do; each role includes the ones before."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the token: printf %s TOKEN | sha256sum."""


class Api(Section):
    """The HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs tokens."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    """Port; 0 picks a free one."""
    url: Annotated[str, Field(examples=["https://headroom.example.org"])] = ""
    """Where others reach it, said by those that wait for it (`headroom run --standby`); else its host and port."""
    tokens: tuple[Token, ...] = ()
    """Who may do what. Needed on any address but loopback."""


class Router(Section):
    """The front door of all served models; they answer under /models/<name>/."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 for a free one. Where Serve runs already, it keeps its own address."""


class Replay(Section):
    """Run on a clock of the past that goes faster than the wall's."""

    start: Annotated[str, Field(examples=["2012-02-04T18:40:00Z"])]
    """RFC 3339 time at which the world's clock starts."""
    speed: Annotated[float, Field(gt=0)] = 1.0
    """World seconds per second of the wall."""


class Config(Section):
    """A whole `cluster.yaml`."""

    cluster: Annotated[str, Field(min_length=1, examples=["my-cluster"])]
    """Name of the cluster, for people."""
    state_dir: Path = Path(".headroom")
    """Directory of what must survive a restart; relative to where `headroom run` is started."""
    store: str = ""
    """SQLAlchemy URL; empty for SQLite in WAL mode inside `state_dir`."""
    backend: Annotated[LocalRay | RemoteRay, Field(discriminator="kind")]
    """Where work runs."""
    control: Control = Control()
    """The control loop."""
    policy: PolicyNames = PolicyNames()
    """How to decide."""
    priorities: Annotated[dict[str, int], Field(min_length=1)] = Field(
        default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25}
    )
    """Priority classes; the higher goes first."""
    queues: Annotated[tuple[Annotated[QueueSection, BeforeValidator(queue_from_name)], ...], Field(min_length=1)] = (
        QueueSection(name="default"),
    )
    """Queues that jobs may name; default is always there."""
    limits: Limits = Limits()
    """How much of what there is one person may have."""
    retention: Retention = Retention()
    """For how long what is over is kept."""
    secrets: dict[Annotated[str, Field(min_length=1, examples=["hf-token"])], SecretSource] = Field(
        default_factory=dict
    )
    """Secrets by the names that jobs use."""
    api: Api = Api()
    """The HTTP API and the page."""
    router: Router = Router()
    """The front door of the served models."""
    replay: Replay | None = None
    """Run on a clock of the past."""
    traffic: dict[str, Annotated[ReplayTraffic | PrometheusTraffic, Field(discriminator="kind")]] = Field(
        default_factory=dict
    )
    """Traffic sources by name."""
    models: tuple[Model, ...] = ()
    """Served models, most important first: in this order they are kept alive when short."""


class SecretName(Section):
    """A value that is not written here, but kept by the control plane."""

    secret: Annotated[str, Field(min_length=1, examples=["hf-token"])]
    """Name of one of the site's secrets."""


def text_or_secret(value: object) -> object:
    """Let text, numbers and {secret: NAME} pass; whatever else is no text."""
    if isinstance(value, Mapping):
        return SecretName.model_validate(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | SecretName):
        raise PydanticKnownError("string_type")
    return value


EnvValue = Annotated[
    Annotated[str, Field(coerce_numbers_to_str=True)] | SecretName,
    BeforeValidator(text_or_secret, json_schema_input_type=str | int | float | dict[str, str]),
]
"""Written as it is, or {secret: NAME}."""


class JobFile(Section):
    """A whole `job.yaml`: a training job as its owner submits it."""

    name: Annotated[str, Field(pattern=JOB_NAME, max_length=63)] = ""
    """For people, with at least one letter; need not be unique; made from the entrypoint when left out."""
    entrypoint: Annotated[str, Field(pattern=r"\S", examples=["python train.py"])]
    """Shell command that runs the driver."""
    resources: Resources = Resources()
    """What each worker needs."""
    workers: Workers = ONE_WORKER
    """Workers that start together or not at all; of a range at least the fewest, and more when there is room."""
    max_workers_per_host: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Most workers on one host; 0 for no limit."""
    prefer_same: Annotated[str, Field(examples=["rack"])] = ""
    """Label of hosts, such as rack or switch: the workers go where it has as few values as possible."""
    require_same: Annotated[str, Field(examples=["switch"])] = ""
    """Label of hosts, such as rack or switch: all workers on hosts with the same value, or the job waits."""
    priority: str = "normal"
    """Priority class; a higher one goes first and may preempt a lower one."""
    queue: str = "default"
    """Queue, for fair share and limits."""
    preemptible: bool = True
    """Whether it may be stopped for others."""
    max_runtime: DurationSeconds | None = None
    """Longest an attempt takes, from its start; lets it start in gaps that are long enough. Then it is stopped."""
    checkpoint_interval: DurationSeconds | None = None
    """How often it saves a checkpoint."""
    grace: DurationSeconds = 30.0
    """Time it is given to save when it is preempted; where left out, less if the site allows less."""
    working_dir: str = ""
    """Directory that is uploaded and in which the entrypoint runs; relative to this file's directory."""
    env: dict[str, EnvValue] = Field(default_factory=dict)
    """Environment variables of the driver and its workers. {secret: NAME} has the site put in a value that is written
    down nowhere; the driver gets it, and hands it on to its workers itself."""
