"""Fair share: whose turn is next, by dominant resource fairness over queues, then over owners within a queue.

Weighted progressive filling (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, section 4.1): the queue with the
lowest share goes next, and its share grows as its jobs are given room. A share is what is held now plus what was held
lately (a mean that halves with the half-life), each as the largest part of any of the site's resources, over the
queue's weight. Queues whose next job stays within their guarantee go before all others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.queue_order import by_priority
from scheduler.model.entitlements import Entitlements, Row, dominant_share, dominant_shares
from scheduler.model.policy import QueueOrder
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob

NOTHING: Final = (0.0, 0.0, 0.0)
Who = tuple[str, str]
"""Queue and owner."""
Holds = tuple[tuple[float, ...], float]
"""Amounts, one a resource, and their dominant share."""


@dataclass(frozen=True, slots=True)
class FairShare:
    """An order of the queue by shares of queues, then of owners.

    Attributes:
        within: in which order the jobs of one owner go. Where waiting counts in it, no job starves behind newer ones.
    """

    within: QueueOrder = by_priority

    def __call__(self, snapshot: Snapshot, placed: Collection[str] = ()) -> Iterator[TrainingJob]:
        """Yield waiting jobs, always from the queue, and in it from the owner, with the lowest share; see `QueueOrder`.

        A queue keeps its turn until one of its jobs is placed: those that find no room cost it nothing.
        """
        lines = _lines(snapshot, self.within)
        heap = [(line.key, name) for name, line in lines.items()]
        heapify(heap)
        while heap:
            _, name = heappop(heap)
            line = lines[name]
            key = line.key
            while line.has_more and line.key <= key:
                job = line.next()
                yield job
                if job.job_id in placed:
                    line.charge(job)
            if line.has_more:
                heappush(heap, (line.key, name))


class _Line:
    """The waiting jobs of one queue, and what it and each of its owners has."""

    def __init__(self, name: str, entitlements: Entitlements, jobs: dict[str, list[TrainingJob]]) -> None:
        self._name, self._entitlements = name, entitlements
        self._weight = entitlements[name].queue.weight
        self._held: tuple[float, ...] = (0,) * len(entitlements.capacity)
        self._share, self._mean = 0.0, 0.0
        self._owners = {owner: _Owner(owner, mine, entitlements) for owner, mine in jobs.items()}
        self._heap: list[tuple[float, str]] = []
        self._covered: dict[int, bool] = {}

    def begin(self, held: Mapping[str, Holds], means: Mapping[str, Holds]) -> None:
        """Take over what owners hold and held lately."""
        capacity, nobody = self._entitlements.capacity, ((0,) * len(self._held), 0.0)
        self._held = tuple(map(sum, zip(*(amounts for amounts, _ in held.values()), strict=True))) or self._held
        self._share = dominant_share(self._held, capacity)
        together = zip(NOTHING, *(amounts for amounts, _ in means.values()), strict=True)
        self._mean = dominant_share([sum(parts) for parts in together], capacity)
        for name, owner in self._owners.items():
            owner.begin(held.get(name, nobody), means.get(name, (NOTHING, 0.0))[1])
        self._heap = [(owner.share, name) for name, owner in self._owners.items()]
        heapify(self._heap)

    @property
    def has_more(self) -> bool:
        return bool(self._heap)

    @property
    def key(self) -> tuple[bool, float]:
        """The lower goes first: within the guarantee or not, then the weighted share."""
        return (not self._is_covered(), (self._share + self._mean) / self._weight)

    def next(self) -> TrainingJob:
        """Return the next job of the owner with the lowest share."""
        owner = self._owners[self._heap[0][1]]
        job = owner.jobs.pop()
        if not owner.jobs:
            heappop(self._heap)
        return job

    def charge(self, job: TrainingJob) -> None:
        """Count what a job got for its queue and its owner."""
        asked = self._entitlements.asked_by(job.gang)
        self._held = _plus(self._held, asked)
        self._share = dominant_share(self._held, self._entitlements.capacity)
        self._covered.clear()
        owner = self._owners[job.owner]
        owner.charge(asked)
        if owner.jobs:
            heappop(self._heap)
            heappush(self._heap, (owner.share, job.owner))

    def _is_covered(self) -> bool:
        """Whether the next job stays within the guarantee; like jobs are judged once until something is placed."""
        if not self._heap:
            return False
        gang = self._owners[self._heap[0][1]].jobs[-1].gang
        if id(gang) not in self._covered:
            self._covered[id(gang)] = self._entitlements.covers(self._name, self._held, gang)
        return self._covered[id(gang)]


class _Owner:
    """One owner's waiting jobs in a queue, the last one the first to go, and its share."""

    def __init__(self, name: str, jobs: list[TrainingJob], entitlements: Entitlements) -> None:
        self.name, self.jobs, self._capacity = name, jobs, entitlements.capacity
        self._held: tuple[float, ...] = ()
        self._mean = 0.0
        self.share = 0.0

    def begin(self, held: Holds, mean: float) -> None:
        self._held, self._mean = held[0], mean
        self.share = held[1] + mean

    def charge(self, asked: Row) -> None:
        self._held = _plus(self._held, asked)
        self.share = dominant_share(self._held, self._capacity) + self._mean


def _lines(snapshot: Snapshot, within: QueueOrder) -> dict[str, _Line]:
    entitlements = Entitlements(snapshot.queues, snapshot.ledger.table)
    waiting: dict[str, dict[str, list[TrainingJob]]] = defaultdict(lambda: defaultdict(list))
    for job in reversed(tuple(within(snapshot, ()))):
        waiting[job.queue][job.owner].append(job)
    running, uses = snapshot.running, snapshot.usage
    held = _by_queue(running.accounts, running.summed_by_account(entitlements.held(running)), entitlements)
    means = np.array([(use.cpu_milli, use.memory_mib, use.gpu_milli) for use in uses], dtype=np.float64).reshape(-1, 3)
    lately = _by_queue([(use.queue, use.owner) for use in uses], means, entitlements)
    lines = {name: _Line(name, entitlements, jobs) for name, jobs in waiting.items()}
    for name, line in lines.items():
        line.begin(held.get(name, {}), lately.get(name, {}))
    return lines


def _by_queue(
    accounts: Sequence[Who], amounts: NDArray[np.int64] | NDArray[np.float64], entitlements: Entitlements
) -> Mapping[str, Mapping[str, Holds]]:
    """Return the amounts of each owner, (N, R), with their dominant share, by queue and owner."""
    shares = dominant_shares(amounts, entitlements.capacity).tolist()
    found: dict[str, dict[str, Holds]] = defaultdict(dict)
    for (queue, owner), row, share in zip(accounts, amounts.tolist(), shares, strict=True):
        found[queue][owner] = (tuple(row), share)
    return found


def _plus(one: tuple[float, ...], other: Row) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
