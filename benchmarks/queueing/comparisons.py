"""What is compared: choices of a site, on which arrivals, and by which groups of jobs the result is read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final

from benchmarks.queueing import scenes
from scheduler.config.faults import did_you_mean
from scheduler.config.scenario import Scenario
from scheduler.config.schema import WorkerRange
from scheduler.control.records import JobRecord
from scheduler.model.errors import ConfigError

Change = Callable[[Scenario], Scenario]
"""Makes of a scene what one choice makes of it."""
GroupOf = Callable[[JobRecord], str]
SMALL_GPUS: Final = 8
"""Jobs of more devices count as large."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question.

    Attributes:
        about: the question, for people.
        scene: made-up arrivals on which it is asked.
        choices: by name; all others are compared with the first.
        group: which group a job counts in.
        order: the groups, in the order of the table.
        seeds: runs that are enough to see the difference.
        on_trace: whether it can be asked on a recorded cluster's jobs.
        weights: of queues, where what they hold is compared with it.
    """

    about: str
    scene: Callable[[], Scenario]
    choices: Mapping[str, Change]
    group: GroupOf
    order: tuple[str, ...]
    seeds: int = 8
    on_trace: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)


def by_priority(job: JobRecord) -> str:
    """Group by priority class."""
    return job.spec.priority_class


def by_size(job: JobRecord) -> str:
    """Group by devices of the whole gang."""
    gpus = job.spec.gang.gpus
    if gpus <= 1:
        return "1 GPU"
    return "2-8 GPUs" if gpus <= SMALL_GPUS else "9+ GPUs"


def by_queue(job: JobRecord) -> str:
    """Group by queue."""
    return job.spec.queue


def policy(**names: object) -> Change:
    """Return a change of some of the site's policies."""
    return partial(_with_policy, names=names)


def told(**names: object) -> Change:
    """Return such a change where owners also say how long their jobs take at most."""
    return partial(_with_lengths, names=names)


def workers(fewest: int, most: int) -> Change:
    """Return a change of how many workers jobs may run with."""
    return partial(_with_workers, workers=WorkerRange(min=fewest, max=most))


def _with_policy(scene: Scenario, names: Mapping[str, object]) -> Scenario:
    return scene.model_copy(update={"policy": scene.policy.model_copy(update=dict(names))})


def _with_lengths(scene: Scenario, names: Mapping[str, object]) -> Scenario:
    said = {"says_runtime": True}
    jobs = scene.jobs.model_copy(
        update={
            "streams": tuple(stream.model_copy(update=said) for stream in scene.jobs.streams),
            "traces": tuple(trace.model_copy(update=said) for trace in scene.jobs.traces),
        }
    )
    return _with_policy(scene.model_copy(update={"jobs": jobs}), names)


def _with_workers(scene: Scenario, workers: WorkerRange) -> Scenario:
    streams = tuple(stream.model_copy(update={"workers": workers}) for stream in scene.jobs.streams)
    return scene.model_copy(update={"jobs": scene.jobs.model_copy(update={"streams": streams})})


SIZES: Final = ("1 GPU", "2-8 GPUs", "9+ GPUs")
PRIORITIES: Final = ("high", "normal")
COMPARISONS: Final[Mapping[str, Comparison]] = MappingProxyType(
    {
        "bookings": Comparison(
            about="room booked for the first blocked jobs, nobody behind them delays them",
            scene=scenes.gangs_among_small_jobs,
            choices={f"bookings: {n}": policy(bookings=n) for n in (0, 1, 4)},
            group=by_size,
            order=SIZES,
        ),
        "elastic": Comparison(
            about="jobs that shrink and grow beside a model",
            scene=scenes.jobs_beside_a_model,
            choices={
                "workers: 4": workers(4, 4),
                "workers: 2-4": workers(2, 4),
                "workers: 1-4": workers(1, 4),
            },
            group=by_priority,
            order=PRIORITIES,
            on_trace=False,
        ),
        "consolidation": Comparison(
            about="running jobs are moved so that a waiting one fits",
            scene=scenes.whole_hosts_among_small_jobs,
            choices={
                f"{score}, {mode}": policy(placement_score=score, consolidation=mode)
                for score in ("headroom", "best-fit", "worst-fit")
                for mode in ("off", "do")
            },
            group=by_size,
            order=SIZES,
        ),
        "size-aware": Comparison(
            about="short jobs may have long ones of their own priority stopped; told: owners say twice the real length",
            scene=scenes.lengths_widely_spread,
            choices={
                "by age": policy(),
                "displacing": policy(queue_order="shortest-first", may_displace="shorter-first"),
                "told, by age": told(),
                "told, shortest first": told(queue_order="shortest-first"),
                "told, displacing": told(queue_order="shortest-first", may_displace="shorter-first"),
            },
            group=by_priority,
            order=PRIORITIES,
        ),
        "victims": Comparison(
            about="whom to stop for a more important job",
            scene=scenes.important_jobs_among_others,
            choices={name: policy(victim_cost=name) for name in ("lost-work-and-wait", "lost-work", "newest-first")},
            group=by_priority,
            order=PRIORITIES,
        ),
        "fair-share": Comparison(
            about="devices held by queues of weight 4, 2 and 1 that all want more than their part",
            scene=scenes.three_queues,
            choices={name: policy(queue_order=name) for name in ("fair-share", "priority")},
            group=by_queue,
            order=tuple(scenes.WEIGHTS),
            seeds=4,
            on_trace=False,
            weights=scenes.WEIGHTS,
        ),
    }
)


def chosen(names: Iterable[str], *, on_trace: bool) -> tuple[str, ...]:
    """Return the comparisons asked for, all that are possible when none is named.

    Raises:
        ConfigError: one is unknown, or cannot be asked on a trace.
    """
    possible = tuple(name for name, one in COMPARISONS.items() if one.on_trace or not on_trace)
    for name in names:
        if name not in COMPARISONS:
            help_ = did_you_mean(name, COMPARISONS)
            raise ConfigError(f'--compare: there is no comparison "{name}"', help=help_)
        if name not in possible:
            help_ = f"on a trace: {', '.join(possible)}; without --trace: all"
            raise ConfigError(f'--compare: "{name}" needs made-up jobs', help=help_)
    return tuple(dict.fromkeys(names)) or possible
