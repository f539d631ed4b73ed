"""The verdict in words: is serving covered, what is being done, what is unusual. CLI and page both print it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from scheduler.model.counting import plural
from scheduler.model.demand import Basis, Demand
from scheduler.model.hosts import HostState
from scheduler.model.plan import Plan, PreemptJob, StartReplica
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, ReplicaState
from scheduler.planning.reasons.wording import listed
from scheduler.planning.serving.coverage import Coverage

Wording = Callable[[float], str]
"""Puts a number of seconds into words: an epoch second ("Tue 19:00") or a duration ("33 min")."""

_BASES = {
    Basis.CORRECTED: "The load of {} is above its forecast, which is corrected",
    Basis.COLD_START: "{} has too little history to forecast: planned by its load now, with a margin",
    Basis.SILENT: "The traffic source of {} is silent: planned by its last load, with a margin",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people read first.

    Attributes:
        verdict: one sentence; its first word is "Short" when serving falls short.
        detail: what is being done about it; "" when nothing is.
        notice: drains, hosts that do not answer, silent sources; "" when there are none.
        covered: whether serving is covered.
    """

    verdict: str
    detail: str
    notice: str
    covered: bool


def verdict(  # noqa: PLR0913  # values and the two wordings, all by name but the state
    snapshot: Snapshot, demand: Demand, plan: Plan, coverage: Coverage, *, time: Wording, duration: Wording
) -> Verdict:
    """Put the state into words.

    Args:
        snapshot: the world the plan was made for.
        demand: likewise.
        plan: what is being done.
        coverage: headroom now and ahead.
        time: words for an epoch second.
        duration: words for a number of seconds.
    """
    return Verdict(
        _verdict(snapshot, coverage, time, duration),
        " ".join(_details(snapshot, demand, plan, time)),
        " ".join(f"{notice}." for notice in _notices(snapshot, demand, duration)),
        coverage.is_covered,
    )


def _verdict(snapshot: Snapshot, coverage: Coverage, time: Wording, duration: Wording) -> str:
    if not snapshot.hosts:
        return "No plan yet: no host has reported."
    if not snapshot.models:
        return "No model is served yet; all hosts may train."
    if all(model.elsewhere for model in snapshot.models):
        return f"All that is served runs elsewhere ({plural(len(snapshot.models), 'model')}); room is held for it."
    if coverage.short:
        return _short(coverage, time)
    if not coverage.points:
        return "Serving is covered now; there is no forecast yet."
    return f"Serving is covered for the next {duration(coverage.points[-1].at_s - snapshot.taken_at_s)}."


def _short(coverage: Coverage, time: Wording) -> str:
    first, last, lowest = coverage.short[0], coverage.short[-1], coverage.lowest
    start = "now" if first is coverage.now else f"from {time(first.at_s)}"
    until = "" if last is first else f" to {time(last.at_s)}"
    when = "" if lowest is first else f" at {time(lowest.at_s)}"
    return f"Short {start}{until}: {lowest.model} has {lowest.ratio or 0.0:.2f} of the replicas it needs{when}."


def _details(snapshot: Snapshot, demand: Demand, plan: Plan, time: Wording) -> Iterator[str]:
    """Say who is preempted for whom, and what starts."""
    orders = [action for action in plan.actions if isinstance(action, PreemptJob)]
    stopping = {job.job_id for job in snapshot.jobs if job.state is JobState.PREEMPTING}
    stopping |= {order.job_id for order in orders}
    growing = _growing(snapshot, plan, stopping)
    if preempted := stopping - growing:
        yield f"{_jobs(preempted)} being preempted now{_for_whom(snapshot, demand, plan, stopping, time)}."
    if growing:
        yield f"{_jobs(growing)} about to go on with more workers."
    starting = dict(_starting(snapshot, plan))
    if starting:
        counts = [f"{number} of {model}" for model, number in starting.items()]
        total = sum(starting.values())
        yield f"{plural(total, 'replica')} {'is' if total == 1 else 'are'} starting: {listed(counts)}."


def _jobs(ids: Collection[str]) -> str:
    return "One training job is" if len(ids) == 1 else f"{len(ids)} training jobs are"


def _growing(snapshot: Snapshot, plan: Plan, stopping: Collection[str]) -> set[str]:
    """Return the jobs that were told to stop and have more room reserved than they hold."""
    reserved = {reservation.holder: len(reservation.slots) for reservation in plan.reservations}
    known = {job_id: job for job_id in stopping if (job := snapshot.by_id.get(job_id))}
    return {job_id for job_id, job in known.items() if reserved.get(job_id, 0) > len(job.slots)}


def _for_whom(snapshot: Snapshot, demand: Demand, plan: Plan, stopping: Collection[str], time: Wording) -> str:
    holders = {reservation.holder for reservation in plan.reservations} - set(stopping)
    models = [model.name for model in snapshot.models if model.name in holders]
    if not models:
        names = [job.name for job in snapshot.jobs if job.job_id in holders]
        return f" for {listed(names)}" if names else ""
    peaks = [d.peak_at_s for d in demand.models if d.model in models and d.peak_at_s > snapshot.taken_at_s]
    before = f" before the {time(min(peaks))} peak" if peaks else ""
    return f" so that {listed(models)} {'is' if len(models) == 1 else 'are'} ready{before}"


def _starting(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[str, int]]:
    begun = [replica.model for replica in snapshot.replicas if replica.state is ReplicaState.STARTING]
    begun += [action.model for action in plan.actions if isinstance(action, StartReplica)]
    yield from ((model.name, begun.count(model.name)) for model in snapshot.models if model.name in begun)


def _notices(snapshot: Snapshot, demand: Demand, duration: Wording) -> Iterator[str]:
    for host in snapshot.hosts:
        if host.state is HostState.DRAINING:
            yield f"{host.name} is draining"
        elif host.state is HostState.LOST:
            yield f"{host.name} has been unreachable for {duration(snapshot.taken_at_s - host.since_s)}"
    cordoned = [host.name for host in snapshot.hosts if host.state is HostState.CORDONED]
    if cordoned:
        yield f"{listed(cordoned)} {'takes' if len(cordoned) == 1 else 'take'} no new work"
    for basis, words in _BASES.items():
        if models := [each.model for each in demand.models if each.basis is basis]:
            yield words.format(listed(models))
