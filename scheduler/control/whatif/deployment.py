"""What a deployment would do, found by asking the planner on a copy of the last snapshot."""

from dataclasses import dataclass, replace

from scheduler.control.jobs.event_text import cause_of
from scheduler.control.records import CycleRecord
from scheduler.control.settings import Served
from scheduler.control.whatif.compare import compare
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.plan import PreemptJob, StartReplica, Unplaced
from scheduler.model.policy import Policy
from scheduler.model.resources import Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import ServingModel, trial_name
from scheduler.planning.planner import plan


@dataclass(frozen=True, slots=True)
class DeployOutlook:
    """What a deployment would do.

    Attributes:
        slots: where its first replicas would start at once.
        why: why not all of them would; None when they would.
        preempts: a sentence for each job that would be stopped, or have to shrink, for them.
        delays: jobs that start in the next plan without them, and would not with them.
    """

    slots: tuple[Slot, ...] = ()
    why: Unplaced | None = None
    preempts: tuple[str, ...] = ()
    delays: tuple[str, ...] = ()


def deploy_outlook(cycle: CycleRecord, served: Served | None, is_beside: bool, policy: Policy) -> DeployOutlook:  # noqa: FBT001  # two kinds of deployments
    """Return what the first replicas of a revision would do to the state of `cycle`; nothing is touched.

    Args:
        cycle: the last turn.
        served: the revision; None for one for which none starts.
        is_beside: whether it starts beside another one, as many as the surge; else as many as it has at least.
        policy: the site's.
    """
    if served is None:
        return DeployOutlook()
    model = _as_planned(served, is_beside)
    count = served.model.surge if is_beside else max(1, served.model.min_replicas)
    demand = Demand((*_others(cycle.demand, model.name), ModelDemand(model.name, 0, count, count)), cycle.demand.pools)
    before, after = plan(cycle.snapshot, cycle.demand, policy), plan(_with(cycle.snapshot, model), demand, policy)
    led_to, by_id = compare(before, after, cycle.snapshot), cycle.snapshot.by_id
    starts = (action for action in after.actions if isinstance(action, StartReplica))
    return DeployOutlook(
        tuple(start.slot for start in starts if start.revised == model.revised),
        after.reason_for(model.name),
        tuple(f"{stop.job_id} {by_id[stop.job_id].name}: {_cause(stop, cycle)}" for stop in led_to.stopped),
        tuple(f"{job_id} {by_id[job_id].name}" for job_id in led_to.delayed),
    )


def _as_planned(served: Served, is_beside: bool) -> ServingModel:  # noqa: FBT001  # as above
    if not is_beside:
        return served.model
    name, surge = trial_name(served.model.name, served.model.revision), served.model.surge
    return replace(
        served.model, name=name, of=served.model.name, min_replicas=0, max_replicas=surge, survive_host_losses=0
    )


def _others(demand: Demand, name: str) -> tuple[ModelDemand, ...]:
    return tuple(one for one in demand.models if one.model != name)


def _with(snapshot: Snapshot, model: ServingModel) -> Snapshot:
    models = (*(one for one in snapshot.models if one.name != model.name), model)
    made = Snapshot.of(
        version=snapshot.version,
        taken_at_s=snapshot.taken_at_s,
        hosts=snapshot.hosts,
        jobs=snapshot.jobs,
        models=models,
        replicas=snapshot.replicas,
        reservations=snapshot.reservations,
        moves=snapshot.moves,
        queues=snapshot.queues,
        usage=snapshot.usage,
        foreign=snapshot.foreign,
        occupied=snapshot.occupied,
    )
    return replace(made, work=snapshot.work)


def _cause(stop: PreemptJob, cycle: CycleRecord) -> str:
    return cause_of(stop, cycle.snapshot.by_id[stop.job_id].gang, cycle.demand, cycle.at_s)
