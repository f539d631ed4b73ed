"""Queues on the wire, from where they stand after the last plan."""

from scheduler.control.reports.queue_usage import QueueUsage, guaranteed_gpu_milli
from scheduler.model import queues as model
from scheduler.wire.queues import Amounts, Queue

MIB = 2**20


def queue_view(standing: QueueUsage) -> Queue:
    """Return one queue."""
    queue = standing.queue
    used = model.Amounts(standing.cpu_milli, standing.memory_mib, standing.gpu_milli)
    return Queue(
        name=queue.name,
        weight=queue.weight,
        submitters=queue.submitters,
        guarantee=_amounts(queue.guarantee),
        borrow_limit=_amounts(queue.borrow_limit),
        lend_limit=_amounts(queue.lend_limit),
        used=_amounts(used),
        guaranteed_gpus=guaranteed_gpu_milli(queue) / 1000,
        borrowed_gpus=standing.borrowed_gpu_milli / 1000,
        lent_gpus=standing.lent_gpu_milli / 1000,
        share=standing.share,
        mean_share=standing.mean_share,
        running=standing.running,
        waiting=standing.waiting,
        waiting_gpus=standing.waiting_gpu_milli / 1000,
        removed=queue.removed,
    )


def _amounts(amounts: model.Amounts) -> Amounts:
    return Amounts(
        cpus=_units(amounts.cpu_milli),
        memory_bytes=None if amounts.memory_mib is None else amounts.memory_mib * MIB,
        gpus=_units(amounts.gpu_milli),
        gpu_models={name: milli / 1000 for name, milli in amounts.gpu_models},
    )


def _units(milli: int | None) -> float | None:
    return None if milli is None else milli / 1000
