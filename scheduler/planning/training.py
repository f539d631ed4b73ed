"""Waiting jobs in queue order: start what fits, promise what is being freed, preempt for what may preempt."""

from scheduler.model.plan import Cause, StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft import Draft, Grant
from scheduler.planning.needs import need_of
from scheduler.planning.placing import hosts_for_gang
from scheduler.planning.preemption import victims_for
from scheduler.planning.room import fits_in
from scheduler.planning.roster import Victim


def place_training(draft: Draft) -> list[StartJob]:
    """Go through the queue once and return what starts. A blocked job stops nobody behind it, but keeps its promise.

    Nobody is preempted before everything free and everything coming has been tried, and a job's turn comes before
    those behind it take free room that its victims' room must be joined with.
    """
    starts, rights, tried, blocked = [], _Rights(draft), _Tried(draft), 0
    for job in draft.queue:
        if job.not_before_s > draft.snapshot.taken_at_s:
            continue
        if blocked > draft.policy.max_backfill:
            break
        start = None if tried.finds_no_room(job) else _start(job, draft)
        if start:
            starts.append(start)
            continue
        blocked += 1
        tried.found_no_room(job)
        if not tried.is_hopeless(job) and job.job_id not in draft.promises.lapsed:
            _promise_or_preempt(job, draft, rights)
            tried.hopes(job)
    return starts


class _Tried:
    """Gangs that found no room, and for whom nobody could be stopped either: tried again only when more is expected.

    In between, room only shrinks. Gangs are told apart by identity, which is quick; that equal ones are seldom two
    objects is up to whoever makes the snapshot.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._full: dict[int, int] = {}
        self._hopeless: dict[tuple[int, int, str], int] = {}

    def finds_no_room(self, job: TrainingJob) -> bool:
        """Whether a job without a promise need not be tried."""
        return self._full.get(id(job.gang)) == self._draft.room.grown and not self._draft.promises.of(job.job_id)

    def found_no_room(self, job: TrainingJob) -> None:
        """Remember that there is none."""
        self._full[id(job.gang)] = self._draft.room.grown

    def is_hopeless(self, job: TrainingJob) -> bool:
        """Whether there is nothing to be promised and nobody to be stopped, or a promise is there already."""
        known = self._hopeless.get((id(job.gang), job.priority, job.queue))
        return known == self._draft.room.grown or bool(self._draft.promises.of(job.job_id))

    def hopes(self, job: TrainingJob) -> None:
        """Remember a job for whom nothing could be promised."""
        if not self._draft.promises.of(job.job_id):
            self._hopeless[id(job.gang), job.priority, job.queue] = self._draft.room.grown


def _start(job: TrainingJob, draft: Draft) -> StartJob | None:
    """Start a job where it was promised room, or else where it fits best; its promise is kept when it cannot."""
    grown, promised = draft.room.grown, draft.promises.lift(job.job_id)
    at_promised = _promised_and_free(job, promised, draft)
    slots = at_promised or _best(job, draft)
    if at_promised or (not slots and draft.promises.renew(job.job_id, promised)):
        draft.room.grown = grown  # nobody else can have what was promised
    return StartJob(job.job_id, job.attempt + 1, slots) if slots else None


def _promised_and_free(job: TrainingJob, promised: tuple[Slot, ...], draft: Draft) -> tuple[Slot, ...]:
    if not promised or not fits_in(draft.room.now, promised, job.gang.shape):
        return ()
    draft.room.start_at(promised, job.gang.shape)
    return promised


def _best(job: TrainingJob, draft: Draft) -> tuple[Slot, ...]:
    rows = hosts_for_gang(draft.room.now, job.gang, draft.scorer)
    return draft.room.start(rows, job.gang.shape) if rows else ()


def _promise_or_preempt(job: TrainingJob, draft: Draft, rights: "_Rights") -> None:
    """Promise a blocked job the room that is being freed; where that is too little, have others stopped for it."""
    rows = hosts_for_gang(draft.room.coming, job.gang, draft.scorer)
    if rows is None and (victims := rights.victims_for(job)):
        draft.stop(victims, Cause.PRIORITY, job.job_id)
        draft.grants.append(Grant(job.job_id, need_of(job.gang), victims))
        rows = hosts_for_gang(draft.room.coming, job.gang, draft.scorer)
    if rows:
        draft.promises.promise(job.job_id, rows)


class _Rights:
    """Who may have whom stopped, remembered for all jobs that agree in what the policy looks at.

    Until somebody is stopped, what stopping everybody would win only shrinks: a gang for which it was not enough need
    not be tried again for a later job that asks for as much.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._hopeless: dict[tuple[tuple[int, str], Shape, int], int] = {}

    def victims_for(self, job: TrainingJob) -> tuple[Victim, ...]:
        """Return whom to stop for a job; nobody when that would not be enough."""
        who, gang = (job.priority, job.queue), job.gang
        key = (who, gang.shape, gang.max_per_host)
        if gang.workers >= self._hopeless.get(key, gang.workers + 1):
            return ()
        victims = victims_for(need_of(gang), self._draft.room.coming, self._draft.stoppable_for(job))
        if victims is None:
            self._hopeless[key] = gang.workers
            return ()
        self._hopeless.clear()
        return victims
