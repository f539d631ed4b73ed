"""Plays a site, asks now and then when everybody who waits will start, and keeps what was said beside what came."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf

from scheduler.config.scenario import Scenario
from scheduler.control.records import JobRecord
from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.eta_record import EtaRecord
from scheduler.control.whatif.etas import JobEta
from simulations.run import Simulation
from simulations.whatif.estimating import Estimated
from simulations.whatif.moment import Moment
from simulations.wiring import setup_of

LARGE_GPUS = 8
"""Jobs of as many devices or more count as large."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """One job that waited at one moment.

    Attributes:
        kind: its class of priority and size.
        at_s: the moment, epoch seconds.
        said: when it was told to start, as it would have been shown; None for no answer.
        came_s: when it started; infinity for never.
    """

    kind: str
    at_s: float
    said: Spread | None
    came_s: float


def foretold(
    scenario: Scenario, seed: int, every_s: float, runs: int, told: Callable[[int, int], None] = lambda _a, _b: None
) -> list[Foretold]:
    """Return what was said at moments so far apart, each with what its own record had taught by then.

    Args:
        scenario: the site and its jobs.
        seed: of all that is left to chance.
        every_s: seconds between moments.
        runs: that each estimate rests on.
        told: called with how many moments are done, and of how many.
    """
    setup = replace(setup_of(scenario, seed=seed), drain_s=inf)
    simulation, moments = Simulation(setup), list[Moment]()
    for number in range(1, int((setup.end_s - setup.start_s) // every_s) + 1):
        simulation.go_on(setup.start_s + number * every_s)
        simulation.cycle.settings = setup.settings
        moments.append(Moment.of(simulation.cycle.turn(), setup.policy, setup.settings))
        simulation.cycle.settings = replace(setup.settings, outlooks=False)
    simulation.run()
    jobs = {str(job.job_id): job for job in simulation.world.store.jobs(open_only=False)}
    record, found = EtaRecord(), list[Foretold]()
    for number, moment in enumerate(moments):
        found += _at(moment, jobs, record, runs)
        told(number + 1, len(moments))
    return found


def _at(moment: Moment, jobs: Mapping[str, JobRecord], record: EtaRecord, runs: int) -> list[Foretold]:
    if not moment.snapshot.waiting:
        return []
    for job_id in record.open:
        if (came_s := _came_s(jobs[job_id], record.open[job_id])) <= moment.now_s:
            record.came(job_id, came_s)
    etas = _etas(moment, runs)
    shown = record.corrected(etas, moment.now_s)
    record.said(etas, moment.now_s)
    waiting = [(str(job.job_id), job.gang.gpus) for job in moment.snapshot.waiting]
    return [
        Foretold(_kind(jobs[job_id], gpus), moment.now_s, _said(shown.get(job_id)), _came_s(jobs[job_id], moment.now_s))
        for job_id, gpus in waiting
    ]


def _etas(moment: Moment, runs: int) -> Mapping[str, JobEta]:
    estimated = Estimated.of(moment, runs=runs)
    for _ in range(runs):
        estimated.play()
    return estimated.etas().by_id


def _said(eta: JobEta | None) -> Spread | None:
    return None if eta is None or eta.start is None or eta.start.p50_s == inf else eta.start


def _came_s(job: JobRecord, at_s: float) -> float:
    starts = [a.started_at_s for a in job.attempts if a.started_at_s is not None and a.decided_at_s >= at_s]
    return min(starts, default=inf)


def _kind(job: JobRecord, gpus: float) -> str:
    size = "1 GPU" if gpus <= 1 else f"2-{LARGE_GPUS - 1} GPUs" if gpus < LARGE_GPUS else f"{LARGE_GPUS}+ GPUs"
    return f"{job.spec.priority_class}, {size}"
