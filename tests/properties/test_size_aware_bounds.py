"""Short jobs before long ones, within bounds: nobody starves or is stopped again and again, everybody gets done."""

from dataclasses import replace
from math import inf, log2
from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.length import takes_s
from policies.queue_order import shortest_first
from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

PEACE_S = 120.0
POLICY = policy_from_names(queue_order="shortest-first", may_displace="shorter-first", min_runtime_s=PEACE_S)
STEP_S = 60.0
LENGTHS_S = (60.0, 300.0, 900.0, 3600.0)
LONGEST_S = max(LENGTHS_S)
GPU = Gang(1, Shape(gpu_count=1))

waiting = st.builds(
    TrainingJob,
    st.just(JobId("")),
    st.just("j"),
    st.just(GPU),
    priority=st.sampled_from([25, 50]),
    submitted_at_s=st.floats(0.0, 1e5),
    max_runtime_s=st.one_of(st.none(), st.floats(1.0, 1e5)),
    ran_before_s=st.sampled_from([0.0, 0.0, 500.0, 20_000.0]),
)
lists = st.lists(waiting, max_size=12).map(lambda jobs: [replace(j, job_id=JobId(str(n))) for n, j in enumerate(jobs)])


@given(jobs=lists)
def test_only_who_came_within_a_jobs_own_length_after_it_goes_before_it(jobs: list[TrainingJob]) -> None:
    """So however many short ones come, those that came later than that wait behind it: a bound in its own terms."""
    order = shortest_first(Snapshot.of(taken_at_s=1e5, jobs=jobs))
    assert sorted(job.job_id for job in order) == sorted(job.job_id for job in jobs)
    for place, job in enumerate(order):
        for ahead in (other for other in order[:place] if other.priority == job.priority):
            assert ahead.submitted_at_s <= job.submitted_at_s + job.ran_before_s + takes_s(job)


class Flood:
    """A few devices, one long job, and short ones of any length coming all the time; a stop loses no work."""

    def __init__(self, rng: Random, long_s: float, *, says: bool) -> None:
        """`says`: whether the long job says how long it takes."""
        self.now_s, self.rng = 0.0, rng
        self.hosts = [Host("h", 64_000, 65_536, tuple(Device(d) for d in range(rng.choice([1, 2]))), "A")]
        self.jobs: dict[str, TrainingJob] = {}
        self.left_s: dict[str, float] = {}
        self.stops: dict[str, list[tuple[float, float]]] = {}
        self.long = self.submit(long_s, says=says)

    def submit(self, lasts_s: float, *, says: bool) -> str:
        job_id = JobId(str(len(self.left_s) + 1))
        self.left_s[job_id], self.stops[job_id] = lasts_s, []
        self.jobs[job_id] = TrainingJob(
            job_id,
            "j",
            GPU,
            submitted_at_s=self.now_s,
            restart_cost_s=0.0,
            grace_period_s=0.0,
            max_runtime_s=lasts_s if says else None,
        )
        return job_id

    def step(self) -> None:
        """Let more come, plan, carry it out at once, and let a minute pass."""
        while sum(job.state.is_waiting for job in self.jobs.values()) < 4:
            self.submit(self.rng.choice(LENGTHS_S), says=self.rng.random() < 0.8)
        snapshot = Snapshot.of(taken_at_s=self.now_s, hosts=self.hosts, jobs=self.jobs.values())
        for action in plan(snapshot, Demand(), POLICY).actions:
            job = self.jobs[action.job_id] if isinstance(action, PreemptJob | StartJob) else None
            if isinstance(action, PreemptJob) and job is not None:
                self._stop(job, action.cause)
            elif isinstance(action, StartJob):
                began = {"attempt": action.attempt, "started_at_s": self.now_s, "checkpointed_at_s": self.now_s}
                self.jobs[action.job_id] = replace(job, state=JobState.RUNNING, slots=action.slots, **began)
        self.now_s += STEP_S
        for job_id in [job.job_id for job in self.jobs.values() if job.state is JobState.RUNNING]:
            self.left_s[job_id] -= STEP_S
            self.jobs[job_id] = replace(self.jobs[job_id], checkpointed_at_s=self.now_s)
            if self.left_s[job_id] <= 0:
                del self.jobs[job_id]

    @property
    def others_s(self) -> float:
        """What all the others that are there will take."""
        return sum(self.left_s[job_id] for job_id in self.jobs if job_id != self.long)

    def _stop(self, job: TrainingJob, cause: Cause) -> None:
        assert cause is Cause.SHORTER
        ran_s = self.now_s - (job.started_at_s or 0.0)
        self.stops[job.job_id].append((self.now_s, ran_s))
        self.jobs[job.job_id] = replace(
            job,
            state=JobState.PREEMPTED,
            slots=(),
            started_at_s=None,
            checkpointed_at_s=None,
            stops=job.stops + 1,
            ran_before_s=job.ran_before_s + ran_s,
            max_runtime_s=None if job.max_runtime_s is None else self.left_s[job.job_id],
        )


@settings(max_examples=6, deadline=None)
@given(rng=st.randoms(use_true_random=True), hours=st.sampled_from([0.5, 1.0, 2.0]), says=st.booleans())
def test_a_long_job_is_done_in_a_flood_of_short_ones_and_stopped_a_logarithm_of_times(
    rng: Random, hours: float, *, says: bool
) -> None:
    """Who comes when it has waited as long as it takes is behind it.

    So it waits for those that are there by then, however long they take who did not say, and, where it was stopped at
    last before, for one short job more.
    """
    long_s, ahead_s = hours * 3600.0, inf
    flood = Flood(rng, long_s, says=says)
    while flood.long in flood.jobs:
        ahead_s = flood.others_s if flood.now_s == long_s else ahead_s
        assert flood.now_s <= 2 * long_s + ahead_s + LONGEST_S, "its own length twice, and those that were before it"
        flood.step()
    event(f"stopped {len(flood.stops[flood.long])} times, done after {flood.now_s / long_s:.1f} of its length")
    for stops in flood.stops.values():
        for number, (at_s, ran_s) in enumerate(stops):
            assert ran_s >= PEACE_S * 2**number, "each time it is left in peace for twice as long: it gets on"
            assert sum(at_s <= later_s < at_s + 3600.0 for later_s, _ in stops) <= log2(3600.0 / PEACE_S + 1) + 1
