"""Where a waiting job starts, or has room reserved, without anybody being stopped for it."""

from scheduler.model.plan import Cause, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import may_sit_on
from scheduler.planning.placement.placing import hosts_for_gang
from scheduler.planning.queueing.search_memo import SearchMemo


def start_job(job: TrainingJob, draft: Draft, memo: SearchMemo) -> StartJob | None:
    """Start a job in its reservation, or else where it fits best; the reservation is kept when it cannot."""
    slots = draft.start_reserved(job)
    if not slots and draft.reservations.of(job.job_id):
        with draft.trial() as trial:
            draft.release(job.job_id)
            slots = _best(job, draft, memo, is_reserved=True)
            if slots:
                trial.keep()
    elif not slots:
        slots = _best(job, draft, memo, is_reserved=False)
    cause = Cause.BACKFILL if draft.bookings else Cause.QUEUE
    return StartJob(job.job_id, job.attempt + 1, slots, cause) if slots else None


def _best(job: TrainingJob, draft: Draft, memo: SearchMemo, *, is_reserved: bool) -> tuple[Slot, ...]:
    """Start a job where it fits best; of one whose reservation is lifted meanwhile nothing is remembered."""
    usable = draft.bookings.room_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        if not is_reserved:
            memo.found_no_room(job, usable)
        return ()
    if not may_sit_on(job, draft, rows):
        return ()
    return draft.start(job, rows, usable)


def reserve(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Reserve what is coming for a job, if that is enough; say whether it is."""
    if memo.finds_nothing_coming(job):
        return False
    usable = draft.bookings.coming_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        memo.found_nothing_coming(job, usable)
        return False
    if not may_sit_on(job, draft, rows):
        return False
    draft.reserve(job.job_id, rows, usable)
    return True
