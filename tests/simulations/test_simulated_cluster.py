"""Promises of the simulated cluster: what runs takes its time, and never more than there is."""

import pytest

from scheduler.model.errors import ActionFailed
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Run, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ReplicaState
from simulations.usage import Use
from simulations.work import Work
from simulations.world import World

ONE_DEVICE = Gang(1, Shape(cpu_milli=1000, memory_mib=100, gpu_count=1))


def submit(world: World, work: Work, gang: Gang = ONE_DEVICE, *, interval_s: float | None = 100.0) -> JobId:
    return world.submit(JobSpec("job", "python train.py", gang, checkpoint_interval_s=interval_s), work)


def at(world: World, at_s: float) -> float:
    """Run on to a moment and return it."""
    world.engine.run_until(at_s)
    return world.engine.now_s()


def run_of(world: World, job_id: JobId) -> Run:
    return next(run for run in world.cluster.observe().runs if run.job_id == job_id)


def start(world: World, job_id: JobId, *slots: Slot, attempt: int = 1) -> None:
    world.cluster.apply(StartJob(job_id, attempt, slots or (Slot("a", (0,)),)))


def preempt(world: World, job_id: JobId, grace_s: float = 30.0, attempt: int = 1) -> None:
    world.cluster.apply(PreemptJob(job_id, attempt, grace_s, Cause.SERVING))


def test_a_job_starts_up_works_and_succeeds(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=60.0))
    start(world, job)
    assert run_of(world, job).state is RunState.STARTING
    at(world, 60.0)
    assert run_of(world, job).state is RunState.RUNNING
    at(world, 1059.0)
    assert run_of(world, job).state is RunState.RUNNING
    end_s = at(world, 1060.0)
    run = run_of(world, job)
    assert (run.state, run.ended_at_s) == (RunState.SUCCEEDED, end_s)


def test_checkpoints_come_at_the_interval_of_progress(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=60.0), interval_s=100.0)
    start(world, job)
    at(world, 159.0)
    assert run_of(world, job).progress is None
    at(world, 275.0)
    progress = run_of(world, job).progress
    assert progress is not None
    assert (progress.step, progress.total_steps) == (200, 1000)
    assert progress.saved_at_s == world.engine.now_s() - 15.0


def test_preemption_saves_within_grace_and_the_next_attempt_goes_on_from_there(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=60.0, save_s=10.0), interval_s=300.0)
    start(world, job)
    at(world, 560.0)
    preempt(world, job)
    assert run_of(world, job).state is RunState.STOPPING
    at(world, 570.0)
    run = run_of(world, job)
    assert run.state is RunState.STOPPED
    assert run.progress is not None
    assert run.progress.step == 500
    start(world, job, attempt=2)
    world.cluster.forget(job, 1)
    at(world, 570.0 + 60.0 + 500.0)
    assert run_of(world, job).state is RunState.SUCCEEDED
    assert world.cluster.totals.lost_gpu_s == 0.0
    assert world.cluster.totals.kept_gpu_s == 1000.0


def test_a_save_longer_than_the_grace_period_is_in_vain(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=60.0, save_s=50.0), interval_s=300.0)
    start(world, job)
    at(world, 560.0)
    preempt(world, job, grace_s=30.0)
    end_s = at(world, 590.0)
    run = run_of(world, job)
    assert (run.state, run.ended_at_s) == (RunState.STOPPED, end_s)
    assert world.cluster.saved_s(job) == 300.0
    assert world.cluster.totals.lost_gpu_s == 200.0


def test_a_job_that_never_saves_starts_over(world: World) -> None:
    job = submit(world, Work(1000.0), interval_s=None)
    start(world, job)
    at(world, 560.0)
    preempt(world, job)
    at(world, 600.0)
    assert run_of(world, job).progress is None
    assert world.cluster.saved_s(job) == 0.0


def test_a_job_stopped_while_it_starts_up_keeps_what_it_had(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=60.0))
    start(world, job)
    at(world, 560.0)
    preempt(world, job)
    at(world, 600.0)
    start(world, job, attempt=2)
    at(world, 630.0)
    preempt(world, job, attempt=2)
    at(world, 700.0)
    assert world.cluster.saved_s(job) == 500.0


def test_a_job_that_breaks_fails_with_a_message(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=0.0, fails_after_s=400.0))
    start(world, job)
    at(world, 400.0)
    run = run_of(world, job)
    assert run.state is RunState.FAILED
    assert run.message


def test_an_ended_run_stays_until_it_is_forgotten_and_a_running_one_is_never_forgotten(world: World) -> None:
    job = submit(world, Work(100.0, start_up_s=0.0))
    start(world, job)
    world.cluster.forget(job, 1)
    assert run_of(world, job).state is RunState.RUNNING
    at(world, 500.0)
    assert run_of(world, job).state is RunState.SUCCEEDED
    world.cluster.forget(job, 1)
    assert world.cluster.observe().runs == ()
    world.cluster.forget(job, 1)


def test_an_order_given_twice_changes_nothing(world: World) -> None:
    job = submit(world, Work(1000.0, save_s=10.0))
    start(world, job)
    start(world, job)
    assert len(world.cluster.observe().runs) == 1
    at(world, 500.0)
    preempt(world, job)
    at(world, 505.0)
    preempt(world, job)
    at(world, 510.0)
    preempt(world, job)
    start(world, job)
    assert run_of(world, job).state is RunState.STOPPED, "an attempt that is gone stays gone"
    world.cluster.forget(job, 1)
    start(world, job)
    assert world.cluster.observe().runs == ()


def test_the_lost_host_takes_the_whole_gang_and_its_replicas(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=0.0), Gang(2, Shape(cpu_milli=1000, gpu_count=2)), interval_s=100.0)
    start(world, job, Slot("a", (0, 1)), Slot("b", (0, 1)))
    world.cluster.apply(StartReplica("m", Slot("a", (2,))))
    world.cluster.apply(StartReplica("m", Slot("b", (2,))))
    at(world, 250.0)
    world.cluster.lose_host("a")
    run, seen = run_of(world, job), world.cluster.observe()
    assert run.state is RunState.LOST
    assert run.progress is not None
    assert run.progress.step == 200
    assert [replica.slot.host for replica in seen.replicas] == ["b"]
    assert [host.state for host in seen.hosts] == [HostState.LOST, HostState.READY]
    assert world.cluster.meter.level(Use.LOST) == 4.0
    assert world.cluster.totals.lost_gpu_s == 50.0 * 4
    with pytest.raises(ActionFailed, match="lost"):
        start(world, job, Slot("a", (0, 1)), Slot("b", (0, 1)), attempt=2)


def test_a_host_that_returns_is_empty_and_takes_work(world: World) -> None:
    job = submit(world, Work(1000.0))
    start(world, job)
    world.cluster.lose_host("a")
    world.cluster.lose_host("a")
    world.cluster.return_host("a")
    world.cluster.return_host("a")
    start(world, job, attempt=2)
    assert run_of(world, job).job_id == job
    assert world.cluster.meter.level(Use.LOST) == 0.0


def test_replicas_warm_up_answer_and_stop(world: World) -> None:
    def states() -> list[ReplicaState]:
        return [replica.state for replica in world.cluster.observe().replicas]

    world.cluster.apply(StartReplica("m", Slot("a", (0,))))
    assert states() == [ReplicaState.STARTING]
    at(world, 119.0)
    assert states() == [ReplicaState.STARTING]
    ready_at_s = at(world, 120.0)
    assert states() == [ReplicaState.READY]
    replica = world.cluster.observe().replicas[0]
    assert replica.since_s == ready_at_s
    at(world, 130.0)
    world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))
    world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))
    assert states() == [ReplicaState.STOPPING]
    at(world, 300.0)
    assert states() == []
    world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))
    assert world.cluster.replicas.ready["m"].values == [1, 0]


def test_a_replica_stopped_while_warming_up_never_answers(world: World) -> None:
    world.cluster.apply(StartReplica("m", Slot("a", (0,))))
    at(world, 118.0)
    replica = world.cluster.observe().replicas[0]
    world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))
    at(world, 121.0)
    assert world.cluster.observe().replicas[0].state is ReplicaState.STOPPING
    at(world, 200.0)
    assert world.cluster.replicas.ready["m"].values == []


def test_a_replica_asked_for_twice_on_the_same_device_is_one(world: World) -> None:
    world.cluster.apply(StartReplica("m", Slot("a", (0,))))
    world.cluster.apply(StartReplica("m", Slot("a", (0,))))
    assert len(world.cluster.observe().replicas) == 1


@pytest.mark.parametrize(
    ("slots", "why"),
    [
        ((Slot("a", (0,)), Slot("a", (0,))), "device 0 of a"),
        ((Slot("a", (0,)), Slot("a", (7,))), "device 7 of a"),
        ((Slot("a", (0,)), Slot("a", (1, 2))), "1 devices asked"),
        ((Slot("a", (0,)), Slot("nowhere", (0,))), "no host nowhere"),
        ((Slot("a", (0,)),), "2 workers"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_taken(world: World, slots: tuple[Slot, ...], why: str) -> None:
    job = submit(world, Work(1000.0), Gang(2, Shape(gpu_count=1)))
    with pytest.raises(ActionFailed, match=why):
        start(world, job, *slots)
    assert world.cluster.observe().runs == ()
    assert world.cluster.refused == 1
    start(world, job, Slot("a", (0,)), Slot("a", (1,)))
    assert world.cluster.refused == 1


def test_cpu_and_memory_are_counted(world: World) -> None:
    large = submit(world, Work(1000.0), Gang(1, Shape(cpu_milli=8001)))
    with pytest.raises(ActionFailed, match="core"):
        start(world, large, Slot("a"))
    heavy = submit(world, Work(1000.0), Gang(1, Shape(memory_mib=10_001)))
    with pytest.raises(ActionFailed, match="MiB"):
        start(world, heavy, Slot("a"))


def test_unknown_things_are_refused(world: World) -> None:
    with pytest.raises(ActionFailed, match="unknown"):
        start(world, JobId("99"))
    with pytest.raises(ActionFailed, match="no model"):
        world.cluster.apply(StartReplica("nobody", Slot("a", (0,))))
    preempt(world, JobId("99"))
    assert world.cluster.observe().runs == ()


def test_a_second_attempt_beside_a_first_is_refused(world: World) -> None:
    job = submit(world, Work(1000.0))
    start(world, job)
    with pytest.raises(ActionFailed, match="still holds room"):
        start(world, job, Slot("b", (0,)), attempt=2)


def test_fractions_share_a_device_up_to_the_whole(world: World) -> None:
    jobs = [submit(world, Work(1000.0), Gang(1, Shape(gpu_count=1, gpu_milli=400))) for _ in range(3)]
    start(world, jobs[0])
    start(world, jobs[1])
    with pytest.raises(ActionFailed, match="device 0"):
        start(world, jobs[2])
    assert world.cluster.meter.level(Use.TRAINING) == pytest.approx(0.8)


def test_the_meter_knows_gpu_seconds_by_use(world: World) -> None:
    job = submit(world, Work(1000.0, start_up_s=0.0))
    start(world, job, Slot("b", (0,)))
    world.cluster.apply(StartReplica("m", Slot("a", (0,))))
    now_s = at(world, 1200.0)
    assert world.cluster.meter.total(Use.TRAINING, now_s) == 1000.0
    assert world.cluster.meter.total(Use.STARTING, now_s) == 120.0
    assert world.cluster.meter.total(Use.SERVING, now_s) == 1080.0
