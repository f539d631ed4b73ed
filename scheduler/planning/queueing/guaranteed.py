"""Waiting jobs that the guarantees of their queues may cover: they are asked before others are given what they want."""

from collections.abc import Iterator

from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft

Kind = tuple[str, int]
"""Queue and gang."""


class Guaranteed:
    """Those who wait, like ones together: what one of them lacks, all of them lack."""

    def __init__(self, draft: Draft) -> None:
        """Ask nobody yet."""
        self._draft, self._alike = draft, dict[Kind, list[TrainingJob]]()
        self._asked: dict[Kind, int] = {}
        self._all_asked: dict[str, int] = {}
        waiting = draft.snapshot.waiting if draft.quotas is not None else ()
        for job in sorted(waiting, key=lambda one: (-one.priority, one.submitted_at_s, one.job_id)):
            if job.not_before_s <= draft.snapshot.taken_at_s:
                self._alike.setdefault((job.queue, id(job.gang)), []).append(job)

    def before(self, queue: str) -> Iterator[TrainingJob]:
        """Yield those of other queues whom a guarantee covers and who were given nothing, before one of a queue goes.

        Of like ones no more once one finds none, until room has grown. One whose queue is at its limit until others of
        it have left waits for that.
        """
        grown = self._draft.room.grown
        if self._all_asked.get(queue) == grown:
            return
        self._all_asked[queue] = grown
        for kind, alike in self._alike.items():
            if kind[0] == queue or self._asked.get(kind, -1) == self._draft.room.grown:
                continue
            for job in alike:
                if job.job_id in self._draft.placed:
                    continue
                if not self._may_be_given(job):
                    break
                yield job
                if job.job_id not in self._draft.placed:
                    self._asked[kind] = self._draft.room.grown
                    break

    def _may_be_given(self, job: TrainingJob) -> bool:
        quotas = self._draft.quotas
        return quotas is not None and quotas.is_owed(job) and quotas.refusal(job) is None
