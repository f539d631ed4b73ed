"""What would become of a job is what becomes of it when it is submitted, and asking changes nothing."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.control.whatif.submission import THE_JOB, submit_outlook
from scheduler.model.demand import Demand
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Plan, PreemptJob, StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

POLICY = policy_from_names(placement_score="best-fit")
NOW_S = 10_000.0


def spec(workers: int, gpus: int = 1, priority: int = 50) -> JobSpec:
    gang = Gang(workers, Shape(cpu_milli=1000, memory_mib=10, gpu_count=gpus))
    return JobSpec(name="asked", entrypoint="x", gang=gang, priority=priority)


def running(number: int, host: str, devices: tuple[int, ...], priority: int = 50) -> TrainingJob:
    return TrainingJob(
        JobId(str(number)),
        name=f"r{number}",
        gang=Gang(1, Shape(cpu_milli=1000, memory_mib=10, gpu_count=len(devices))),
        priority=priority,
        state=JobState.RUNNING,
        submitted_at_s=100.0,
        attempt=1,
        slots=(Slot(host, devices),),
        started_at_s=200.0,
        checkpointed_at_s=NOW_S - 60,
        checkpoint_interval_s=600.0,
        max_runtime_s=20_000.0,
    )


def waiting(number: int, gpus: int, priority: int) -> TrainingJob:
    shape = Shape(cpu_milli=1000, memory_mib=10, gpu_count=gpus)
    return TrainingJob(
        JobId(str(number)), name=f"w{number}", gang=Gang(1, shape), priority=priority, submitted_at_s=300.0 + number
    )


def cycle_of(*jobs: TrainingJob) -> CycleRecord:
    hosts = [Host(name, 64_000, 10_000, devices_offered(4, 1024), "A") for name in "ab"]
    snapshot = Snapshot.of(version=7, taken_at_s=NOW_S, hosts=hosts, jobs=jobs)
    return CycleRecord(7, NOW_S, snapshot, Demand(()), Plan(7), 0.0)


def test_a_job_that_fits_is_told_where() -> None:
    outlook = submit_outlook(cycle_of(running(1, "a", (0, 1, 2))), spec(2), POLICY)
    assert len(outlook.slots) == 2
    assert (outlook.why, outlook.place, outlook.preempts, outlook.delays) == (None, None, (), ())


def test_a_job_that_waits_is_told_why_until_when_and_its_place() -> None:
    cycle = cycle_of(running(1, "a", (0, 1, 2, 3)), running(2, "b", (0, 1, 2)), waiting(3, 4, 75))
    outlook = submit_outlook(cycle, spec(1, 2), POLICY)
    assert outlook.slots == ()
    assert outlook.why is not None
    assert outlook.why.until_s is not None
    assert outlook.place == 2


def test_a_more_important_job_is_told_whom_it_stops() -> None:
    cycle = cycle_of(running(1, "a", (0, 1, 2, 3)), running(2, "b", (0, 1, 2, 3)))
    outlook = submit_outlook(cycle, spec(1, 4, priority=75), POLICY)
    assert outlook.slots == ()
    assert outlook.preempts in (("1 r1: 4 GPUs for this job",), ("2 r2: 4 GPUs for this job",))


def test_whoever_would_start_now_and_then_does_not_is_delayed() -> None:
    cycle = cycle_of(running(1, "a", (0, 1, 2, 3)), waiting(2, 4, 50))
    outlook = submit_outlook(cycle, spec(1, 4, priority=75), POLICY)
    assert len(outlook.slots) == 1
    assert outlook.delays == ("2 w2",)


@settings(deadline=None, max_examples=60)
@given(
    waits=st.lists(
        st.builds(waiting, st.integers(2, 9), st.integers(1, 4), st.sampled_from([25, 50, 75])),
        max_size=4,
        unique_by=lambda job: job.job_id,
    ),
    held=st.integers(0, 4),
    asked=st.builds(spec, st.integers(1, 3), st.integers(1, 4), st.sampled_from([25, 50, 75])),
)
def test_it_is_what_the_plan_with_the_job_does(waits: list[TrainingJob], held: int, asked: JobSpec) -> None:
    there = [running(1, "a", tuple(range(held)))] if held else []
    cycle = cycle_of(*there, *waits)
    before = cycle.snapshot
    outlook = submit_outlook(cycle, asked, POLICY)
    assert cycle.snapshot is before
    assert cycle.snapshot.by_id.keys() == {job.job_id for job in (*there, *waits)}
    job = replace(waiting(1, 1, asked.priority), job_id=THE_JOB, gang=asked.gang, submitted_at_s=NOW_S)
    answer = plan(cycle_of(*there, *waits, job).snapshot, cycle.demand, POLICY)
    starts = {action.job_id: action.slots for action in answer.actions if isinstance(action, StartJob)}
    assert starts.get(THE_JOB, ()) == outlook.slots
    assert (outlook.why is None) == (THE_JOB in starts)
    stops = [action for action in answer.actions if isinstance(action, PreemptJob)]
    assert len(outlook.preempts) <= len(stops)
