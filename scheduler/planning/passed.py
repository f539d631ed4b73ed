"""Waiting jobs that found nothing at their turn, to be asked again once others are stopped."""

from collections.abc import Iterator

from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft import Draft


class PassedOver:
    """Those whose turn is over, in queue order; like ones are kept together, as what one lacks all of them lack."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._alike: dict[tuple[str, int], list[TrainingJob]] = {}

    def add(self, job: TrainingJob) -> None:
        """Remember one."""
        self._alike.setdefault((job.queue, id(job.gang)), []).append(job)

    def owed(self, draft: Draft) -> Iterator[TrainingJob]:
        """Yield those whom a guarantee covers and who were given nothing; of like ones no more once one finds none.

        One whose queue is at its limit until others of it have left waits for that.
        """
        for alike in self._alike.values():
            for job in alike:
                if job.job_id in draft.placed:
                    continue
                if draft.quotas is None or not draft.quotas.is_owed(job) or draft.quotas.refusal(job):
                    break
                yield job
                if job.job_id not in draft.placed:
                    break
