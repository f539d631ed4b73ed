"""The working state of one call of `plan()`: room, promises, and who may still be stopped."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.policy import Policy, Scorer
from scheduler.model.resources import Slot
from scheduler.model.running import place_of
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import Gang, ReplicaState, TrainingJob
from scheduler.planning.line import Line
from scheduler.planning.needs import Need
from scheduler.planning.preemption import stop_order
from scheduler.planning.promises import Promises
from scheduler.planning.quotas import Quotas
from scheduler.planning.rights import Rights
from scheduler.planning.room import Room
from scheduler.planning.roster import Roster, Victim, stoppable
from scheduler.planning.timetable import Ebb, PlannedStart
from scheduler.planning.winnable import Winnable


@dataclass(frozen=True, eq=False)
class Grant:
    """What victims were stopped for.

    Attributes:
        holder: job id or model name.
        need: all that is promised to it.
        victims: who is stopped for it.
        cause: why.
    """

    holder: str
    need: Need
    victims: tuple[Victim, ...]
    cause: Cause


@dataclass
class Draft:
    """What one planning run works on.

    Attributes:
        snapshot: what it was given.
        policy: likewise.
        scorer: its placement score, prepared for what is free in the snapshot.
        room: what is free, coming and usable.
        promises: who has been promised what.
        grants: what victims were stopped for, in the order in which it was decided.
        preemptions: jobs that are stopped for somebody, by job id.
        ended: jobs that are stopped whatever the room.
        bookings: room booked ahead for blocked jobs, in queue order.
        ebbs: returns the room that serving is expected to leave; worked out only when it is asked for.
        placed: ids of waiting jobs that start or have been promised room.
        spared: rosters that queues can spare, with those they were cut from, until somebody is stopped.
        in_vain: queues and gangs within guarantees that find nothing even where bookings do not count.
        weighed: how often it was weighed what follows from stopping one or another.
        quotas: the accounts of the queues from when training is placed on; None where queues have no terms.
    """

    snapshot: Snapshot
    policy: Policy
    scorer: Scorer
    room: Room
    promises: Promises
    grants: list[Grant] = field(default_factory=list)
    preemptions: dict[str, PreemptJob] = field(default_factory=dict)
    ended: tuple[str, ...] = ()
    bookings: list[PlannedStart] = field(default_factory=list)
    ebbs: Callable[[], Sequence[Ebb]] = tuple
    placed: set[str] = field(default_factory=set)
    quotas: Quotas | None = None
    spared: dict[Hashable, tuple[Roster, Roster]] = field(default_factory=dict)
    in_vain: set[tuple[str, int]] = field(default_factory=set)
    weighed: int = 0
    _roster: Roster | None = None

    @classmethod
    def of(cls, snapshot: Snapshot, policy: Policy, ended: Sequence[PreemptJob]) -> "Draft":
        """Start a run in which the jobs of `ended` are already being stopped."""
        room = Room(snapshot.ledger)
        leaving = tuple(action.job_id for action in ended)
        _expect_what_is_leaving(snapshot, room, leaving)
        promises = Promises(snapshot, policy.reservation_s, room)
        scorer = policy.placement_score(snapshot.ledger, snapshot.work)
        return cls(snapshot, policy, scorer, room, promises, ended=leaving)

    @cached_property
    def queue(self) -> Line:
        """All waiting jobs in the order in which they are tried."""
        return Line(self.policy.queue_order(self.snapshot, self.placed))

    def open_accounts(self) -> None:
        """Count what queues hold, once it is known what serving takes; where they have no terms nothing is counted."""
        if not all(queue.is_plain for queue in self.snapshot.queues):
            promised = {holder: slots for holder, _, slots in self.promises.holders()}
            self.quotas = Quotas(self.snapshot, self.room.now, promised, (*self.ended, *self.preemptions))

    @property
    def roster(self) -> Roster:
        """Who may still be stopped; not those who are, whatever the room."""
        if self._roster is None:
            roster, jobs = stoppable(self.snapshot, self.policy), self.snapshot.running.jobs
            ended = [place_of(self.snapshot.by_id[job_id], jobs) for job_id in self.ended]
            self._roster = roster.without(np.flatnonzero(np.isin(roster.order, ended)).tolist())
        return self._roster

    def count(self, job: TrainingJob, slots: Sequence[Slot] = ()) -> None:
        """Let the order of the queue and the accounts know who starts in these slots, or was promised room."""
        self.placed.add(job.job_id)
        if self.quotas is not None and slots:
            self.quotas.start(job, slots)
        elif self.quotas is not None:
            self.quotas.promise(job, self.promises.of(job.job_id))

    def go_on(self, job: TrainingJob, slots: Sequence[Slot]) -> None:
        """Let the accounts know with what a running job that was told to stop goes on: all it has when it is spared."""
        if self.quotas is not None:
            self.quotas.go_on(job, slots)
            self.spared.clear()

    def takes_back(self, job: TrainingJob, victims: Sequence[Victim]) -> bool:
        """Whether a job has room back that its queue is guaranteed and others use."""
        others = any(victim.job.queue != job.queue for victim in victims)
        return others and self.quotas is not None and self.quotas.is_owed(job)

    def more_workers(self, job: TrainingJob, rows: Sequence[int]) -> int:
        """Return by how many workers, one on each of these host rows, the terms of queues let a job grow."""
        return len(rows) if self.quotas is None else self.quotas.more_workers(job, rows)

    def may_sit_on(self, job: TrainingJob, rows: Sequence[int]) -> bool:
        """Whether the terms of queues let a job, which they do not refuse, have room on these host rows."""
        return not self._may_cost_more or self._may_cost_more.refusal_on(job, rows) is None

    def may_have_others_stopped(self, job: TrainingJob) -> bool:
        """Whether a job is trusted to start, and the terms of queues let it wherever others are stopped for it."""
        if job.trusted_from_s > self.snapshot.taken_at_s:
            return False
        return not self._may_cost_more or self._may_cost_more.may_hold_most(job)

    @property
    def _may_cost_more(self) -> Quotas | None:
        """The accounts of the queues, where what a job counts for depends on the devices that it gets."""
        return self.quotas if self.snapshot.ledger.table.is_cut else None

    def stoppable_for(self, job: TrainingJob) -> Roster:
        """Return who may still be stopped for a waiting job."""
        return self._rights.of(job, self.roster)

    def could_be_won(self, job: TrainingJob, gang: Gang) -> bool:
        """Whether a gang could fit if all were stopped who may be for a job; "perhaps" where queues have terms."""
        return self.quotas is not None or self._winnable.is_enough(job, gang, self.room.coming)

    @cached_property
    def _winnable(self) -> Winnable:
        return Winnable(self.snapshot, self._rights)

    def rights_of(self, job: TrainingJob) -> bytes:
        """Return a key that is equal for waiting jobs for whom the same may be stopped."""
        answers = self._rights.key(job, self.snapshot.running)
        return answers if self.quotas is None else answers + self.quotas.rights_of(job)

    def equals_stoppable_for(self, job: TrainingJob) -> Roster:
        """Return who of its equals may still be stopped for a waiting job because it is so much shorter."""
        return self._rights.of_equals(job, self.roster)

    @cached_property
    def _rights(self) -> Rights:
        return Rights(self.policy, self.snapshot.taken_at_s)

    def stop(self, victims: Sequence[Victim], cause: Cause, beneficiary: str) -> None:
        """Stop victims for somebody: their room is coming, and they cannot be stopped twice."""
        self._roster = self.roster.without([victim.index for victim in victims])
        self.in_vain.clear()
        self.spared.clear()
        if self.quotas is not None:
            self.quotas.stop(victim.job for victim in victims)
        for victim in victims:
            self.room.expect(victim.job.slots, victim.job.gang.shape)
            self.preemptions[victim.job.job_id] = stop_order(victim.job, cause, self.snapshot.taken_at_s, beneficiary)
            if victim.keeps:
                self.promises.promise_at(victim.job, victim.keeps)
                self.go_on(victim.job, victim.keeps)


def _expect_what_is_leaving(snapshot: Snapshot, room: Room, ended: Sequence[str]) -> None:
    leaving = [snapshot.running.jobs[index] for index in np.flatnonzero(snapshot.running.leaving)]
    for job in (*leaving, *(snapshot.by_id[job_id] for job_id in ended)):
        room.expect(job.slots, job.gang.shape)
    shapes = {model.name: model.shape for model in snapshot.models}
    for replica in snapshot.replicas:
        if replica.state is ReplicaState.STOPPING:
            room.expect((replica.slot,), shape_held(replica, shapes))
