"""What would become of a job if it were submitted now, found by asking the planner on a copy of the last snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from scheduler.control.records import CycleRecord, JobRecord, Wish
from scheduler.control.sentences import cause_of
from scheduler.control.snapshotting import training_job
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Plan, PreemptJob, StartJob, Unplaced
from scheduler.model.policy import Policy
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, JobState
from scheduler.planning.planner import plan

THE_JOB: Final = JobId("this job")
"""Its number while it has none."""


@dataclass(frozen=True, slots=True)
class SubmitOutlook:
    """What would become of a job.

    Attributes:
        slots: where it would start at once, in rank order; empty when it would wait.
        why: why it would wait; None when it would start.
        place: in the order of trying, from 1; None when it would start.
        preempts: a sentence for each job that would be stopped, or have to shrink, for it.
        delays: jobs that start in the next plan without it, and would not with it.
    """

    slots: tuple[Slot, ...]
    why: Unplaced | None
    place: int | None
    preempts: tuple[str, ...]
    delays: tuple[str, ...]


def submit_outlook(cycle: CycleRecord, spec: JobSpec, policy: Policy) -> SubmitOutlook:
    """Return what would become of a job in the state of `cycle`; nothing is touched."""
    record = JobRecord(THE_JOB, spec, JobState.PENDING, Wish.RUN, cycle.snapshot.taken_at_s)
    without = plan(cycle.snapshot, cycle.demand, policy)
    with_it = plan(cycle.snapshot.otherwise({THE_JOB: training_job(record, 0.0)}), cycle.demand, policy)
    reasons = Reasons.of(with_it.unplaced)
    place = reasons.place_of(THE_JOB)
    return SubmitOutlook(
        next((action.slots for action in _starts(with_it) if action.job_id == THE_JOB), ()),
        reasons.for_subject(THE_JOB),
        None if place is None else place + 1,
        tuple(_stops(with_it, without, cycle)),
        tuple(_delayed(with_it, without, cycle.snapshot)),
    )


def _starts(made: Plan) -> Iterable[StartJob]:
    return (action for action in made.actions if isinstance(action, StartJob))


def _stops(with_it: Plan, without: Plan, cycle: CycleRecord) -> Iterable[str]:
    anyhow = {action.job_id for action in without.actions if isinstance(action, PreemptJob)}
    for action in with_it.actions:
        if isinstance(action, PreemptJob) and action.job_id not in anyhow:
            job = cycle.snapshot.by_id[action.job_id]
            yield f"{job.job_id} {job.name}: {cause_of(action, job.gang, cycle.demand, cycle.at_s)}"


def _delayed(with_it: Plan, without: Plan, snapshot: Snapshot) -> Iterable[str]:
    now = {action.job_id for action in _starts(with_it)}
    late = (snapshot.by_id[action.job_id] for action in _starts(without) if action.job_id not in now)
    return (f"{job.job_id} {job.name}" for job in late)
