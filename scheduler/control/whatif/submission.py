"""What would become of a job if it were submitted now, found by asking the planner on a copy of the last snapshot."""

from dataclasses import dataclass
from typing import Final

from scheduler.control.jobs.event_text import cause_of
from scheduler.control.records import CycleRecord, DesiredState, JobRecord
from scheduler.control.snapshots.parts import training_job
from scheduler.control.whatif.compare import compare
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import PreemptJob, Unplaced
from scheduler.model.policy import Policy
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, JobState, TrainingJob
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
    record = JobRecord(THE_JOB, spec, JobState.PENDING, DesiredState.RUN, cycle.snapshot.taken_at_s)
    without = plan(cycle.snapshot, cycle.demand, policy)
    with_it = plan(cycle.snapshot.otherwise({THE_JOB: training_job(record, 0.0)}), cycle.demand, policy)
    reasons, by_id = Reasons.of(with_it.unplaced), cycle.snapshot.by_id
    place, led_to = reasons.place_of(THE_JOB), compare(without, with_it, cycle.snapshot)
    return SubmitOutlook(
        next((start.slots for start in led_to.started if start.job_id == THE_JOB), ()),
        reasons.for_subject(THE_JOB),
        None if place is None else place + 1,
        tuple(f"{_named(by_id[stop.job_id])}: {_cause(stop, cycle)}" for stop in led_to.stopped),
        tuple(_named(by_id[job_id]) for job_id in led_to.delayed),
    )


def _named(job: TrainingJob) -> str:
    return f"{job.job_id} {job.name}"


def _cause(stop: PreemptJob, cycle: CycleRecord) -> str:
    return cause_of(stop, cycle.snapshot.by_id[stop.job_id].gang, cycle.demand, cycle.at_s)
