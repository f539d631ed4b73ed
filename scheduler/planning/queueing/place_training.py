"""Waiting jobs in queue order: start what fits, reserve what is being freed, preempt for what may preempt."""

from scheduler.model.plan import StartJob
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import may_have_others_stopped
from scheduler.planning.queueing.guaranteed import Guaranteed
from scheduler.planning.queueing.outranked import Outranked
from scheduler.planning.queueing.preempting import make_way_in_queue, preempt, preempt_equals
from scheduler.planning.queueing.search_memo import SearchMemo
from scheduler.planning.queueing.starting import reserve, start_job
from scheduler.planning.restarts.grow import top_up
from scheduler.planning.restarts.shrink import keep_remainders


def place_training(draft: Draft) -> list[StartJob]:
    """Go through the queue once and return what starts; for blocked jobs room is reserved, for the first it is booked.

    Nobody is preempted before everything free and everything coming has been tried, and a job's turn comes before
    those behind it take free room that its victims' room must be joined with.
    """
    return top_up(draft, _Turns(draft).taken())


class _Turns:
    """One run through the queue."""

    def __init__(self, draft: Draft) -> None:
        self._draft, self._memo = draft, SearchMemo(draft)
        self._guaranteed, self._outranked = Guaranteed(draft), Outranked(draft)
        self._starts: dict[str, StartJob] = {}

    def taken(self) -> list[StartJob]:
        """Give each waiting job its turn; return what starts."""
        draft, blocked = self._draft, 0
        for job in draft.queue:
            if job.not_before_s > draft.snapshot.taken_at_s or draft.placed.get(job.job_id):
                continue
            if blocked > draft.policy.max_backfill:
                break
            if draft.quotas is None and draft.bookings.are_enough and self._memo.is_known_to_be_over(job):
                blocked += 1
                continue
            if draft.quotas is not None and not draft.quotas.is_owed(job):
                self._before(job.queue)
            self._turn(job)
            blocked += not draft.placed.get(job.job_id)
        self._before("")
        return [start for start in self._starts.values() if draft.placed.get(start.job_id)]

    def _turn(self, job: TrainingJob) -> None:
        """Start a job, or reserve room for it, or have others stopped for it, or book for it."""
        draft = self._draft
        if draft.quotas is not None and draft.quotas.refusal(job):
            make_way_in_queue(job, draft)
            return
        self._start_or_reserve(job)
        if job.job_id not in draft.placed and job.job_id not in draft.reservations.lapsed:
            draft.book(job)

    def _start_or_reserve(self, job: TrainingJob) -> None:
        draft, memo = self._draft, self._memo
        over = memo.is_over(job)
        if not over and not memo.finds_no_room(job) and self._start(job):
            return
        if self._start_before_bookings(job) or job.job_id in draft.reservations.lapsed:
            return
        if not over and not memo.is_hopeless(job):
            self._reserve_or_preempt(job)
        else:
            self._take_places(job)
        if draft.reservations.of(job.job_id):
            draft.place(job)

    def _start(self, job: TrainingJob) -> bool:
        start = start_job(job, self._draft, self._memo)
        if start:
            self._starts[start.job_id] = start
        return start is not None

    def _take_places(self, job: TrainingJob) -> bool:
        """Give a job the room of those it outranks; say whether it has room then."""
        if not self._outranked.by(job) or not may_have_others_stopped(job, self._draft):
            return False
        if not self._outranked.leave_room_for(job):
            return False
        self._start(job)
        return True

    def _before(self, queue: str) -> None:
        """Give those of other queues their turn whom a guarantee covers, before one goes that none covers.

        Their own queue may have others go before them, and what is free, or is freed for one that no guarantee covers,
        would be gone for another minimum run.
        """
        draft = self._draft
        for job in self._guaranteed.before(queue):
            with draft.trial() as trial:
                draft.withdraw_booking(job)
                self._start_or_reserve(job)
                if job.job_id in draft.placed:
                    trial.keep()

    def _start_before_bookings(self, job: TrainingJob) -> bool:
        """Start a job that its queue's guarantee covers in booked room, or reserve it some, where that is in its way.

        A booking may be its own queue's, for what goes beyond the guarantee: that holds no guarantee up as long as
        others hold room. Those who had booked are booked anew afterwards. What finds nothing is not tried again until
        somebody is stopped. Say whether it starts.
        """
        draft, key = self._draft, (job.queue, id(job.gang))
        if not self._is_held_up_by_bookings(job) or key in draft.in_vain:
            return False
        booked = [booking.job for booking in draft.bookings]
        with draft.trial() as trial:
            for other in booked:
                draft.withdraw_booking(other)
            if (self._memo.finds_no_room(job) or not self._start(job)) and not self._memo.is_hopeless(job):
                self._reserve_or_preempt(job)
            if not draft.placed.get(job.job_id) and not draft.reservations.of(job.job_id):
                draft.in_vain.add(key)
                return False
            trial.keep()
        for other in booked:
            draft.book(other)
        return bool(draft.placed.get(job.job_id))

    def _is_held_up_by_bookings(self, job: TrainingJob) -> bool:
        """Whether a job that its queue's guarantee covers waits while there are bookings, and others hold room."""
        draft, quotas = self._draft, self._draft.quotas
        if quotas is None or not draft.bookings or draft.reservations.of(job.job_id):
            return False
        return (
            job.job_id not in draft.reservations.lapsed and quotas.is_owed(job) and quotas.shares_with_others(job.queue)
        )

    def _reserve_or_preempt(self, job: TrainingJob) -> None:
        """Reserve room that is being freed for a blocked job; where that is too little, have others stopped for it."""
        draft, memo = self._draft, self._memo
        if reserve(job, draft, memo) or not may_have_others_stopped(job, draft) or memo.waits_for_bookings(job):
            return  # where enough is coming, and booked, stopping others would not change that
        if self._take_places(job):
            return
        if self._reserve_in_remainders(job):
            keep_remainders(draft)
        elif preempt(job, draft, memo) or preempt_equals(job, draft, memo):
            reserve(job, draft, memo)
            keep_remainders(draft)
        else:
            memo.stops_nobody(job)

    def _reserve_in_remainders(self, job: TrainingJob) -> bool:
        """Reserve what others were to keep who are stopped anyhow, if a job may have them stopped; say whether it does.

        Else they would go on with it, and be stopped once more for this job after their minimum run.
        """
        draft = self._draft
        keeping = (draft.snapshot.by_id[job_id] for job_id in draft.stops if draft.reservations.of(job_id))
        others = draft.stoppable.of(keeping, job) if draft.quotas is None else []
        with draft.trial() as trial:
            for other in others:
                draft.release(other.job_id)
            if others and reserve(job, draft, self._memo):
                trial.keep()
        return trial.kept
