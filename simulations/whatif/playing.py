"""One way in which the coming hours may go, played by the control loop itself over a simulated cluster."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, inf, isfinite
from typing import Final

import numpy as np

from scheduler.control.cycle import Cycle
from scheduler.control.expected_start import left_s
from scheduler.control.records import CycleRecord, DesiredState, JobRecord
from scheduler.control.reports.board import Board
from scheduler.control.settings import Settings
from scheduler.control.snapshots.parts import training_job
from scheduler.control.snapshots.survey import Experience
from scheduler.control.snapshots.usage import Meter
from scheduler.control.snapshots.workload_stats import WorkloadStats
from scheduler.control.whatif.question import Question
from scheduler.model.hosts import Host
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import NOTHING_SEEN
from scheduler.model.workloads import JobId, JobState, TrainingJob
from simulations.beats import earliest_limit_s
from simulations.chance import chance
from simulations.resuming import world_of
from simulations.whatif.coming import Coming, Demands
from simulations.whatif.lacking import lacking
from simulations.whatif.moment import Moment
from simulations.whatif.survival import Survival
from simulations.work import Work
from simulations.world import World

LEAST_BEAT_S: Final = 120.0
"""What happens within so long of a turn is looked at together."""
WAITS_S: Final = 1800.0
"""While somebody waits a turn is taken so often at least."""
BEYOND_S: Final = 86_400.0
"""A job that nobody knows the length of goes on beyond the horizon."""
THE_JOB: Final = "the job"
"""By which chance of a submitted job is drawn."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came out of one run.

    Attributes:
        world: as it ended.
        lacking: (model, from_s, to_s, replicas), for which there was no room, turn by turn.
        submitted: number of the job that was submitted; "" for none.
        turns: how many the loop took.
    """

    world: World
    lacking: tuple[tuple[str, float, float, int], ...]
    submitted: str
    turns: int


def play(
    moment: Moment, question: Question, coming: Coming, path: int, until_over: frozenset[JobId] | None = None
) -> Played:
    """Play one path of traffic with one draw of run times to the question's horizon.

    Args:
        moment: what is known.
        question: what is otherwise.
        coming: what serving needs.
        path: which one.
        until_over: jobs that nobody looks beyond; None: to the horizon in any case.
    """
    demands, end_s = coming.demands(path), moment.now_s + question.horizon_s
    alike = Survival(moment.run_times, moment.snapshot.running.jobs, moment.now_s)
    draw = partial(_drawn, moment=moment, question=question, alike=alike)
    world = world_of(
        _changed(moment.snapshot, question),
        lambda job: draw(job, rng=chance(question.seed, f"job {job.job_id} {path}")),
    )
    if question.model is not None:
        world.cluster.replicas.declare(served.model for served in coming.served)
    submitted = _submit(world, moment, question, draw, chance(question.seed, f"{THE_JOB} {path}"))
    for host in question.lost_hosts:
        world.cluster.lose_host(host, "taken away")
    cycle = _cycle(moment, question, coming, demands, world)
    lacks, turns = list[tuple[str, float, float, int]](), 0
    while (now_s := world.engine.now_s()) < end_s and not _is_over(world, until_over):
        record = cycle.turn().cycle
        next_s = min(_next_s(world, record, demands, cycle.settings.period_s), end_s)
        lacks += [(model, now_s, next_s, count) for model, count in lacking(record).items()]
        turns += 1
        world.engine.run_until(next_s)
    return Played(world, tuple(lacks), submitted, turns)


def _drawn(job: TrainingJob, rng: np.random.Generator, moment: Moment, question: Question, alike: Survival) -> Work:
    """Return what a job needs: drawn from how long jobs like it took, given how long it has run."""
    left = float(left_s(job, moment.now_s, alike, rng.random(1))[0])
    if not isfinite(left):
        left = question.horizon_s + BEYOND_S
    start_up_s = moment.settings.restart_cost_s
    if not job.state.holds_room or job.started_at_s is None:
        return Work(max(left - start_up_s, 1.0), start_up_s)
    speed = len(job.slots) / max(job.gang.most, len(job.slots))
    held_s = moment.now_s - job.started_at_s
    return Work(max(held_s + left - min(start_up_s, held_s), 1.0) * speed, start_up_s)


def _is_over(world: World, jobs: frozenset[JobId] | None) -> bool:
    return jobs is not None and all(job.job_id not in jobs for job in world.store.jobs())


def _submit(
    world: World, moment: Moment, question: Question, draw: Callable[..., Work], rng: np.random.Generator
) -> str:
    if question.job is None:
        return ""
    record = JobRecord(JobId(THE_JOB), question.job, JobState.PENDING, DesiredState.RUN, moment.now_s)
    return world.submit(question.job, draw(training_job(record, 0.0), rng=rng))


def _changed(snapshot: Snapshot, question: Question) -> Snapshot:
    """Return the snapshot with the hosts that are new."""
    if not question.new_hosts:
        return snapshot
    by_name = {host.name: host for host in snapshot.hosts}
    new = [copy for more in question.new_hosts for copy in _copies(by_name[more.like], more.count, by_name)]
    return snapshot.otherwise({}, tuple(sorted((*snapshot.hosts, *new), key=lambda host: host.name)))


def _copies(host: Host, count: int, taken: dict[str, Host]) -> list[Host]:
    names = (f"{host.name}-new-{number}" for number in range(1, len(taken) + count + 1))
    free = [name for name in names if name not in taken][:count]
    copies = [replace(host, name=name) for name in free]
    taken.update((copy.name, copy) for copy in copies)
    return copies


def _cycle(moment: Moment, question: Question, coming: Coming, demands: Demands, world: World) -> Cycle:
    rules = question.rules
    return Cycle(
        cluster=world.cluster,
        store=world.store,
        clock=world.engine,
        served=coming.served,
        sources={},
        policy=rules.policy if rules else moment.policy,
        settings=replace(rules.settings if rules else moment.settings, outlooks=False),
        board=Board(),
        experience=_experience(moment, rules.settings if rules else moment.settings, world),
        foreseen=demands.of,
    )


def _experience(moment: Moment, settings: Settings, world: World) -> Experience:
    """Return what the loop has learned up to the moment."""
    snapshot, half_life_s = moment.snapshot, settings.usage_half_life_s
    return Experience(
        moment.run_times.frozen(),
        WorkloadStats.going_on(snapshot.work, world.store.jobs()) if snapshot.work is not NOTHING_SEEN else None,
        Meter.going_on(half_life_s, moment.now_s, snapshot.usage) if half_life_s else None,
    )


def _next_s(world: World, record: CycleRecord, demands: Demands, period_s: float) -> float:
    """Return the beat at which something may be decided again: all that happens has a time, but for who grows old."""
    now_s = world.engine.now_s()
    waits_s = now_s + max(demands.step_s, WAITS_S) if record.snapshot.waiting else inf
    due_s = min(world.engine.next_at_s(), demands.changes_after(now_s), earliest_limit_s(record.snapshot), waits_s)
    if due_s == inf:
        return inf
    return now_s + ceil(max(due_s - now_s, LEAST_BEAT_S) / period_s) * period_s
