"""Moving a few running jobs elsewhere so that a waiting gang fits, when that costs less than its wait.

A move is a stop with a reservation: the job is told to save and stop, room that is free now is reserved for it, and
what it leaves for the gang. Nothing is counted on before it is free, so the order of actions stays safe.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from scheduler.model.plan import Cause, Consolidation, Move, Proposal, StartJob
from scheduler.model.policy import HOUR_S
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import beginning_anew
from scheduler.planning.placement.need import need_of
from scheduler.planning.placement.placing import hosts_for_gang
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.reclaim import candidates_for

MOST_GANGS: Final = 3
"""Waiting gangs for which moves are looked for in one plan, the first in queue order."""
MOST_TRIES: Final = 12
"""Sets of jobs looked at for one gang."""
FRESH_SHARE: Final = 0.25
"""Jobs are moved while their unsaved work is at most this share of what their checkpoints leave unsaved at worst."""


def consolidate(draft: Draft, starts: Sequence[StartJob]) -> tuple[Proposal, ...]:
    """Find moves for gangs that wait; carry them out where the site wants that, and return them where it does not.

    Args:
        draft: what was decided so far; stops and reservations are added to it when moves are carried out. No move
            delays a booking of others; a gang for which others move needs its own no longer.
        starts: jobs that start now.
    """
    policy = draft.policy
    if policy.consolidation is Consolidation.OFF:
        return ()
    found = []
    for gang_of in _blocked(draft, starts):
        proposal = _Search(draft, gang_of).run(policy.moves_per_hour - _moved_in(HOUR_S, draft) - _moving(draft))
        if proposal is not None and policy.consolidation is not Consolidation.DO:
            found.append(proposal)
    return tuple(found)


def _blocked(draft: Draft, starts: Sequence[StartJob]) -> list[TrainingJob]:
    """Return the first gangs in queue order that neither start nor have anything reserved."""
    started, now_s = {start.job_id for start in starts}, draft.snapshot.taken_at_s
    waiting = (
        job
        for job in draft.queue
        if job.job_id not in started
        and job.job_id not in draft.reservations.lapsed
        and job.not_before_s <= now_s
        and job.trusted_from_s <= now_s
        and not draft.reservations.of(job.job_id)
        and not (draft.quotas is not None and draft.quotas.refusal(job))
    )
    return [job for job, _ in zip(waiting, range(MOST_GANGS), strict=False)]


def _moved_in(span_s: float, draft: Draft) -> int:
    return sum(moved.at_s > draft.snapshot.taken_at_s - span_s for moved in draft.snapshot.moves)


def _moving(draft: Draft) -> int:
    return sum(stop.cause is Cause.CONSOLIDATION for stop in draft.stops.values())


class _Search:
    """The search for the cheapest jobs whose move makes room for one gang."""

    def __init__(self, draft: Draft, gang_of: TrainingJob) -> None:
        self._draft, self._gang_of, self._now_s = draft, gang_of, draft.snapshot.taken_at_s
        long_ago_s = self._now_s - draft.policy.move_again_after_s
        self._settled = {moved.job_id for moved in draft.snapshot.moves if moved.at_s > long_ago_s}

    def run(self, most: int) -> Proposal | None:
        """Return the cheapest moves found that are worth it, of at most so many jobs; see `consolidate`."""
        candidates = next(iter(candidates_for(self._gang_of, self._draft, self._draft.stoppable.candidates)))
        for _ in range(MOST_TRIES if most > 0 else 0):
            victims = victims_for(need_of(self._gang_of.gang), self._draft.room.coming, candidates)
            if not victims or len(victims) > most or not self._is_worth(victims):
                return None
            unfit = [victim for victim in victims if not self._may_move(victim.job)]
            fresh = _are_fresh(victims, self._now_s)
            carry_out = fresh and self._draft.policy.consolidation is Consolidation.DO
            found = self._placed(victims, carry_out=carry_out) if not unfit else unfit[0]
            if isinstance(found, Proposal):
                return found if fresh else None
            candidates = _without(candidates, unfit or [found])
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

    def _placed(self, victims: tuple[Victim, ...], *, carry_out: bool) -> "Proposal | Victim":
        """Find room that is free now for each of them once the gang has its own; or return who finds none."""
        with self._draft.trial() as trial:
            found = self._moved(victims)
            if carry_out and isinstance(found, Proposal):
                trial.keep()
            return found

    def _moved(self, victims: tuple[Victim, ...]) -> "Proposal | Victim":
        """Stop the jobs, reserve what they leave for the gang, and for each its new room; or return who finds none."""
        gang_of, draft = self._gang_of, self._draft
        draft.withdraw_booking(gang_of)
        draft.stop(Preemption(gang_of.job_id, need_of(gang_of.gang), victims, Cause.CONSOLIDATION))
        usable = draft.bookings.coming_for(gang_of)
        rows = hosts_for_gang(usable, gang_of.gang, draft.scorer)
        if rows is None:
            return victims[0]
        draft.reserve(gang_of.job_id, rows, usable)
        moves = []
        for victim in sorted(victims, key=lambda victim: (-victim.job.gang_now.gpus, victim.job.job_id)):
            job = victim.job
            usable = draft.bookings.room_until(beginning_anew(job, (), self._now_s).at_s)
            places = hosts_for_gang(usable, job.gang_now, draft.scorer)
            if places is None:
                return victim
            moves.append(Move(job.job_id, draft.reserve(job.job_id, places, usable)))
        lost_gpu_s = sum(victim.job.lost_gpu_s(self._now_s) for victim in victims)
        return Proposal(gang_of.job_id, tuple(moves), lost_gpu_s, self._waits_s)


def _without(candidates: Candidates, victims: Iterable[Victim]) -> Candidates:
    return candidates.without([victim.index for victim in victims])


def _are_fresh(victims: Iterable[Victim], now_s: float) -> bool:
    """Whether the jobs have just saved: together, as they do not save at the same moment."""
    unsaved = at_worst = 0.0
    for victim in victims:
        job, gpus = victim.job, victim.job.gang_now.gpus
        unsaved += gpus * (now_s - (job.checkpointed_at_s or 0.0))
        at_worst += gpus * (job.checkpoint_interval_s or 0.0)
    return unsaved <= FRESH_SHARE * at_worst
