"""What community models may hold together: the most important of them first, the others as many as are left. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.model.demand import Demand
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import ServingModel


def within_limit(snapshot: Snapshot, demand: Demand, most_gpus: float) -> Snapshot:
    """Return a snapshot in which community models want no more devices together than they may hold.

    Args:
        snapshot: the models, most important first.
        demand: what they want.
        most_gpus: devices, parts counted in part; negative for no limit.
    """
    if most_gpus < 0 or not any(model.community for model in snapshot.models):
        return snapshot
    return replace(snapshot, models=tuple(_limited(snapshot, demand, most_gpus)))


def _limited(snapshot: Snapshot, demand: Demand, left: float) -> Sequence[ServingModel]:
    models = []
    for model in snapshot.models:
        gpus, wants = snapshot.ledger.table.gpus_of(model.shape), demand.of(model.name)
        if not model.community or model.elsewhere or not gpus:
            models.append(model)
            continue
        wanted = min(max(wants.replicas_wanted if wants else 0, model.min_replicas), model.max_replicas)
        count = min(wanted, int((left + ROUNDING) / gpus))
        left -= count * gpus
        models.append(model if count == wanted else replace(model, min_replicas=count, max_replicas=count))
    return models


ROUNDING = 1e-9
"""Ten tenths of a device are one."""
