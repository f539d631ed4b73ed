"""Learning from the work of the site: counts what is asked for as it comes, and now and then says what it amounts to.

Jobs are counted once, when they are first seen; what runs is looked up only when there is news, so that a turn without
any costs nothing. Counts are halved when there are many: what was asked for long ago is forgotten by and by.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from scheduler.control.records import JobRecord
from scheduler.model.resources import Shape
from scheduler.model.work import NOTHING_SEEN, WorkSeen
from scheduler.model.workloads import JobId, Replica, ReplicaState, ServingModel

REMEMBERED: Final = 20_000
"""Workers counted before counts are halved; as many of the newest jobs are looked at when a process begins."""
NEWS: Final = 0.05
"""Share of what was counted that must have come since for it to be news."""
LESSON: Final = 3
"""Growth of the counts after which the usual mix is another; once they no longer grow, half of what they hold is."""


@dataclass(slots=True)
class WorkloadStats:
    """What one loop has seen.

    Attributes:
        work: as of the last news.
    """

    work: WorkSeen = NOTHING_SEEN
    _seen: Counter[Shape] = field(default_factory=Counter)
    _latest: tuple[float, frozenset[JobId]] = (-1.0, frozenset())
    _news: int = 0
    _since_lesson: int = 0

    @classmethod
    def going_on(cls, work: WorkSeen, jobs: Sequence[JobRecord]) -> Self:
        """Return those of a loop that has seen this work, and these jobs the last."""
        stats = cls(work=work)
        stats._seen.update(dict(zip(work.shapes, work.seen, strict=True)))
        newest_s = max((job.submitted_at_s for job in jobs), default=-1.0)
        stats._latest = (newest_s, frozenset(job.job_id for job in jobs if job.submitted_at_s == newest_s))
        return stats

    def look(self, jobs: Sequence[JobRecord], replicas: Iterable[Replica], models: Iterable[ServingModel]) -> WorkSeen:
        """Count what is new and return what was seen.

        Args:
            jobs: open jobs, oldest first, and at first also those that are over.
            replicas: that hold room.
            models: what is served.
        """
        self._count(jobs)
        if self.has_news:
            self._sum_up(jobs, _served(replicas, models))
        return self.work

    @property
    def has_news(self) -> bool:
        """Whether enough has come since it was last summed up."""
        return (self._news > 0 or self.work is NOTHING_SEEN) and self._news >= NEWS * sum(self._seen.values())

    def count(self, shape: Shape, workers: int) -> None:
        """Count workers that are asked for."""
        self._seen[shape] += workers
        self._news += workers
        self._since_lesson += workers

    def _count(self, jobs: Sequence[JobRecord]) -> None:
        """Count jobs not seen before; they are the last ones, because jobs come in order of submission."""
        at_s, known = self._latest
        fresh = []
        for job in reversed(jobs):
            if job.submitted_at_s < at_s:
                break
            if job.submitted_at_s > at_s or job.job_id not in known:
                fresh.append(job)
        for job in fresh:
            self.count(job.spec.gang.shape, job.spec.gang.workers)
        if fresh:
            newest_s = fresh[0].submitted_at_s
            same = frozenset(job.job_id for job in fresh if job.submitted_at_s == newest_s)
            self._latest = (newest_s, same | known if newest_s == at_s else same)
        self.forget()

    def forget(self) -> None:
        """Halve the counts when there are many."""
        if sum(self._seen.values()) > REMEMBERED:
            self._seen = Counter({shape: count // 2 for shape, count in self._seen.items() if count > 1})

    def _sum_up(self, jobs: Iterable[JobRecord], served: Counter[Shape]) -> None:
        running, waiting = Counter(served), Counter[Shape]()
        for job in jobs:
            if not job.state.is_final:
                (running if job.state.holds_room else waiting)[job.spec.gang.shape] += job.spec.gang.workers
        self.sum_up(running, waiting, served)

    def sum_up(self, running: Counter[Shape], waiting: Counter[Shape], served: Counter[Shape] | None = None) -> None:
        """Say what was counted amounts to, and replicas beside it, when so many of both run and so many wait."""
        seen, usual = self._seen + (served or Counter()), self.work.usual
        if self._since_lesson >= min((LESSON - 1) * sum(count for _, count in usual), REMEMBERED // 2):
            usual, self._since_lesson = tuple(seen.items()), 0
        self.work, self._news = (
            WorkSeen(
                shapes=tuple(seen),
                seen=tuple(seen.values()),
                started=tuple(max(count - waiting[shape], running[shape]) for shape, count in seen.items()),
                running=tuple(running[shape] for shape in seen),
                usual=usual,
            ),
            0,
        )


def _served(replicas: Iterable[Replica], models: Iterable[ServingModel]) -> Counter[Shape]:
    """Return replicas by shape: those that run, and at least as many as are always to run."""
    running = Counter(replica.model for replica in replicas if replica.state is not ReplicaState.STOPPING)
    count: Counter[Shape] = Counter()
    for model in models:
        count[model.shape] += max(running[model.name], model.min_replicas)
    return +count
