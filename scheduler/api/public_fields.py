"""What somebody without a token sees where `api.public` is on: the one place that decides, an answer type at a time.

Shown is what the planner computes: names of things, numbers, times, states. Not shown is what people write or who they
are, and what a job or a cluster prints: owners, commands, origins, reasons, labels, causes, troubles.
"""

from typing import Final

from scheduler.api.redacting import ResourceT, Rule, Rules, redacted
from scheduler.model.plan import Reason
from scheduler.wire.base import Why
from scheduler.wire.control import Status
from scheduler.wire.forecasts import Forecast, ForecastPoint, Peak, TrackRecord
from scheduler.wire.hosts import Device, DeviceUse, Host, HostBooking, Proposal, ProposedMove
from scheduler.wire.jobs import Attempt, Condition, ExpectedStart, Job, JobBooking, PreemptionRisk
from scheduler.wire.models import Compared, ModelCard, RolloutState
from scheduler.wire.queues import Amounts, Queue
from scheduler.wire.serving import Capacity, CapacityPoint, Pool, PoolPeak, ServedModel, StartableSize

WITHHELD: Final = "told with a token only"
"""Stands in place of words, where there are any."""
UNHEARD: Final = "waits for traffic"
"""Stands in place of which sources are not heard, and at which address."""
COMPUTED: Final = frozenset(
    {
        Reason.INSUFFICIENT_DEVICES,
        Reason.INSUFFICIENT_CPU,
        Reason.INSUFFICIENT_MEMORY,
        Reason.IMPOSSIBLE_GANG,
        Reason.INSUFFICIENT_HOSTS,
        Reason.HELD_FOR_SERVING,
        Reason.RESERVED,
        Reason.WAITS_FOR_PREEMPTION,
        Reason.QUEUE_LIMIT,
        Reason.KEPT_FOR_QUEUE,
        Reason.BACKING_OFF,
        "NotYetPlanned",
    }
)
"""Reasons whose sentence is made of names, numbers and times alone."""


def said(words: str, instead: str = WITHHELD) -> str:
    """Return what stands in place of words; nothing in place of none."""
    return instead if words else ""


def public(resource: ResourceT) -> ResourceT:
    """Return of a resource what everybody may see."""
    return redacted(resource, RULES)


def _all_of(*names: str) -> Rule:
    return Rule(frozenset(names))


def _message(why: Why) -> str:
    if why.code == Reason.HELD_BY_OWNER:
        return "held"
    return why.message if why.code in COMPUTED else WITHHELD


def _submitters(queue: Queue) -> tuple[str, ...]:
    return (WITHHELD,) if queue.submitters else ()


RULES: Final[Rules] = {
    Why: Rule(frozenset({"code", "asked", "free", "until", "blocked_by"}), instead={"message": _message}),
    DeviceUse: _all_of("holder", "name", "kind", "gpu_milli"),
    Device: _all_of("index", "memory_bytes", "partitions", "uses"),
    HostBooking: _all_of("job", "name", "at", "devices"),
    Host: Rule(
        frozenset(
            {"name", "state", "since", "gpu_model", "devices", "cpus", "cpus_used", "memory_bytes"}
            | {"memory_bytes_used", "bookings"}
        ),
        hidden=frozenset({"reason", "labels"}),
    ),
    ModelCard: Rule(frozenset({"description", "licence", "source"}), hidden=frozenset({"trained_by"})),
    Compared: _all_of("requests", "failed", "late"),
    RolloutState: Rule(
        frozenset({"revision", "phase", "since", "began", "share", "paused", "new", "old"}),
        instead={"reason": lambda rollout: said(rollout.reason)},
    ),
    ServedModel: Rule(
        frozenset(
            {"name", "community", "served_elsewhere", "ready", "starting", "wanted", "peak_replicas", "peak_at"}
            | {"min_replicas", "max_replicas", "rps_now", "rps_wanted", "rps_per_replica", "headroom_ratio"}
            | {"lowest_ratio_48h", "lead_time_s", "warm_up_s", "warm_up_measured_s", "starts_measured", "basis"}
            | {"late_24h", "failed_24h", "requests_24h", "gpus_per_replica", "why", "p99_held", "forecast_record"}
            | {"revision", "rollout", "removing", "card"}
        ),
        hidden=frozenset({"owner", "artifact", "warnings"}),
        instead={"trouble": lambda model: said(model.trouble)},
    ),
    CapacityPoint: _all_of(
        *("at", "actual", "p10", "p50", "p90", "p99", "ready", "planned", "serving", "held", "reserved"),
        *("training", "free", "drained"),
    ),
    PoolPeak: _all_of("window_s", "p50", "p99", "apart_p99"),
    Pool: _all_of(
        *("name", "models", "gpus_per_replica", "held_for_peak", "held_apart", "held_for_flash_crowd"),
        *("held_for_rollout", "peak_at", "peaks"),
    ),
    ProposedMove: _all_of("job_id", "hosts"),
    Proposal: _all_of("job_id", "moves", "lost_gpu_s", "waits_s"),
    Capacity: _all_of(
        *("verdict", "detail", "notice", "covered", "headroom_ratio", "headroom_model", "lowest_ratio", "lowest_at"),
        *("lowest_model", "horizon_s", "lead_time_s", "unit", "gpus", "gpus_serving", "gpus_training", "gpus_held"),
        *("gpus_reserved", "gpus_free", "gpus_drained", "gpus_occupied", "gpus_lost", "serving_gpus_ready"),
        *("serving_gpus_p99_now", "waiting", "oldest_wait_s", "requests_24h", "late_24h", "failed_24h"),
        *("gpu_s_lost_24h", "gpu_s_trained_24h", "preemptions_24h", "points", "preempted_at", "pools", "proposals"),
        "sizes",
    ),
    StartableSize: _all_of("hosts", "gpus", "at"),
    ForecastPoint: _all_of("at", "p10", "p50", "p90", "p99"),
    Peak: _all_of("window_s", "at", "at_p10", "at_p90", "p50", "p90", "p99"),
    TrackRecord: _all_of("windows", "p99_held", "bias", "skill", "skill_over_reactive", "widened", "gives_way", "says"),
    Forecast: _all_of(
        *("model", "source", "basis", "history_s", "source_age_s", "points", "peaks", "rests_on", "share"),
        *("share_spread", "record"),
    ),
    Status: Rule(
        frozenset(
            {"version", "cluster", "backend", "state", "period_s", "speed", "last_plan_at"}
            | {"last_plan_age_s", "plan_duration_s", "role", "strays"}
        ),
        hidden=frozenset({"caller", "leader"}),
        instead={
            "message": lambda status: said(status.message),
            "waiting": lambda status: said(status.waiting, UNHEARD),
        },
    ),
    Attempt: Rule(
        frozenset(
            {"number", "started_at", "ended_at", "outcome", "workers", "where", "resumed_from_step"}
            | {"checkpoint_step", "lost_gpu_s"}
        ),
        hidden=frozenset({"cause"}),
    ),
    Condition: Rule(frozenset({"type", "at"}), hidden=frozenset({"message"})),
    ExpectedStart: _all_of("p50", "p90"),
    PreemptionRisk: _all_of("share", "within_s", "lost_gpu_s"),
    JobBooking: _all_of("at", "where", "counts_on"),
    Job: Rule(
        frozenset(
            {"id", "name", "queue", "priority_class", "priority", "preemptible", "state", "workers", "max_workers"}
            | {"min_workers", "gpus_per_worker", "gpus", "cpus_per_worker", "memory_bytes_per_worker", "gpu_models"}
            | {"submitted_at", "finished_at", "age_s", "wait_s", "run_s", "grace_period_s", "checkpoint_interval_s"}
            | {"max_runtime_s", "step", "total_steps", "checkpointed_at", "lost_gpu_s", "where", "why"}
            | {"expected_start", "expected_end", "preemption_risk", "booking", "order", "attempts", "conditions"}
        ),
        hidden=frozenset({"owner", "entrypoint", "origin", "publishes", "events"}),
    ),
    Amounts: _all_of("cpus", "memory_bytes", "gpus", "gpu_models"),
    Queue: Rule(
        frozenset(
            {"name", "weight", "guarantee", "borrow_limit", "lend_limit", "used", "guaranteed_gpus", "borrowed_gpus"}
            | {"lent_gpus", "share", "mean_share", "running", "waiting", "waiting_gpus", "removed"}
        ),
        instead={"submitters": _submitters},
    ),
}
"""A type that is not here is shown to nobody without a token; a new field of one that is here, neither."""
