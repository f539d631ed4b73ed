"""Why a job waits by the terms of queues: what is asked, what they leave, and until when."""

import numpy as np

from scheduler.model.entitlements import MEMORY, PLAIN
from scheduler.model.plan import Reason, Unplaced
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.accounts import Refusal
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.reasons.wording import asks

MOST_NAMES = 5
"""More names of those in the way than these help nobody."""


class QueueReasons:
    """Why jobs wait by the terms of queues, found once for all that were refused alike."""

    def __init__(self, draft: Draft) -> None:
        """Start from what was decided."""
        self._draft = draft
        self._known: dict[tuple[int, int], Unplaced] = {}

    def of(self, job: TrainingJob) -> Unplaced | None:
        """Return the reason of a job that was refused, None for others."""
        quotas = self._draft.quotas
        refusal = None if quotas is None else quotas.refused.get(job.job_id)
        if quotas is None or refusal is None:
            return None
        key = (id(refusal), id(job.gang))
        if key not in self._known:
            self._known[key] = _reason(job, refusal, self._draft, quotas)
        return self._known[key]


def _reason(job: TrainingJob, refusal: Refusal, draft: Draft, quotas: Quotas) -> Unplaced:
    models, needs = quotas.entitlements.models, f"needs {asks(job.gang)}"
    asked, free = _whole(refusal.column, refusal.asked), _whole(refusal.column, refusal.free)
    left = in_words(refusal.column, refusal.free, models)
    if refusal.ceiling is None:
        message = f"{needs}; {left} are free beyond what queue {refusal.queue} keeps of its guarantee"
        return Unplaced(job.job_id, Reason.KEPT_FOR_QUEUE, message, asked, free)
    most = in_words(refusal.column, refusal.ceiling, models)
    message = f"{needs}; queue {refusal.queue} may hold at most {most}, {left} more than now"
    until_s, names = _when(refusal, draft, quotas)
    return Unplaced(job.job_id, Reason.QUEUE_LIMIT, message, asked, free, until_s, names)


def in_words(column: int, amount: int, models: tuple[str, ...]) -> str:
    """Return an amount of a column for people, for instance "8 GPUs", "2.5 MI300X", "64 cores" or "512 MiB"."""
    if column == MEMORY:
        return f"{amount} MiB"
    unit = models[column - PLAIN] if column >= PLAIN else ("cores", "", "GPUs")[column]
    return f"{amount / 1000:g} {unit}"


def _whole(column: int, amount: int) -> int:
    return amount if column == MEMORY else amount // 1000


def _when(refusal: Refusal, draft: Draft, quotas: Quotas) -> tuple[float | None, tuple[str, ...]]:
    """Return when enough of the queue's running jobs are expected to be over, and the first of them to end."""
    running = draft.snapshot.running
    is_its = np.array([queue == refusal.queue for queue, _ in running.accounts], dtype=bool)
    its = np.flatnonzero(is_its[running.account])
    its = its[np.argsort(running.ends_s[its], kind="stable")]
    freed = np.cumsum(quotas.amounts[its, refusal.column])
    enough = int(np.searchsorted(freed, refusal.asked - refusal.free))
    names = tuple(str(running.jobs[index].job_id) for index in its[:MOST_NAMES].tolist())
    known = enough < len(its) and np.isfinite(running.ends_s[its[enough]])
    return float(running.ends_s[its[enough]]) if known else None, names
