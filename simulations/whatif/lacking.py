"""For which models a plan found no room, and for how many replicas."""

from collections import Counter
from typing import Final

from scheduler.control.records import CycleRecord
from scheduler.model.plan import Plan, Reason, StartReplica
from scheduler.model.workloads import ServingModel

BEING_DONE: Final = frozenset({Reason.WAITS_FOR_PREEMPTION, Reason.INSUFFICIENT_HOSTS})
"""Room is being freed; and a spread over too few hosts, with replicas enough."""


def lacking(record: CycleRecord) -> dict[str, int]:
    """Return how many replicas each model lacks for want of room, of those that lack any."""
    held = _held(record.plan)
    found = {model.name: _missing(model, record, held) for model in record.snapshot.served}
    return {name: count for name, count in found.items() if count > 0}


def _missing(model: ServingModel, record: CycleRecord, held: Counter[str]) -> int:
    demand = record.demand.of(model.name)
    if demand is None:
        return 0
    living = len(record.snapshot.living.get(model.name, ()))
    if model.elsewhere:
        return min(demand.replicas_wanted, model.max_replicas) - living - held[model.name]
    why = record.plan.reason_for(model.name)
    if why is None or why.reason in BEING_DONE:
        return 0
    starts = [action for action in record.plan.actions if isinstance(action, StartReplica)]
    there = living + sum(start.model == model.name for start in starts)
    return max(1, demand.replicas_wanted - there)


def _held(plan: Plan) -> Counter[str]:
    held = Counter[str]()
    for hold in plan.holds:
        if len(hold.models) == 1:
            held[hold.models[0]] += len(hold.slots)
    return held
