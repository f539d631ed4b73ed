"""The sites and the arrivals that choices are compared on, in the words of scenario files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import scheduler.demo
from scheduler.config.scenario import Jobs, JobStream, JobTrace, Scenario, ScenarioHost, ScenarioTraffic
from scheduler.config.schema import Control, Model, QueueSection, Quota, Resources, TargetRate
from scheduler.config.schema import PolicyNames as Policies

HOUR_S: Final = 3600.0
WEIGHTS: Final = {"product": 4.0, "research": 2.0, "batch": 1.0}
"""Of the queues in `three_queues`."""
LATER: Final = timedelta(days=6)
"""The important jobs of a window on a trace are those that came so much later."""
_TRAFFIC: Final = Path(scheduler.demo.__file__).parent / "data" / "dewiki_hourly_2012.csv.gz"
_ONE: Final = Resources(cpus=1, memory=1024, gpus=1)
_FOUR: Final = Resources(cpus=4, memory=4096, gpus=4)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded cluster's jobs, as the user wants them played.

    Attributes:
        file: as `simulations.recorded_jobs` reads it.
        first: RFC 3339 time at which the window begins.
        days: how long it is.
        hosts: how many, of eight devices each.
        share: of the trace's jobs that is played: two thirds of them from the window at normal priority, one third
            from `LATER` at high priority.
        written: keys of a scenario's trace that say how the file is written, for instance time_format.
    """

    file: Path
    first: str
    days: float
    hosts: int
    share: float
    written: tuple[tuple[str, str], ...] = ()


def gangs_among_small_jobs() -> Scenario:
    """Return a site where jobs of one device hardly ever leave room for a gang that needs three of four hosts."""
    small = {"duration": 3 * HOUR_S, "durations": "exponential"}
    return _site(
        JobStream(name="small", per_day=85, resources=_ONE, grace=60, **small),
        JobStream(name="gang", per_day=2, duration=HOUR_S, resources=_FOUR, workers=3, grace=60),
        hosts=4,
        days=3,
        policy=Policies(placement_score="best-fit"),
    )


def whole_hosts_among_small_jobs() -> Scenario:
    """Return a site with devices enough for jobs that need a whole host, but seldom on one host."""
    return _site(
        JobStream(name="small", per_day=60, duration=3 * HOUR_S, resources=_ONE, grace=60),
        JobStream(name="large", per_day=6, duration=HOUR_S, resources=_FOUR, grace=60),
        hosts=4,
        days=3,
    )


def important_jobs_among_others() -> Scenario:
    """Return a crowded site of small and large jobs where others come now and then that go first."""
    origin: dict[str, Any] = {"grace": 30, "save": 60, "checkpoint_interval": 1800}
    return _site(
        JobStream(name="small", per_day=150, duration=HOUR_S, resources=_ONE, **origin),
        JobStream(name="large", per_day=18, duration=2 * HOUR_S, resources=_FOUR, **origin),
        JobStream(name="first", per_day=16, duration=HOUR_S, resources=_FOUR, priority="high", **origin),
        hosts=4,
        days=2,
    )


def lengths_widely_spread() -> Scenario:
    """Return a crowded site of equally important jobs of which some take minutes and some days."""
    origin: dict[str, Any] = {"duration": HOUR_S, "sigma": 2.0, "resources": _ONE, "grace": 60}
    return _site(
        JobStream(name="one", per_day=150, **origin),
        JobStream(name="two", per_day=19, workers=2, **origin),
        hosts=2,
        days=2,
    )


def jobs_beside_a_model() -> Scenario:
    """Return two hosts where a model takes one to six of eight devices through the day, and jobs of four workers."""
    model = Model(
        name="model",
        resources=Resources(cpus=1, memory=100, gpus=1),
        capacity=TargetRate(kind="rate", rps_per_replica=20),
        max_replicas=7,
        warm_up=1800,
        traffic="dewiki",
        share=0.09,
    )
    return _site(
        JobStream(name="wide", per_day=6, duration=3 * HOUR_S, workers=4, resources=_ONE, grace=60),
        hosts=2,
        days=3,
        control=Control(period=60, reactive=True),
        traffic={"dewiki": ScenarioTraffic(kind="replay", file=_TRAFFIC, zone="Europe/Berlin", local_times=False)},
        models=(model,),
        lead_in=7200,
    )


def three_queues() -> Scenario:
    """Return a site of three queues with unequal weights that all want more than their part all the time."""
    origin: dict[str, Any] = {"duration": 1.5 * HOUR_S, "sigma": 0.6}
    two = Resources(cpus=2, memory=8192, gpus=2)
    return _site(
        JobStream(name="tune", queue="product", owner="ana", per_day=160, resources=_ONE, **origin),
        JobStream(name="study", queue="research", owner="bo", per_day=80, resources=two, **origin),
        JobStream(name="sweep", queue="batch", owner="cy", per_day=160, resources=_ONE, **origin),
        hosts=4,
        days=3,
        policy=Policies(usage_half_life=12 * HOUR_S, min_runtime=600),
        queues=(
            QueueSection(name="product", weight=WEIGHTS["product"], guarantee=Quota(gpus=4)),
            QueueSection(name="research", weight=WEIGHTS["research"], guarantee=Quota(gpus=2)),
            QueueSection(name="batch", weight=WEIGHTS["batch"]),
        ),
    )


def recorded(trace: Recorded) -> Scenario:
    """Return a window of a recorded cluster's jobs on hosts of eight devices.

    Everybody saves a checkpoint every half hour. Starting takes two minutes, and saving 45 s of which 30 are granted,
    so whoever is stopped loses what it did since its last checkpoint. Jobs of more than 16 devices are left out.
    """
    first = datetime.fromisoformat(trace.first)
    common: dict[str, Any] = {
        "file": trace.file,
        **dict(trace.written),
        "checkpoint_interval": 1800,
        "start_up": 120,
        "save": 45,
        "max_gpus": 16,
    }
    later = (first + LATER).isoformat()
    return Scenario(
        scenario="trace",
        start=first.astimezone(UTC).isoformat(),
        days=trace.days,
        drain=0,
        lead_in=0,
        idle_period=600,
        hosts=(ScenarioHost(name="gpu1", count=trace.hosts, gpus=8, cpus=64, memory=512 * 1024, gpu_model="A"),),
        jobs=Jobs(
            traces=(
                JobTrace(first=trace.first, share=trace.share * 2 / 3, priority="normal", **common),
                JobTrace(first=later, share=trace.share / 3, priority="high", **common),
            )
        ),
        control=Control(period=60),
    )


def _site(*streams: JobStream, hosts: int, days: float, **changes: Any) -> Scenario:
    """Return a site of hosts with four devices each."""
    given: dict[str, Any] = {"control": Control(period=60), "lead_in": 0, **changes}
    return Scenario(
        scenario="made-up",
        start="2012-06-04T00:00:00Z",
        days=days,
        drain=0,
        hosts=(ScenarioHost(name="gpu1", count=hosts, gpus=4, cpus=64, memory=64 * 1024, gpu_model="A"),),
        jobs=Jobs(streams=streams),
        **given,
    )
