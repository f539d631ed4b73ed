"""A small cluster lives through arrivals, ends, lost hosts and changing demand; the planner never breaks a promise."""

from dataclasses import replace
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.plan import Cause, Plan, PreemptJob, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.planning.planner import plan

GPU = Shape(cpu_milli=1000, memory_mib=1024, gpu_count=1)
PAIR = Shape(cpu_milli=1000, memory_mib=1024, gpu_count=2)
HALF = Shape(cpu_milli=500, gpu_count=1, gpu_milli=500)
HOSTS = tuple(Host(f"h{i}", 16000, 32768, tuple(Device(d) for d in range(4)), "A") for i in range(3))
MODELS = (
    ServingModel("chat", GPU, 0, 6, survive_host_losses=1),
    ServingModel("tone", HALF, 0, 4, max_per_host=2),
)
OPEN = {JobState.ADMITTED, JobState.RUNNING, JobState.PREEMPTING}


class Life(RuleBasedStateMachine):
    """The world's state is one snapshot; a cycle plans for it and begins to carry the plan out."""

    kit: SimpleNamespace
    snapshot: Snapshot
    demand: Demand
    made: Plan

    @initialize()
    def begin(self) -> None:
        self.snapshot = Snapshot.of(taken_at_s=1000.0, hosts=HOSTS, models=MODELS)
        self.demand = Demand(tuple(ModelDemand(model.name, 0, 0, 0) for model in MODELS))
        self.asked = dict.fromkeys((model.name for model in MODELS), 0)
        self.submitted: set[str] = set()
        self.ended: set[str] = set()
        self.last_preempted: dict[str, float] = {}

    @rule(
        workers=st.integers(1, 4),
        shape=st.sampled_from([GPU, PAIR, HALF]),
        limit=st.sampled_from([0, 0, 1]),
        more=st.sampled_from([0, 0, 1, 4]),
        priority=st.sampled_from([25, 50, 75]),
        preemptible=st.sampled_from([True, True, False]),
    )
    def submit(  # noqa: PLR0913  # one argument a trait
        self, workers: int, shape: Shape, limit: int, more: int, priority: int, *, preemptible: bool
    ) -> None:
        job_id = JobId(str(len(self.submitted) + 1))
        job = TrainingJob(
            job_id,
            "job",
            self.kit.gang_of(workers, shape, limit, more),
            priority=priority,
            preemptible=preemptible,
            submitted_at_s=self.snapshot.taken_at_s,
        )
        self.submitted.add(job_id)
        self.change(jobs=[*self.snapshot.jobs, job])

    @rule(now=st.integers(0, 3), more=st.integers(0, 3), later=st.integers(0, 2), which=st.integers(0, 1))
    def demand_changes(self, now: int, more: int, later: int, which: int) -> None:
        models = list(self.demand.models)
        models[which] = ModelDemand(MODELS[which].name, now, now + more, now + more + later)
        self.demand = Demand(tuple(models))

    @rule(which=st.integers(0, 1), beyond=st.sampled_from([0, 1, 7, 7]))
    def a_controller_of_the_cluster_rolls_out_or_is_done(self, which: int, beyond: int) -> None:
        """It wants more replicas than there are, and starts those itself for which there is room."""
        model = MODELS[which]
        living = len(self.snapshot.living.get(model.name, ()))
        self.asked[model.name] = living + beyond if beyond else 0
        for number in range(beyond):
            ledger = self.snapshot.ledger
            row = next((row for row in range(len(HOSTS)) if ledger.fits(row, model.shape)), None)
            if row is not None:
                slot = Slot(HOSTS[row].name, ledger.devices_for(row, model.shape))
                name = ReplicaId(f"{model.name}-theirs-{self.snapshot.version}-{number}")
                new = Replica(name, model.name, slot, ReplicaState.STARTING, self.snapshot.taken_at_s)
                self.change(replicas=[*self.snapshot.replicas, new])

    @rule(pick=st.integers(0, 20))
    def a_job_ends(self, pick: int) -> None:
        running = [job for job in self.snapshot.jobs if job.state in OPEN]
        if running:
            gone = running[pick % len(running)]
            self.ended.add(gone.job_id)
            self.change(jobs=[job for job in self.snapshot.jobs if job is not gone])

    @rule(pick=st.integers(0, 20))
    def an_owner_wants_a_job_ended(self, pick: int) -> None:
        running = [job for job in self.snapshot.jobs if job.state in OPEN]
        if running:
            asked = running[pick % len(running)]
            self.change(jobs=[replace(j, stop_asked=True) if j is asked else j for j in self.snapshot.jobs])

    @rule(pick=st.integers(0, 2), state=st.sampled_from([HostState.CORDONED, HostState.DRAINING, HostState.READY]))
    def an_operator_marks_a_host(self, pick: int, state: HostState) -> None:
        if self.snapshot.hosts[pick].state is not HostState.LOST:
            self.set_host(pick, state)

    @rule(pick=st.integers(0, 2))
    def a_host_is_lost_with_all_on_it(self, pick: int) -> None:
        name = self.snapshot.hosts[pick].name
        jobs = [self.lost(job) if any(s.host == name for s in job.slots) else job for job in self.snapshot.jobs]
        replicas = [replica for replica in self.snapshot.replicas if replica.slot.host != name]
        self.change(jobs=jobs, replicas=replicas)
        self.set_host(pick, HostState.LOST)

    @rule(pick=st.integers(0, 2))
    def a_host_comes_back(self, pick: int) -> None:
        self.set_host(pick, HostState.READY)

    @rule(pick=st.integers(0, 2), shape=st.sampled_from([GPU, PAIR, HALF, Shape(9000, 20_000)]))
    def other_work_comes_where_there_is_room(self, pick: int, shape: Shape) -> None:
        host, ledger = HOSTS[pick].name, self.snapshot.ledger
        devices = ledger.devices_for(pick, shape)
        taken = {slot for slot, _ in self.snapshot.occupied}
        if devices is not None and (slot := Slot(host, devices)) not in taken:
            self.change(occupied=[*self.snapshot.occupied, (slot, shape)])

    @rule(pick=st.integers(0, 5))
    def other_work_goes(self, pick: int) -> None:
        if there := self.snapshot.occupied:
            gone = there[pick % len(there)]
            self.change(occupied=[held for held in there if held is not gone])

    @rule()
    def what_is_under_way_comes_to_its_end(self) -> None:
        stopping = {j.job_id for j in self.snapshot.jobs if j.state is JobState.PREEMPTING and j.stop_asked}
        self.ended |= stopping
        self.snapshot = self.kit.finish(self.snapshot)

    @rule(after_s=st.sampled_from([1.0, 30.0, 400.0]))
    def a_cycle(self, after_s: float) -> None:
        made = plan(self.snapshot, self.wanted(), self.kit.POLICY)
        self.no_rollout_is_undone(made)
        self.kit.assert_every_prefix_is_safe(self.snapshot, made.actions)
        assert self.kit.is_sound(self.kit.room_in_the_end(self.snapshot, made)), "a promise cannot be kept"
        self.no_job_is_stopped_for_another_too_soon(made)
        self.snapshot = self.kit.apply(self.snapshot, made, after_s=after_s)

    def wanted(self) -> Demand:
        return Demand(tuple(one.at_least(self.asked[one.model]) for one in self.demand.models))

    def no_rollout_is_undone(self, made: Plan) -> None:
        for model, asked in self.asked.items():
            there = [r.replica_id for r in self.snapshot.living.get(model, ())]
            stops = [a for a in made.actions if isinstance(a, StopReplica) and a.model == model]
            surplus = sum(stop.cause is Cause.SURPLUS for stop in stops)
            assert not surplus or len(there) - surplus >= asked, "what the cluster itself wants is no surplus"

    def no_job_is_stopped_for_another_too_soon(self, made: Plan) -> None:
        started = {job.job_id: job.started_at_s for job in self.snapshot.jobs}
        for action in made.actions:
            if isinstance(action, PreemptJob) and action.cause == "priority":
                assert self.snapshot.taken_at_s - started[action.job_id] >= self.kit.POLICY.min_runtime_s

    @invariant()
    def nothing_is_overcommitted(self) -> None:
        assert self.kit.is_sound(self.snapshot.ledger)

    @invariant()
    def no_job_is_lost_and_none_runs_in_part(self) -> None:
        there = {job.job_id for job in self.snapshot.jobs}
        assert there | self.ended == self.submitted
        assert not there & self.ended
        for job in self.snapshot.jobs:
            assert not job.slots or job.gang.workers <= len(job.slots) <= job.gang.most

    def teardown(self) -> None:
        """Once the world is left alone, everything that fits runs and serving has what it needs."""
        if not hasattr(self, "snapshot"):
            return
        self.change(occupied=())
        self.asked = dict.fromkeys(self.asked, 0)
        for pick in range(len(HOSTS)):
            self.set_host(pick, HostState.READY)
        for _ in range(40):
            made = plan(self.snapshot, self.demand, self.kit.POLICY)
            self.snapshot = self.kit.finish(self.kit.apply(self.snapshot, made, after_s=60.0))
        assert not made.actions
        self.serving_is_satisfied()
        waiting = [job for job in self.snapshot.jobs if job.state.is_waiting]
        assert {why.subject for why in made.unplaced} >= {job.job_id for job in waiting}

    def serving_is_satisfied(self) -> None:
        if any(not job.preemptible for job in self.snapshot.jobs):
            return
        for each in self.demand.models:
            ready = [r for r in self.snapshot.replicas if r.model == each.model and r.state is ReplicaState.READY]
            most = self.snapshot.model(each.model).max_replicas
            assert len(ready) >= min(each.replicas_wanted, most)

    def lost(self, job: TrainingJob) -> TrainingJob:
        return replace(job, state=JobState.PENDING, slots=(), started_at_s=None, checkpointed_at_s=None)

    def set_host(self, pick: int, state: HostState) -> None:
        name = HOSTS[pick].name
        self.change(hosts=[replace(h, state=state) if h.name == name else h for h in self.snapshot.hosts])

    def change(self, **parts: object) -> None:
        self.snapshot = self.kit.again(self.snapshot, **parts)


def test_a_cluster_lives_without_breaking_a_promise(kit: SimpleNamespace) -> None:
    life = type("LifeWithKit", (Life,), {"kit": kit})
    run_state_machine_as_test(life, settings=settings(max_examples=30, stateful_step_count=25, deadline=None))
