"""What the terms of queues let a job do, where queues have any: else everything."""

from collections.abc import Sequence

from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.preemption.candidates import Victim


def takes_back(job: TrainingJob, draft: Draft, victims: Sequence[Victim]) -> bool:
    """Whether a job has room back that its queue is guaranteed and others use."""
    others = any(victim.job.queue != job.queue for victim in victims)
    return others and draft.quotas is not None and draft.quotas.is_owed(job)


def more_workers(job: TrainingJob, draft: Draft, rows: Sequence[int]) -> int:
    """Return by how many workers, one on each of these host rows, a job may grow."""
    return len(rows) if draft.quotas is None else draft.quotas.more_workers(job, rows)


def may_sit_on(job: TrainingJob, draft: Draft, rows: Sequence[int]) -> bool:
    """Whether a job, which its queue does not refuse, may have room on these host rows."""
    quotas = _where_devices_differ(draft)
    return quotas is None or quotas.refusal_on(job, rows) is None


def may_have_others_stopped(job: TrainingJob, draft: Draft) -> bool:
    """Whether a job is trusted to start, and may wherever others are stopped for it."""
    if job.trusted_from_s > draft.snapshot.taken_at_s:
        return False
    quotas = _where_devices_differ(draft)
    return quotas is None or quotas.may_hold_most(job)


def could_be_won(job: TrainingJob, draft: Draft, gang: Gang) -> bool:
    """Whether a gang could fit if all were stopped who may be for a job; "perhaps" where queues have terms."""
    return draft.quotas is not None or draft.stoppable.are_enough(job, gang, draft.room.coming)


def eligibility_of(job: TrainingJob, draft: Draft) -> bytes:
    """Return a key that is equal for waiting jobs for whom the same may be stopped."""
    by_rule = draft.stoppable.key(job)
    return by_rule if draft.quotas is None else by_rule + draft.quotas.eligibility_of(job)


def _where_devices_differ(draft: Draft) -> Quotas | None:
    """Return the accounts of the queues, where what a job counts for depends on the devices that it gets."""
    return draft.quotas if draft.snapshot.ledger.table.is_cut else None
