"""The site of the joint benchmark: hosts, a model under recorded traffic, and as much training as a forecast leaves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.capacity import ErlangC
from scheduler.config.scenario import Jobs, JobTrace, Noise, Scenario, ScenarioHost, ScenarioTraffic
from scheduler.config.schema import Control, Model, Resources
from scheduler.config.schema import ErlangC as Capacity
from scheduler.model.errors import ConfigError
from scheduler.telemetry.replay import ReplayTraffic as Recorded
from simulations.arrivals import DAY_S
from simulations.traces import from_trace

GPUS_PER_HOST: Final = 8
OFFERED: Final = 0.95
"""Training that arrives, over what a perfect forecast would leave."""
SERVICE_S, OBJECTIVE_S, WITHIN = 0.5, 2.0, 0.9999
"""Of the model: each replica works on one request at a time, on a GPU of its own; rated for as few late as are let."""
_STEP_S: Final = 300.0
HOUR_S: Final = 3600.0
SHOWN_S: Final = 1200.0
"""Bins of the traffic that the loop sees: what a metrics server is asked for, also of hourly records."""
SOURCE: Final = "traffic"
TUNED: Final = 3.0
"""Days that are tuned on, for each day that is played: what is seldom late is not seen in few."""


@dataclass(frozen=True)
class Setting:
    """What a run plays.

    Attributes:
        traffic, jobs: recorded files; see docs/files.md.
        start: of the window in the traffic, RFC 3339.
        jobs_start: of the window in the jobs, likewise.
        days: in which jobs arrive.
        hosts: of eight GPUs each.
        warm_up_s: of a replica.
        zone: whose days the traffic follows.
        peak_share: of the GPUs that serving needs at the window's peak.
        drain_s: for at most so long a run goes on after it, until no job is open.
        nodes_per_gpu: so many of the jobs' `num_nodes` are a GPU here; 0 where the file counts GPUs.
    """

    traffic: Path
    jobs: Path
    start: str
    jobs_start: str
    days: float
    hosts: int = 48
    warm_up_s: float = 1200.0
    zone: str = "UTC"
    peak_share: float = 0.65
    drain_s: float = 7 * DAY_S
    nodes_per_gpu: int = 0

    def earlier(self) -> "Setting":
        """Return the window of three times as many days that ends where this one begins, to tune on.

        Raises:
            ConfigError: a time cannot be read.
        """
        days = TUNED * self.days
        return replace(self, start=_moved(self.start, -days), jobs_start=_moved(self.jobs_start, -days), days=days)

    @property
    def gpus(self) -> int:
        """How many there are."""
        return self.hosts * GPUS_PER_HOST


RULE: Final = ErlangC(SERVICE_S, OBJECTIVE_S, within=WITHIN)


@lru_cache
def scenario_of(setting: Setting) -> Scenario:
    """Return the site as a scenario; every policy is a change of it.

    Raises:
        ConfigError: a file cannot be read, has nothing in the window, or too few jobs.
    """
    needed, trace = needed_at_peak(setting), _trace(setting)
    share = OFFERED * _left_gpu_s(setting) / _offered_gpu_s(trace, setting.days)
    if not 0 < share <= 1:
        said = f"the jobs of the window are {100 / share:.0f} % of what is to be offered"
        raise ConfigError(said, help="fewer --hosts, or other days of the jobs (--jobs-from)")
    host = ScenarioHost(name="gpu1", count=setting.hosts, gpus=GPUS_PER_HOST, cpus=96, memory=1024 * 1024)
    return Scenario(
        scenario="joint",
        start=setting.start,
        days=setting.days,
        drain=setting.drain_s,
        hosts=(host,),
        traffic={SOURCE: _traffic(setting, RULE.highest_rps(needed) / float(_rates(setting).max()))},
        noise=Noise(spread=0.05, lasts=300.0, shown=SHOWN_S),
        models=(_model(setting, needed),),
        jobs=Jobs(traces=(trace.model_copy(update={"share": share}),)),
        control=Control(period=60.0, preemption_grace=120.0),
    )


def needed_at_peak(setting: Setting) -> int:
    """Return the replicas that the window's peak takes."""
    return round(setting.peak_share * setting.gpus)


def steepest_per_hour(setting: Setting) -> float:
    """Return the fastest rise of the load within an hour, as a share of the window's peak."""
    rates, hour = _rates(setting), round(HOUR_S / _STEP_S)
    return float((rates[hour:] - rates[:-hour]).max() / rates.max())


def all_time_peak(setting: Setting) -> int:
    """Return the replicas that the highest load takes of all that was recorded before the window, and within it."""
    whole = Recorded.described(_traffic(setting, 1.0)).series
    highest = float(np.nanmax(whole.until(_epoch(setting.start) + setting.days * DAY_S).values))
    return RULE.replicas(RULE.highest_rps(needed_at_peak(setting)) * highest / float(_rates(setting).max()))


def _left_gpu_s(setting: Setting) -> float:
    """Return the GPU-seconds that serving leaves when it has just what its load takes at each moment."""
    rates = _rates(setting)
    loads = rates * RULE.highest_rps(needed_at_peak(setting)) / rates.max()
    return float(sum(setting.gpus - RULE.replicas(load) for load in loads.tolist()) * _STEP_S)


def _offered_gpu_s(trace: JobTrace, days: float) -> float:
    jobs = from_trace(trace, {trace.priority: 0}, 0.0, days * DAY_S, seed=0)
    return sum(job.work.duration_s * job.spec.gang.gpus for job in jobs)


@lru_cache
def _rates(setting: Setting) -> NDArray[np.float64]:
    """Return the recorded load over the window, requests per second."""
    start_s = _epoch(setting.start)
    recorded = Recorded.described(_traffic(setting, 1.0))
    inside = recorded.series.between(start_s, start_s + setting.days * DAY_S)
    if not len(inside) or not inside.known.any():
        raise ConfigError(
            f"no traffic was recorded in the {setting.days:g} days from {setting.start}", str(setting.traffic)
        )
    return recorded.rates_at(np.arange(start_s, start_s + setting.days * DAY_S, _STEP_S))


def _traffic(setting: Setting, scale: float) -> ScenarioTraffic:
    return ScenarioTraffic(kind="replay", file=setting.traffic, scale=scale, zone=setting.zone, local_times=False)


def _trace(setting: Setting) -> JobTrace:
    return JobTrace(
        file=setting.jobs,
        gpus="num_nodes" if setting.nodes_per_gpu else "",
        units_per_gpu=setting.nodes_per_gpu or 1.0,
        first=setting.jobs_start,
        max_gpus=64,
        max_duration=2 * DAY_S,
        start_up=300.0,
        checkpoint_interval=1800.0,
        grace=120.0,
        save=60.0,
        runtime_error=1.0,
    )


def _model(setting: Setting, needed: int) -> Model:
    return Model(
        name="model",
        resources=Resources(cpus=4, memory=16 * 1024, gpus=1),
        capacity=Capacity(kind="erlang-c", service_time=SERVICE_S, latency_objective=OBJECTIVE_S, within=WITHIN),
        max_replicas=min(setting.gpus, 2 * needed),
        warm_up=setting.warm_up_s,
        traffic=SOURCE,
        served_elsewhere=False,
    )


def _moved(moment: str, days: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(days=days)).isoformat()


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
