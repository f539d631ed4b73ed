"""Where every queue stands after a plan: what it is guaranteed, holds, borrows and lends, and who waits in it. Pure."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from scheduler.model.entitlements import GPU, PLAIN, Entitlements, dominant_share
from scheduler.model.queues import Queue
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class QueueUsage:
    """One queue at one moment.

    Attributes:
        queue: as declared.
        cpu_milli, memory_mib, gpu_milli: what it holds.
        lent_gpu_milli: how much of the devices that it is guaranteed and does not hold is not free either.
        share: the largest part of any of the site's resources that it holds, 0 to 1.
        mean_share: likewise of what it held lately.
        running, waiting: jobs.
        waiting_gpu_milli: devices that its waiting jobs ask for.
    """

    queue: Queue
    cpu_milli: int
    memory_mib: int
    gpu_milli: int
    lent_gpu_milli: int
    share: float
    mean_share: float
    running: int
    waiting: int
    waiting_gpu_milli: int

    @property
    def borrowed_gpu_milli(self) -> int:
        """Devices that it holds above its guarantee."""
        return max(0, self.gpu_milli - guaranteed_gpu_milli(self.queue))


def guaranteed_gpu_milli(queue: Queue) -> int:
    """Return the devices that a queue is guaranteed, whatever their model."""
    guarantee = queue.guarantee
    return sum(amount for _, amount in guarantee.gpu_models) if guarantee.gpu_milli is None else guarantee.gpu_milli


def queue_usages(snapshot: Snapshot) -> tuple[QueueUsage, ...]:
    """Return where every declared queue stands, in the order of declaration."""
    entitlements = Entitlements(snapshot.queues, snapshot.ledger.table)
    capacity = entitlements.capacity[:PLAIN]
    held, means = _held(snapshot), _means(snapshot)
    waiting = Counter(job.queue for job in snapshot.waiting)
    asked: Counter[str] = Counter()
    for job in snapshot.waiting:
        asked[job.queue] += entitlements.asked_by(job.gang)[GPU]
    running = Counter(job.queue for job in snapshot.running.jobs)
    unused = {q.name: max(0, guaranteed_gpu_milli(q) - held.get(q.name, (0, 0, 0))[GPU]) for q in snapshot.queues}
    lent = max(0.0, 1.0 - _free_gpu_milli(snapshot) / sum(unused.values())) if any(unused.values()) else 0.0
    return tuple(
        QueueUsage(
            queue,
            *(has := held.get(queue.name, (0, 0, 0))),
            lent_gpu_milli=round(lent * unused[queue.name] / WHOLE_DEVICE_MILLI) * WHOLE_DEVICE_MILLI,
            share=dominant_share(has, capacity),
            mean_share=dominant_share(means.get(queue.name, (0.0, 0.0, 0.0)), capacity),
            running=running[queue.name],
            waiting=waiting[queue.name],
            waiting_gpu_milli=asked[queue.name],
        )
        for queue in snapshot.queues
    )


def _held(snapshot: Snapshot) -> dict[str, tuple[int, int, int]]:
    running, held = snapshot.running, dict[str, tuple[int, int, int]]()
    for (queue, _), row in zip(running.accounts, running.summed_by_account(running.held).tolist(), strict=True):
        before = held.get(queue, (0, 0, 0))
        held[queue] = (before[0] + row[0], before[1] + row[1], before[2] + row[2])
    return held


def _means(snapshot: Snapshot) -> dict[str, tuple[float, float, float]]:
    means: dict[str, tuple[float, float, float]] = {}
    for use in snapshot.usage:
        before = means.get(use.queue, (0.0, 0.0, 0.0))
        means[use.queue] = (before[0] + use.cpu_milli, before[1] + use.memory_mib, before[2] + use.gpu_milli)
    return means


def _free_gpu_milli(snapshot: Snapshot) -> int:
    ledger = snapshot.ledger
    return int(ledger.table.in_whole(np.maximum(ledger.gpu_milli, 0))[ledger.table.usable].sum())
