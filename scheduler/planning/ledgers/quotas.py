"""What queues hold as a plan goes on: who may start by the terms of the queues, and who is owed room.

A queue never holds more than its guarantee and its borrow limit, and whoever borrows leaves free what others keep of
their guarantees. Made only where queues are declared with such terms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from scheduler.model.entitlements import Entitlement, Entitlements, Row
from scheduler.model.resources import Slot
from scheduler.model.running import place_of
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.ledgers.accounts import Account, FreeRoom, Leeway, Refusal, excess_over, less, plus, times
from scheduler.planning.placement.cached_trial import CachedTrial


class Quotas:
    """The accounts of all queues in one planning run.

    Attributes:
        entitlements: what the queues may have.
        refused: why jobs were refused, by job id.
    """

    def __init__(self, snapshot: Snapshot, now: CachedTrial) -> None:
        """Count what running jobs hold.

        Args:
            snapshot: the world.
            now: room that may be used: what serving has, or is kept for it or reserved, taken off; it is followed.
        """
        self._running = snapshot.running
        self.entitlements = Entitlements(snapshot.queues, snapshot.ledger.table)
        self._nothing: Row = (0,) * len(self.entitlements.capacity)
        self._accounts: dict[str, Account] = {}
        self._reserved: dict[str, Row] = {}
        self._goes_on: dict[str, tuple[Row, Row]] = {}
        self._asked: dict[int, Row] = {}
        self.refused: dict[str, Refusal] = {}
        self._verdicts: dict[tuple[str, int], Refusal | None] = {}
        self._owed: dict[tuple[str, int], bool] = {}
        self._kept: dict[int, int] = {}
        self._leeways: dict[str, Leeway] = {}
        self._free = FreeRoom(now, self.entitlements) if self.entitlements.keeps_any else None
        self._count_running()

    def _count_running(self) -> None:
        running = self._running
        self.amounts = self.entitlements.held(running)
        held = running.summed_by_account(self.amounts)
        leaving = running.summed_by_account(self.amounts * running.leaving[:, None])
        for queue, numbers in self._accounts_by_queue().items():
            account = self._account(queue)
            account.running = account.held = tuple(held[numbers].sum(axis=0).tolist())
            account.leaving = tuple(leaving[numbers].sum(axis=0).tolist())

    def _accounts_by_queue(self) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}
        for number, (queue, _) in enumerate(self._running.accounts):
            numbers.setdefault(queue, []).append(number)
        return numbers

    def refusal(self, job: TrainingJob) -> Refusal | None:
        """Return why a job may not start now; like jobs are judged once until something changes."""
        if job.job_id in self._reserved:
            verdict = self._judged(job)
        else:
            key = (job.queue, id(job.gang))
            if key not in self._verdicts:
                self._verdicts[key] = self._judged(job)
            verdict = self._verdicts[key]
        if verdict is not None:
            self.refused[job.job_id] = verdict
        return verdict

    def refusal_on(self, job: TrainingJob, rows: Sequence[int]) -> Refusal | None:
        """Return why a job may not have room on these host rows: where devices are larger it holds more than asked."""
        asked = self.entitlements.asked_on(job.gang, rows)
        if asked == self.asked(job):
            return None
        verdict = self._judged(job, asked)
        if verdict is not None:
            self.refused[job.job_id] = verdict
        return verdict

    def may_hold_most(self, job: TrainingJob) -> bool:
        """Whether a job may start even on the largest devices that suit it: only then are others stopped for it."""
        asked = self.entitlements.asked_by(job.gang, at_most=True)
        return asked == self.asked(job) or self._judged(job, asked) is None

    def excess(self, job: TrainingJob) -> Row:
        """Return by how much its queue would be above its ceiling with a job, once all that leaves is gone."""
        asked = self.entitlements.asked_by(job.gang, at_most=True)
        after = plus(self._without_own(job, self._account(job.queue).will_hold), asked)
        ceiling = self.entitlements[job.queue].ceiling
        return excess_over(after, ceiling)

    def may_go_on(self, job: TrainingJob, slots: Sequence[Slot]) -> bool:
        """Whether a running job that is told to stop, and keeps nothing yet, may go on in slots of its own."""
        after = plus(self._account(job.queue).will_hold, self.entitlements.held_at(job.gang, slots))
        return not any(excess_over(after, self.entitlements[job.queue].ceiling))

    def may_shrink_by(self, job: TrainingJob, slots: Sequence[Slot]) -> bool:
        """Whether a running job that gives up slots may go on in its others: its queue may be above its limit."""
        after = less(self._account(job.queue).will_hold, self.entitlements.held_at(job.gang, slots))
        return not any(excess_over(after, self.entitlements[job.queue].ceiling))

    def is_guaranteed(self, job: TrainingJob, slots: Sequence[Slot]) -> bool:
        """Whether its queue's guarantee covers what a job starts with, or has reserved, in slots."""
        held = less(self._account(job.queue).will_hold, self.entitlements.held_at(job.gang, slots))
        return self.entitlements.covers(job.queue, held, job.gang)

    def is_owed(self, job: TrainingJob) -> bool:
        """Whether a job is covered by its queue's guarantee: the queue may have room back for it."""
        if job.job_id in self._reserved:
            return self._covers(job)
        key = (job.queue, id(job.gang))
        if key not in self._owed:
            self._owed[key] = self._covers(job)
        return self._owed[key]

    def allows_later(self, job: TrainingJob, coming: CachedTrial) -> bool:
        """Whether a job may start once all that leaves is gone: what is freed may be what other queues keep.

        Args:
            job: one that is refused now.
            coming: what is free then.
        """
        if any(self.excess(job)):
            return False
        if not self.entitlements.keeps_any or self.is_owed(job):
            return True
        free, asked = FreeRoom(coming, self.entitlements)(), self.entitlements.asked_by(job.gang, at_most=True)
        kept = [self._kept_later(self.entitlements[job.queue], column) for column in range(len(asked))]
        return all(not wants or wants <= left for wants, left in zip(asked, less(free, kept), strict=True))

    def _kept_later(self, one: Entitlement, column: int) -> int:
        """Return what others than one queue still keep once all that leaves is gone."""
        held = ((other, self._account(other.queue.name).will_hold[column]) for other in self._others(one))
        return sum(max(0, other.kept[column] - amount) for other, amount in held)

    def shares_with_others(self, queue: str) -> bool:
        """Whether other queues hold anything that stays, or that is reserved."""
        return any(any(account.will_hold) for name, account in self._accounts.items() if name != queue)

    def eligibility_of(self, job: TrainingJob) -> bytes:
        """Return a key that is equal for jobs that have the same eligibility to what other queues hold."""
        return f"{job.queue}\n{self.is_owed(job)}".encode()

    def surplus(self, queue: str) -> Row:
        """Return by how much a queue is above its guarantee with what runs and stays, below 0 when it is not.

        What starts by this plan, or has room reserved, does not count: it is not there before others give way.
        """
        account = self._account(queue)
        return less(less(account.running, account.leaving), self.entitlements[queue].guarantee)

    def asked(self, job: TrainingJob) -> Row:
        """Return what a job asks for."""
        if id(job.gang) not in self._asked:
            self._asked[id(job.gang)] = self.entitlements.asked_by(job.gang)
        return self._asked[id(job.gang)]

    def start(self, job: TrainingJob, slots: Iterable[Slot]) -> None:
        """Count a job that starts."""
        got, account = self.entitlements.held_at(job.gang, slots), self._account(job.queue)
        own = self._reserved.pop(job.job_id, self._nothing)
        account.reserved = less(account.reserved, own)
        account.held = plus(account.held, got)
        self._forget()

    def withdraw(self, job: TrainingJob, slots: Iterable[Slot]) -> None:
        """Count a job that starts in slots as waiting after all."""
        account = self._account(job.queue)
        account.held = less(account.held, self.entitlements.held_at(job.gang, slots))
        self._forget()

    def reserve(self, job: TrainingJob, slots: Iterable[Slot]) -> None:
        """Count all slots that are reserved for a job, () for none: one that waits, or was told to stop and goes on."""
        if job.state.holds_room:
            self._go_on(job, slots)
            return
        got, account = self.entitlements.held_at(job.gang, slots), self._account(job.queue)
        before = self._reserved.pop(job.job_id, self._nothing)
        if slots:
            self._reserved[job.job_id] = got
        account.reserved = less(plus(account.reserved, got), before)
        self._forget()

    def spare(self, job: TrainingJob) -> None:
        """Count a running job that was told to stop as staying after all."""
        row, account = place_of(job, self._running.jobs), self._account(job.queue)
        account.leaving = less(account.leaving, self.amounts[row].tolist())
        self._forget()

    def saved(self) -> Callable[[], None]:
        """Return what brings back what is counted now."""
        accounts = {queue: replace(account) for queue, account in self._accounts.items()}
        reserved, goes_on = self._reserved.copy(), self._goes_on.copy()
        judged = self._verdicts, self._owed, self._kept, self._leeways

        def restore() -> None:
            self._accounts, self._reserved, self._goes_on = accounts, reserved, goes_on
            self._verdicts, self._owed, self._kept, self._leeways = judged

        return restore

    def _go_on(self, job: TrainingJob, slots: Iterable[Slot]) -> None:
        got, account = self.entitlements.held_at(job.gang, slots), self._account(job.queue)
        has = self.entitlements.held_at(job.gang, job.slots)
        kept, more = tuple(map(min, got, has)), tuple(max(0, extra) for extra in less(got, has))
        before_kept, before_more = self._goes_on.get(job.job_id, (self._nothing, self._nothing))
        self._goes_on[job.job_id] = (kept, more)
        account.leaving = plus(less(account.leaving, kept), before_kept)
        account.reserved = plus(less(account.reserved, before_more), more)
        self._forget()

    def more_workers(self, job: TrainingJob, rows: Sequence[int]) -> int:
        """Return by how many workers, one on each of these host rows, a job that runs or starts may grow."""
        wanted, account = len(rows), self._account(job.queue)
        each = self.entitlements.asked_each(job.gang, rows)
        held = plus(account.held, account.reserved)
        one = self.entitlements[job.queue]
        below = times(less(one.ceiling, held), each, wanted)
        if not self.entitlements.keeps_any:
            return below
        kept = tuple(self._kept_in(one, column) for column in range(len(each)))
        within = (less(one.guarantee, held), less(self._free_now, kept))
        return min(below, max(times(left, each, wanted) for left in within))

    def stop(self, jobs: Iterable[TrainingJob]) -> None:
        """Count running jobs that are told to stop."""
        for job in jobs:
            row, account = place_of(job, self._running.jobs), self._account(job.queue)
            if not self._running.leaving[row]:
                account.leaving = plus(account.leaving, self.amounts[row].tolist())
        self._forget()

    @property
    def _free_now(self) -> Row:
        return self._nothing if self._free is None else self._free()

    def _account(self, queue: str) -> Account:
        if queue not in self._accounts:
            self._accounts[queue] = Account(self._nothing, self._nothing, self._nothing, self._nothing)
        return self._accounts[queue]

    def _covers(self, job: TrainingJob) -> bool:
        held = self._without_own(job, self._account(job.queue).will_hold)
        return self.entitlements.covers(job.queue, held, job.gang)

    def _forget(self) -> None:
        """Judge all jobs anew: what queues hold has changed."""
        self._verdicts, self._owed, self._kept, self._leeways = {}, {}, {}, {}

    def _without_own(self, job: TrainingJob, amounts: Row) -> Row:
        own = self._reserved.get(job.job_id)
        return amounts if own is None else less(amounts, own)

    def _judged(self, job: TrainingJob, asked: Row | None = None) -> Refusal | None:
        leeway, own = self._leeway(job.queue), self._reserved.get(job.job_id)
        if own is not None:
            leeway, asked = leeway.with_more(own), asked or own
        asked = asked or self.asked(job)
        one = self.entitlements[job.queue]
        for column, (wants, left, most) in enumerate(zip(asked, leeway.below, one.ceiling, strict=True)):
            if wants and wants > left:
                return Refusal(job.queue, column, wants, max(0, left), most)
        if not self.entitlements.keeps_any or self.entitlements.covers(job.queue, leeway.held, job.gang):
            return None
        for column, (wants, left) in enumerate(zip(asked, leeway.lent, strict=True)):
            if wants > left and self._kept_in(one, column):
                builder = max(self._others(one), key=lambda other: self._still_kept(other, column))
                return Refusal(builder.queue.name, column, wants, max(0, left), None)
        return None

    def _leeway(self, queue: str) -> Leeway:
        """Return what the terms leave a queue, worked out once until something changes."""
        if queue not in self._leeways:
            account, one = self._account(queue), self.entitlements[queue]
            held = plus(account.held, account.reserved)
            kept = [self._kept_in(one, column) for column in range(len(held))]
            self._leeways[queue] = Leeway(held, less(one.ceiling, held), less(self._free_now, kept))
        return self._leeways[queue]

    def _others(self, one: Entitlement) -> list[Entitlement]:
        return [other for other in self.entitlements.declared if other is not one]

    def _kept_in(self, one: Entitlement, column: int) -> int:
        """Return what others than one queue still keep; what all keep is summed once until something changes."""
        if column not in self._kept:
            self._kept[column] = sum(self._still_kept(other, column) for other in self.entitlements.declared)
        return self._kept[column] - self._still_kept(one, column)

    def _still_kept(self, other: Entitlement, column: int) -> int:
        return max(0, other.kept[column] - self._account(other.queue.name).held[column])
