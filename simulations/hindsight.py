"""What is only known afterwards: whether a preemption was needed, and why a model was short of replicas."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from scheduler.config.units import format_duration
from scheduler.control.records import CycleRecord, JobRecord, Outcome
from scheduler.model.counting import plural
from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, JobId, ReplicaState
from scheduler.planning.reasons.feasibility import never_fits
from simulations.outcome import first_start_s
from simulations.run import Setup
from simulations.serving import Service, Shortage, shortages

LOOKED_AHEAD_S: Final = 6 * 3600.0
"""Room that is not needed for so long was not needed."""
WISHES: Final = frozenset({Cause.STOP_ASKED, Cause.TIME_LIMIT, Cause.ORPHAN, Cause.GROWTH})
"""Stops that are no preemptions."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One preemption.

    Attributes:
        at_s: when it was decided, epoch seconds.
        job: the victim, with its name.
        gpus: that it held.
        cause: see `Cause`.
        beneficiary: for whom; "" for nobody in particular.
        lost_gpu_s: work that it lost.
        away_s: until it went on; NaN when it did not.
        needed: whether the room proved necessary; None where nobody can say.
        why: that, in words.
    """

    at_s: float
    job: str
    gpus: float
    cause: str
    beneficiary: str
    lost_gpu_s: float
    away_s: float
    needed: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A time in which a model had more load than its ready replicas are rated for.

    Attributes:
        model: which.
        from_s, until_s: when, epoch seconds.
        lowest: the lowest capacity over load.
        why: what was forecast, what came, and what was tried, in words.
        would_help: what would have covered it, in words.
    """

    model: str
    from_s: float
    until_s: float
    lowest: float
    why: str
    would_help: str


@dataclass(frozen=True, slots=True)
class State:
    """What a turn knew of a model.

    Attributes:
        at_s: when.
        rps_wanted: what it was planned for.
        wanted: replicas for that.
        ready, starting: replicas.
        lacks: why no more were started; "" where enough were.
    """

    at_s: float
    rps_wanted: float
    wanted: int
    ready: int
    starting: int
    lacks: str


@dataclass
class Seen:
    """What was seen of every turn, as far as it is needed afterwards.

    Attributes:
        models: states of each model, where they changed.
        stops: whom the plans stopped, and for whom.
    """

    models: dict[str, list[State]] = field(default_factory=lambda: defaultdict(list))
    stops: dict[tuple[JobId, int], tuple[float, PreemptJob]] = field(default_factory=dict)

    def hear(self, cycle: CycleRecord) -> None:
        """Take note of a turn."""
        for action in cycle.plan.actions:
            if isinstance(action, PreemptJob):
                self.stops.setdefault((action.job_id, action.attempt), (cycle.at_s, action))
        for demand in cycle.demand.models:
            living = cycle.snapshot.living.get(demand.model, ())
            ready = sum(one.state is ReplicaState.READY for one in living)
            lacks = cycle.plan.reason_for(demand.model)
            said = (demand.rps_wanted, demand.replicas_wanted, ready, len(living) - ready)
            self._note(demand.model, State(cycle.at_s, *said, lacks.message if lacks else ""))

    def state_at(self, model: str, at_s: float) -> State | None:
        """Return what the last turn up to a moment knew of a model; None before the first."""
        return next((state for state in reversed(self.models.get(model, [])) if state.at_s <= at_s), None)

    def _note(self, model: str, state: State) -> None:
        before = self.models[model][-1] if self.models[model] else None
        if before is None or (before.wanted, before.ready, before.starting, before.lacks) != (
            state.wanted, state.ready, state.starting, state.lacks,
        ):  # fmt: skip
            self.models[model].append(state)


def stops_of(jobs: Sequence[JobRecord], seen: Seen, services: Mapping[str, Service], now_s: float) -> tuple[Stop, ...]:
    """Return all preemptions, in their order, and whether each was needed."""
    by_id = {job.job_id: job for job in jobs}
    found = [
        _stop(by_id[job_id], attempt, at_s, action, by_id, services, seen, now_s)
        for (job_id, attempt), (at_s, action) in seen.stops.items()
        if action.cause not in WISHES and job_id in by_id
    ]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.at_s, one.job)))


def violations_of(seen: Seen, services: Mapping[str, Service], setup: Setup) -> tuple[Violation, ...]:
    """Return all times in which a model was short, in their order, each with why."""
    warm_up_s = {served.model.name: served.model.warm_up_s for served in setup.served}
    return tuple(
        _violation(short, seen, services[short.model], warm_up_s[short.model], setup)
        for short in shortages(services, setup.start_s, setup.end_s)
    )


def _stop(  # noqa: PLR0913, PLR0917  # one stop, and all that is known of it
    job: JobRecord,
    number: int,
    at_s: float,
    action: PreemptJob,
    by_id: Mapping[JobId, JobRecord],
    services: Mapping[str, Service],
    seen: Seen,
    now_s: float,
) -> Stop | None:
    attempt = next((one for one in job.attempts if one.number == number), None)
    if attempt is None or attempt.outcome is not Outcome.PREEMPTED:
        return None
    later = next((one.started_at_s for one in job.attempts if one.number > number and one.started_at_s), None)
    ahead_s = min(at_s + LOOKED_AHEAD_S, now_s)
    needed, why = None, "the host was emptied" if action.cause is Cause.DRAIN else "it goes on elsewhere"
    if action.beneficiary in services:
        needed, why = _needed_by_model(action.beneficiary, services[action.beneficiary], seen, at_s, ahead_s)
    elif (other := by_id.get(JobId(action.beneficiary))) is not None:
        needed, why = _needed_by_job(other, attempt.slots, at_s, later or now_s)
    gpus = job.spec.gang.of_size(len(attempt.slots)).gpus
    away_s = later - at_s if later else float("nan")
    told = (action.cause.value, action.beneficiary, attempt.lost_gpu_s, away_s)
    return Stop(at_s, f"{job.job_id} {job.spec.name}", gpus, *told, needed, why)


def _needed_by_model(model: str, service: Service, seen: Seen, at_s: float, until_s: float) -> tuple[bool, str]:
    state = seen.state_at(model, at_s)
    there = state.ready + state.starting if state else 0
    most = service.rule.replicas(float(service.load(np.arange(at_s, until_s + 60.0, 60.0)).max()))
    within = format_duration(until_s - at_s)
    return most > there, f"{most} replicas were needed within {within}, {there} were there"


def _needed_by_job(other: JobRecord, room: Sequence[Slot], at_s: float, until_s: float) -> tuple[bool, str]:
    left = {slot.host for slot in room}
    for one in other.attempts:
        if one.started_at_s is not None and at_s <= one.started_at_s <= until_s:
            if left & {slot.host for slot in one.slots}:
                return True, f"job {other.job_id} started there {format_duration(one.started_at_s - at_s)} later"
            return False, f"job {other.job_id} started elsewhere"
    started_s = first_start_s(other, float("inf"))
    return False, f"job {other.job_id} {'had started' if started_s < at_s else 'did not start'} before it went on"


def _violation(short: Shortage, seen: Seen, service: Service, warm_up_s: float, setup: Setup) -> Violation:
    decided_s = short.from_s - warm_up_s
    before, then = seen.state_at(short.model, decided_s), seen.state_at(short.model, short.from_s)
    came = float(service.load(np.array([short.at_s]))[0])
    lost = [one.host for one in setup.outages if decided_s - warm_up_s <= one.at_s <= short.until_s]
    parts = [f"host {', '.join(lost)} was lost"] if lost else []
    if before is not None:
        planned = f"planned for {before.rps_wanted:.1f} requests/s {format_duration(warm_up_s)} before"
        parts.append(f"{planned}, {came:.1f} came")
    if then is not None:
        parts.append(f"{plural(then.ready, 'replica')} ready and {then.starting} starting of {then.wanted} wanted")
    lacks = next((state.lacks for state in (then, before) if state and state.lacks), "")
    parts += [lacks] if lacks else []
    is_more = before is not None and came > before.rps_wanted
    help_ = _would_help(short.model, setup, lacks=lacks, is_more=is_more, is_lost=bool(lost))
    return Violation(short.model, short.from_s, short.until_s, short.lowest, "; ".join(parts), help_)


def _would_help(model: str, setup: Setup, *, lacks: str, is_more: bool, is_lost: bool) -> str:
    shape = next(served.model.shape for served in setup.served if served.model.name == model)
    if lacks:
        like = next((host for host in setup.hosts if never_fits([host], Gang(1, shape)) is None), None)
        return f"one more host like {like.name}" if like else "a host that takes it"
    if is_lost:
        return "replicas that suffice without one host (survive_host_losses: 1)"
    if is_more:
        return "a reserve for flash crowds (control.reserve), or a higher control.quantile"
    return "a shorter warm-up, or one replica more at the least (min_replicas)"
