"""What must hold whatever goes wrong, checked on the truth and never on what the control plane believes."""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from scheduler.control.records import AttemptRecord, Outcome
from scheduler.model.hosts import HostState
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from scheduler.model.workloads import JobState

if TYPE_CHECKING:
    from benchmarks.chaos.living import Life

TURNS_TO_NOTICE: Final = 6
"""A job that runs twice, as one of its hosts was silent or not shown, is put in order within so many turns."""
STARTS: Final = 8
"""After so many failed starts in a row a job is given up, and says so."""


class Broken(Exception):  # a promise that is
    """A promise is broken.

    Attributes:
        promise: which.
    """

    def __init__(self, promise: str, why: str) -> None:
        """Say which, and what was seen."""
        super().__init__(why)
        self.promise = promise


def look(life: "Life") -> None:
    """Look at the world after a turn.

    Raises:
        Broken: something is not as promised.
    """
    _nothing_over_committed(life)
    _gangs_whole_and_single(life)
    _nothing_lost(life)


def look_back(life: "Life") -> None:
    """Look at every job in the end: all trouble has been over for a while.

    Raises:
        Broken: likewise.
    """
    for job_id in life.accepted:
        job = life.world.store.job(job_id)
        gave_up = job.state is JobState.FAILED and _failed_starts(job.attempts) >= STARTS
        if job.state is not JobState.SUCCEEDED and not gave_up:
            raise Broken("waiting is bounded", f"job {job_id} is {job.state} after a day of peace: {job.attempts[-3:]}")


def _nothing_over_committed(life: "Life") -> None:
    seen = life.world.cluster.observe()
    taken = [(one.slot, one.shape or Shape()) for one in seen.replicas]
    taken += [
        (slot, life.world.store.spec(run.job_id).gang.shape)
        for run in seen.runs
        if run.state.holds_room
        for slot in run.slots
    ]
    free = Ledger.of(seen.hosts, taken)
    least = min(free.cpu_milli.min(), free.memory_mib.min(), free.gpu_milli[free.table.device_exists].min())
    if least < 0:
        raise Broken("nothing is over-committed", f"{taken} do not fit at {life.now_s:.0f} s")


def _gangs_whole_and_single(life: "Life") -> None:
    seen = life.world.cluster.observe()
    silent = {host.name for host in seen.hosts if host.state is HostState.LOST}
    running: Counter[object] = Counter()
    for run in seen.runs:
        if not run.state.holds_room:
            continue
        gang = life.world.store.spec(run.job_id).gang
        if not gang.workers <= len(run.slots) <= gang.most:
            raise Broken("gangs are whole", f"job {run.job_id} runs with {len(run.slots)} of {gang.workers} workers")
        if not silent & {slot.host for slot in run.slots}:
            running[run.job_id] += 1
    for job_id in life.accepted:
        life.doubled[job_id] = life.doubled[job_id] + 1 if running[job_id] > 1 else 0
        if life.doubled[job_id] > TURNS_TO_NOTICE and life.is_peace:
            raise Broken("nothing runs twice", f"job {job_id} has run twice for {life.doubled[job_id]} turns")


def _nothing_lost(life: "Life") -> None:
    there = {job.job_id: job for job in life.world.store.jobs(open_only=False)}
    if missing := set(life.accepted) - set(there):
        raise Broken("nothing is lost", f"jobs {sorted(missing)} were accepted and are not there")
    for job in there.values():
        if [attempt.number for attempt in job.attempts] != list(range(1, len(job.attempts) + 1)):
            raise Broken("nothing is lost", f"attempts of job {job.job_id}: {[one.number for one in job.attempts]}")
        if any(attempt.is_open for attempt in job.attempts[:-1]):
            raise Broken("nothing runs twice", f"job {job.job_id} has two open attempts")
        if job.state.is_final and job.attempts and job.attempts[-1].is_open:
            raise Broken("nothing is lost", f"job {job.job_id} is {job.state} with an open attempt")


def _failed_starts(attempts: Sequence[AttemptRecord]) -> int:
    """Return how many starts in a row failed in the end."""
    failed = takewhile(lambda attempt: attempt.outcome is Outcome.NEVER_STARTED, reversed(attempts))
    return sum(1 for _ in failed)
