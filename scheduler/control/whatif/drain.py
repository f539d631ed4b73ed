"""What a drain would do, found by asking the planner on a copy of the last snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scheduler.control.jobs.event_text import clock_time, places, span
from scheduler.control.records import CycleRecord, HostMark
from scheduler.control.snapshots.parts import marked, with_deadlines
from scheduler.control.whatif.compare import compare
from scheduler.model.demand import Demand
from scheduler.model.plan import Action, Plan, StartReplica, StopReplica
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Replica, TrainingJob
from scheduler.planning.planner import plan


@dataclass(frozen=True, slots=True)
class DrainOutlook:
    """What a drain does.

    Attributes:
        host: its name.
        steps: one sentence per replica or job that moves or ends.
        covered: whether every model keeps the replicas it needs and will need within its lead time.
        short: models that would lack replicas, empty when covered.
        empty_at_s: when the host is expected to be empty, epoch seconds.
        applied: whether the drain was begun.
    """

    host: str
    steps: tuple[str, ...]
    covered: bool
    short: tuple[str, ...]
    empty_at_s: float
    applied: bool = False


def drain_outlook(cycle: CycleRecord, mark: HostMark, policy: Policy) -> DrainOutlook:
    """Return what draining `mark.host` would do to the state of `cycle`; nothing is touched."""
    snapshot, demand = cycle.snapshot, _for_the_peak(cycle.demand)
    without = _draining(snapshot, mark)
    before, moved = plan(snapshot, demand, policy), plan(without, demand, policy)
    short = compare(before, moved, snapshot).short
    jobs = _on(mark.host, without.jobs)
    replicas = [replica for replica in snapshot.replicas if replica.slot.host == mark.host]
    steps = (*_replica_steps(replicas, moved, snapshot), *map(_job_step, jobs))
    return DrainOutlook(mark.host, steps, not short, short, _empty_at_s(replicas, jobs, snapshot))


def _for_the_peak(demand: Demand) -> Demand:
    """Return the demand with the replicas held for the coming peak wanted already: a drained host is gone for long."""
    return Demand(tuple(replace(model, replicas_wanted=model.replicas_held) for model in demand.models))


def _draining(snapshot: Snapshot, mark: HostMark) -> Snapshot:
    """Return the world as it is, but for the mark on the host and the deadline of the jobs there."""
    changed = {job.job_id: with_deadlines(job, [mark]) for job in _on(mark.host, snapshot.jobs)}
    return snapshot.otherwise(changed, marked(snapshot.hosts, [mark]))


def _on(host: str, jobs: Iterable[TrainingJob]) -> list[TrainingJob]:
    return [job for job in jobs if any(slot.host == host for slot in job.slots)]


def _replica_steps(replicas: Iterable[Replica], made: Plan, snapshot: Snapshot) -> Iterable[str]:
    starts: list[Action] = list(made.actions)
    for replica in replicas:
        model = snapshot.model(replica.model)
        start = next((a for a in starts if isinstance(a, StartReplica) and a.model == replica.model), None)
        if start is not None and model is not None:
            starts.remove(start)
            yield f"{replica.model}: 1 replica starts on {places([start.slot])} first, {span(model.warm_up_s)}"
        elif any(isinstance(a, StopReplica) and a.replica_id == replica.replica_id for a in made.actions):
            yield f"{replica.model}: 1 replica more than needed stops"
        else:
            yield f"{replica.model}: 1 replica stays until there is room for another"


def _job_step(job: TrainingJob) -> str:
    if job.ends_in_time:
        end = clock_time(job.limit_s)
        return f"{job.job_id} {job.name}: ends by itself until {end}, within the deadline: not preempted"
    return f"{job.job_id} {job.name}: saves a checkpoint within {span(job.grace_period_s)} and waits for other room"


def _empty_at_s(replicas: Iterable[Replica], jobs: Iterable[TrainingJob], snapshot: Snapshot) -> float:
    now_s = snapshot.taken_at_s
    moves = [snapshot.model(replica.model) for replica in replicas]
    moved = [now_s + model.warm_up_s for model in moves if model is not None]
    ended = [job.limit_s if job.ends_in_time else now_s + job.grace_period_s for job in jobs]
    return max((*moved, *ended), default=now_s)
