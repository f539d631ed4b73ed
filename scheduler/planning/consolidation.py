"""Moving a few running jobs elsewhere so that a waiting gang fits, when that costs less than its wait.

A move is a stop with a promise: the job is told to save and stop, room that is free now is promised to it, and what it
leaves is promised to the gang. Nothing is counted on before it is free, so the order of actions stays safe.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from scheduler.model.plan import Cause, Consolidation, Move, Proposal, StartJob
from scheduler.model.policy import HOUR_S
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.bookings import Bookings
from scheduler.planning.draft import Draft
from scheduler.planning.needs import need_of
from scheduler.planning.placing import hosts_for_gang
from scheduler.planning.preemption import victims_for
from scheduler.planning.reclaiming import rosters_for
from scheduler.planning.room import Counted, Room
from scheduler.planning.roster import Roster, Victim
from scheduler.planning.timetable import Release, beginning_anew, going_on
from scheduler.planning.wording import listed

MOST_GANGS: Final = 3
"""Waiting gangs for which moves are looked for in one plan, the first in queue order."""
MOST_TRIES: Final = 12
"""Sets of jobs looked at for one gang."""
FRESH_SHARE: Final = 0.25
"""Jobs are moved while their unsaved work is at most this share of what their checkpoints leave unsaved at worst."""

_Change: TypeAlias = Callable[[Sequence[Slot], Shape], None]


def consolidate(draft: Draft, starts: Sequence[StartJob], bookings: Bookings) -> tuple[Proposal, ...]:
    """Find moves for gangs that wait; carry them out where the site wants that, and return them where it does not.

    Args:
        draft: what was decided so far; stops and promises are added to it when moves are carried out.
        starts: jobs that start now.
        bookings: of other jobs, which no move delays; a gang for which others move needs its own no longer.
    """
    policy = draft.policy
    if policy.consolidation is Consolidation.OFF:
        return ()
    found = []
    for gang_of in _blocked(draft, starts):
        moves = _Search(draft, gang_of, bookings).run(policy.moves_per_hour - _moved_in(HOUR_S, draft) - _moving(draft))
        if moves is None:
            continue
        if policy.consolidation is Consolidation.DO:
            _carry_out(moves, draft, bookings)
        else:
            found.append(moves.proposal)
    return tuple(found)


def with_proposals(reasons: Reasons, proposals: Sequence[Proposal]) -> Reasons:
    """Return the reasons, with the proposal added to that of each gang for which there is one."""
    found = ((proposal, reasons.for_subject(proposal.beneficiary)) for proposal in proposals)
    changed = [replace(why, message=f"{why.message}; {in_words(proposal)}") for proposal, why in found if why]
    return reasons.with_changed({why.subject: why for why in changed}) if changed else reasons


def in_words(proposal: Proposal) -> str:
    """Return for instance "moving 401 to gpu2 would make room (loses 340 GPU-seconds)"."""
    moves = [f"{move.job_id} to {listed(sorted({slot.host for slot in move.slots}))}" for move in proposal.moves]
    return f"moving {listed(moves)} would make room (loses {proposal.lost_gpu_s:.0f} GPU-seconds)"


def _blocked(draft: Draft, starts: Sequence[StartJob]) -> list[TrainingJob]:
    """Return the first gangs in queue order that neither start nor have been promised anything."""
    started, now_s = {start.job_id for start in starts}, draft.snapshot.taken_at_s
    waiting = (
        job
        for job in draft.queue
        if job.job_id not in started
        and job.job_id not in draft.promises.lapsed
        and job.not_before_s <= now_s
        and job.trusted_from_s <= now_s
        and not draft.promises.of(job.job_id)
        and not (draft.quotas is not None and draft.quotas.refusal(job))
    )
    return [job for job, _ in zip(waiting, range(MOST_GANGS), strict=False)]


def _moved_in(span_s: float, draft: Draft) -> int:
    return sum(moved.at_s > draft.snapshot.taken_at_s - span_s for moved in draft.snapshot.moves)


def _moving(draft: Draft) -> int:
    return sum(stop.cause is Cause.CONSOLIDATION for stop in draft.preemptions.values())


@dataclass(frozen=True, eq=False)
class _Moves:
    """A set of moves that was found, and where the gang would run."""

    proposal: Proposal
    gang_of: TrainingJob
    slots: Sequence[Slot]
    victims: tuple[Victim, ...]


class _Search:
    """The search for the cheapest jobs whose move makes room for one gang."""

    def __init__(self, draft: Draft, gang_of: TrainingJob, bookings: Bookings) -> None:
        self._draft, self._gang_of, self._now_s = draft, gang_of, draft.snapshot.taken_at_s
        self._bookings = bookings
        long_ago_s = self._now_s - draft.policy.move_again_after_s
        self._settled = {moved.job_id for moved in draft.snapshot.moves if moved.at_s > long_ago_s}

    def run(self, most: int) -> _Moves | None:
        """Return the cheapest moves found that are worth it, of at most so many jobs."""
        roster = next(iter(rosters_for(self._gang_of, self._draft, self._draft.roster)))
        for _ in range(MOST_TRIES if most > 0 else 0):
            victims = victims_for(need_of(self._gang_of.gang), self._draft.room.coming, roster)
            if not victims or len(victims) > most or not self._is_worth(victims):
                return None
            unfit = [victim for victim in victims if not self._may_move(victim.job)]
            found = self._placed(victims) if not unfit else unfit[0]
            if isinstance(found, _Moves):
                return found if _are_fresh(victims, self._now_s) else None
            roster = _without(roster, unfit or [found])
        return None

    def _is_worth(self, victims: Iterable[Victim]) -> bool:
        """Whether the moves lose less than the wait: a gang that waited so long is expected to wait as long again."""
        return sum(victim.job.lost_gpu_s(self._now_s) for victim in victims) < self._gang_of.gang.gpus * self._waits_s

    @property
    def _waits_s(self) -> float:
        return max(0.0, self._now_s - self._gang_of.submitted_at_s)

    def _may_move(self, job: TrainingJob) -> bool:
        """Whether a job saves its work, has run for a while, and was not moved lately."""
        ran_s = self._now_s - (job.started_at_s if job.started_at_s is not None else self._now_s)
        saves = job.checkpoint_interval_s is not None and job.checkpointed_at_s is not None
        return saves and ran_s >= self._draft.policy.min_runtime_s and job.job_id not in self._settled

    def _placed(self, victims: tuple[Victim, ...]) -> "_Moves | Victim":
        """Find room that is free now for each of them once the gang has its own; or return who finds none."""
        with ExitStack() as undo:
            return self._tried(victims, _Trial(self._draft.room, self._bookings, self._now_s, undo))

    def _tried(self, victims: tuple[Victim, ...], trial: "_Trial") -> "_Moves | Victim":
        gang_of, draft, bookings = self._gang_of, self._draft, self._bookings
        trial.withdraw(gang_of)
        for victim in victims:
            trial.free(victim.job)
        usable = bookings.coming_for(gang_of)
        rows = hosts_for_gang(usable, gang_of.gang, draft.scorer)
        if rows is None:
            return victims[0]
        slots = Counted(usable).put(rows, gang_of.gang.shape)
        trial.give(gang_of, slots, draft.room.promise_at, draft.room.expect)
        moves = []
        for victim in sorted(victims, key=lambda victim: (-victim.job.gang_now.gpus, victim.job.job_id)):
            job = victim.job
            until_s = beginning_anew(job, (), self._now_s).at_s
            usable = bookings.room_until(until_s)
            places = hosts_for_gang(usable, job.gang_now, draft.scorer)
            if places is None:
                return victim
            moves.append(Move(job.job_id, Counted(usable).put(places, job.gang.shape)))
            trial.give(job, moves[-1].slots, draft.room.start_at, draft.room.take_back)
        lost_gpu_s = sum(victim.job.lost_gpu_s(self._now_s) for victim in victims)
        proposal = Proposal(gang_of.job_id, tuple(moves), lost_gpu_s, self._waits_s)
        return _Moves(proposal, gang_of, slots, victims)


@dataclass(frozen=True, eq=False)
class _Trial:
    """Changes of the room and of what bookings count on, all of them undone in the end."""

    room: Room
    bookings: Bookings
    now_s: float
    undo: ExitStack

    def withdraw(self, job: TrainingJob) -> None:
        """Look at what there is without a job's own booking."""
        self.undo.callback(self.bookings.restore, self.bookings.withdraw(job))

    def free(self, job: TrainingJob) -> None:
        """Count on the room of a job that runs."""
        self.room.expect(job.slots, job.gang.shape)
        self.undo.callback(self.room.promise_at, job.slots, job.gang.shape)
        self._note([going_on(job, self.now_s)], [])

    def give(self, job: TrainingJob, slots: Sequence[Slot], take: _Change, undo: _Change) -> None:
        """Let a job have slots from now on."""
        take(slots, job.gang.shape)
        self.undo.callback(undo, slots, job.gang.shape)
        self._note([], [beginning_anew(job, slots, self.now_s)])

    def _note(self, given: list[Release], taken: list[Release]) -> None:
        self.bookings.note(given, taken)
        self.undo.callback(self.bookings.note, taken, given)


def _without(roster: Roster, victims: Iterable[Victim]) -> Roster:
    return roster.without([victim.index for victim in victims])


def _are_fresh(victims: Iterable[Victim], now_s: float) -> bool:
    """Whether the jobs have just saved: together, as they do not save at the same moment."""
    unsaved = at_worst = 0.0
    for victim in victims:
        job, gpus = victim.job, victim.job.gang_now.gpus
        unsaved += gpus * (now_s - (job.checkpointed_at_s or 0.0))
        at_worst += gpus * (job.checkpoint_interval_s or 0.0)
    return unsaved <= FRESH_SHARE * at_worst


def _carry_out(moves: _Moves, draft: Draft, bookings: Bookings) -> None:
    """Stop the jobs, promise each its new room and the gang what they leave; it is booked nothing any more."""
    places = dict(_places(moves.proposal))
    bookings.cancel(moves.gang_of)
    draft.stop(moves.victims, Cause.CONSOLIDATION, moves.gang_of.job_id)
    bookings.note(*bookings.if_stopped(moves.victims))
    draft.promises.promise_at(moves.gang_of, moves.slots)
    bookings.take(moves.gang_of, moves.slots)
    draft.count(moves.gang_of)
    for job in (victim.job for victim in moves.victims):
        draft.promises.promise_at(job, places[job.job_id])
        bookings.take(job, places[job.job_id])
        draft.go_on(job, places[job.job_id])


def _places(proposal: Proposal) -> Iterator[tuple[str, tuple[Slot, ...]]]:
    for move in proposal.moves:
        yield move.job_id, move.slots
