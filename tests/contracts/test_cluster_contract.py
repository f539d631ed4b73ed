"""The promises of every `scheduler.control.ports.Cluster`."""

from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from scheduler.control.settings import Application, Declared
from scheduler.model.errors import ActionFailed
from scheduler.model.hosts import HostState
from scheduler.model.observation import Observation, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ReplicaState

Harness: TypeAlias = Any
"""`Harness` of conftest.py, which tests cannot import."""
ONE = Gang(1, Shape(cpu_milli=1000, memory_mib=512, gpu_count=1))
PAIR = Gang(2, Shape(cpu_milli=1000, memory_mib=512, gpu_count=2))
PAIR_SLOTS = (Slot("gpu-a", (0, 1)), Slot("gpu-b", (2, 3)))
FULL = Gang(2, Shape(cpu_milli=1000, memory_mib=512, gpu_count=4))
FULL_SLOTS = (Slot("gpu-a", (0, 1, 2, 3)), Slot("gpu-b", (0, 1, 2, 3)))
HALF = Slot("gpu-a", (0,))


def run_of(seen: Observation, job_id: JobId, attempt: int = 1) -> Any:
    return next((run for run in seen.runs if (run.job_id, run.attempt) == (job_id, attempt)), None)


def state_of(seen: Observation, job_id: JobId, attempt: int = 1) -> RunState | None:
    run = run_of(seen, job_id, attempt)
    return run and run.state


def started(harness: Harness, gang: Gang, slots: tuple[Slot, ...], ending: str = "long") -> JobId:
    job_id = harness.job(gang, ending)
    harness.cluster.apply(StartJob(job_id, 1, slots))
    return job_id


def running(harness: Harness, gang: Gang, slots: tuple[Slot, ...]) -> JobId:
    job_id = started(harness, gang, slots)
    harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.RUNNING)
    return job_id


def ready(seen: Observation) -> list[Slot]:
    return [replica.slot for replica in seen.replicas if replica.state is ReplicaState.READY]


def test_a_fresh_cluster_shows_its_hosts_and_nothing_else(harness: Harness) -> None:
    seen = harness.cluster.observe()
    assert [host.name for host in seen.hosts] == ["cpu-a", "gpu-a", "gpu-b"]
    cpu, gpu, _ = seen.hosts
    assert (gpu.cpu_milli, gpu.memory_mib, gpu.gpu_model) == (8000, 16384, "Tester")
    assert [(device.index, device.memory_mib) for device in gpu.devices] == [(i, 65536) for i in range(4)]
    own = tuple(label for label in cpu.labels if label not in harness.told_by_labels)
    assert (cpu.devices, own) == ((), (("rack", "7"),))
    assert {host.state for host in seen.hosts} == {HostState.READY}
    assert (seen.runs, seen.replicas, seen.faults) == ((), (), ())


def test_a_gang_lands_on_its_slots_and_keeps_them_while_it_runs(harness: Harness) -> None:
    before_s = harness.now_s()
    job_id = started(harness, PAIR, PAIR_SLOTS)
    run = run_of(harness.cluster.observe(), job_id)
    assert run.slots == PAIR_SLOTS
    assert run.state in {RunState.STARTING, RunState.RUNNING}
    assert before_s - 1 <= run.started_at_s <= harness.now_s() + 1
    seen = harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.RUNNING)
    assert run_of(seen, job_id).slots == PAIR_SLOTS
    assert run_of(seen, job_id).ended_at_s is None


def test_a_gang_goes_on_from_its_checkpoint_with_fewer_workers_and_then_with_more(harness: Harness) -> None:
    gang = Gang(1, ONE.shape, max_workers=4)
    sizes = (4, 1, 3)
    job_id, saved = harness.job(gang), 0
    for attempt, size in enumerate(sizes, start=1):
        slots = tuple(Slot("gpu-a", (device,)) for device in range(size))
        harness.cluster.apply(StartJob(job_id, attempt, slots))

        def has_gone_on(seen: Observation, attempt: int = attempt, saved: int = saved) -> bool:
            run = run_of(seen, job_id, attempt)
            return run is not None and run.progress is not None and run.progress.step > saved

        run = run_of(harness.wait_until(has_gone_on), job_id, attempt)
        assert run.slots == slots
        harness.cluster.apply(PreemptJob(job_id, attempt, 10.0, Cause.GROWTH))
        seen = harness.wait_until(lambda seen, attempt=attempt: state_of(seen, job_id, attempt) is RunState.STOPPED)
        saved = run_of(seen, job_id, attempt).progress.step
    rest = running(harness, Gang(1, FULL.shape), FULL_SLOTS[:1])
    assert state_of(harness.cluster.observe(), rest) is RunState.RUNNING, "all the room is free again"


def test_a_gang_that_does_not_fit_whole_leaves_the_room_as_it_was(harness: Harness) -> None:
    running(harness, ONE, (Slot("gpu-b", (0,)),))
    too_large = harness.job(FULL)
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(too_large, 1, FULL_SLOTS))
    assert run_of(harness.cluster.observe(), too_large) is None
    rest = running(harness, Gang(1, FULL.shape), FULL_SLOTS[:1])
    assert state_of(harness.cluster.observe(), rest) is RunState.RUNNING


def test_a_start_on_a_host_that_is_not_there_is_refused(harness: Harness) -> None:
    job_id = harness.job(ONE)
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(job_id, 1, (Slot("nowhere", (0,)),)))
    assert run_of(harness.cluster.observe(), job_id) is None


def test_a_host_that_the_cluster_cordons_is_shown_so_with_all_that_runs_on_it(harness: Harness) -> None:
    """A cluster that cordons none itself never says so of one."""
    job_id = running(harness, ONE, (Slot("gpu-a", (0,)),))
    if harness.cordons:
        harness.cordon("gpu-a", "by hand")
    wanted = HostState.CORDONED if harness.cordons else HostState.READY
    seen = harness.wait_until(lambda seen: seen.hosts[1].state is wanted)
    assert (seen.hosts[1].name, seen.hosts[1].reason) == ("gpu-a", "by hand" if harness.cordons else "")
    assert state_of(seen, job_id) is RunState.RUNNING


def test_a_job_that_nobody_declared_is_refused(harness: Harness) -> None:
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(JobId("404404"), 1, (Slot("gpu-a", (0,)),)))
    assert harness.cluster.observe().runs == ()


def test_starting_the_same_attempt_again_starts_nothing(harness: Harness) -> None:
    job_id = running(harness, FULL, FULL_SLOTS)
    harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    assert [(run.job_id, run.attempt) for run in harness.cluster.observe().runs] == [(job_id, 1)]


def test_a_stopped_job_saves_within_its_grace_and_gives_its_room_back(harness: Harness) -> None:
    job_id = running(harness, FULL, FULL_SLOTS)
    saved = run_of(harness.wait_until(lambda seen: run_of(seen, job_id).progress), job_id).progress
    told_s = harness.now_s()
    harness.cluster.apply(PreemptJob(job_id, 1, 10.0, Cause.SERVING))
    assert state_of(harness.cluster.observe(), job_id) is RunState.STOPPING
    run = run_of(harness.wait_until(lambda seen: state_of(seen, job_id) is not RunState.STOPPING), job_id)
    assert run.state is RunState.STOPPED
    assert run.ended_at_s <= told_s + 10.0 + 1.0
    assert run.progress.step >= saved.step > 0
    assert run.progress.saved_at_s >= told_s
    assert running(harness, FULL, FULL_SLOTS) != job_id


def test_the_next_attempt_goes_on_from_the_checkpoint(harness: Harness) -> None:
    job_id = running(harness, ONE, (Slot("gpu-a", (0,)),))
    harness.wait_until(lambda seen: run_of(seen, job_id).progress)
    harness.cluster.apply(PreemptJob(job_id, 1, 10.0, Cause.PRIORITY))
    ended = run_of(harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.STOPPED), job_id)
    harness.cluster.apply(StartJob(job_id, 2, (Slot("gpu-b", (3,)),)))
    assert run_of(harness.cluster.observe(), job_id, 2).progress is None, "a checkpoint of another attempt"
    seen = harness.wait_until(lambda seen: run_of(seen, job_id, 2).progress)
    assert run_of(seen, job_id, 2).progress.step > ended.progress.step


def test_stopping_what_is_gone_changes_nothing(harness: Harness) -> None:
    job_id = started(harness, ONE, (Slot("gpu-a", (0,)),), "succeeds")
    before = harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.SUCCEEDED)
    harness.cluster.apply(PreemptJob(job_id, 1, 10.0, Cause.SERVING))
    harness.cluster.apply(PreemptJob(JobId("404404"), 1, 10.0, Cause.ORPHAN))
    assert harness.cluster.observe().runs == before.runs


def test_an_ended_run_frees_its_room_and_stays_listed_until_it_is_forgotten(harness: Harness) -> None:
    job_id = started(harness, FULL, FULL_SLOTS, "succeeds")
    run = run_of(harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.SUCCEEDED), job_id)
    assert run.started_at_s < run.ended_at_s <= harness.now_s() + 1
    again = running(harness, FULL, FULL_SLOTS)
    assert state_of(harness.cluster.observe(), job_id) is RunState.SUCCEEDED
    harness.cluster.forget(job_id, 1)
    assert [run.job_id for run in harness.cluster.observe().runs] == [again]


def test_a_failed_job_says_why(harness: Harness) -> None:
    job_id = started(harness, ONE, (Slot("gpu-a", (0,)),), "fails")
    run = run_of(harness.wait_until(lambda seen: not state_of(seen, job_id).holds_room), job_id)
    assert run.state is RunState.FAILED
    assert run.message


def test_replicas_come_up_where_they_were_asked_for_and_go_one_by_one(harness: Harness) -> None:
    asked = [HALF, HALF if harness.shares_devices else Slot("gpu-a", (1,)), Slot("gpu-b", (1,))]
    for slot in asked:
        harness.cluster.apply(StartReplica("echo", slot))
    seen = harness.cluster.observe()
    assert len(seen.replicas) == 3
    assert {replica.state for replica in seen.replicas} <= {ReplicaState.STARTING, ReplicaState.READY}
    seen = harness.wait_until(lambda seen: len(ready(seen)) == 3)
    if harness.places_replicas:
        assert sorted(ready(seen)) == asked
    first, last, other = sorted(seen.replicas, key=lambda replica: (replica.slot, replica.replica_id))
    harness.cluster.apply(StopReplica(first.replica_id, "echo", first.slot))
    seen = harness.wait_until(lambda seen: len(seen.replicas) == 2)
    assert sorted(ready(seen)) == [last.slot, other.slot], "the others stay where they are"
    harness.cluster.apply(StopReplica(first.replica_id, "echo", first.slot))
    assert {replica.replica_id for replica in harness.cluster.observe().replicas} == {last.replica_id, other.replica_id}
    harness.cluster.apply(StopReplica(last.replica_id, "echo", last.slot))
    assert ready(harness.wait_until(lambda seen: len(seen.replicas) == 1)) == [other.slot]


def test_a_replica_is_observed_where_it_is_and_that_room_is_taken(harness: Harness) -> None:
    harness.cluster.apply(StartReplica("echo", HALF))
    (slot,) = ready(harness.wait_until(ready))
    assert harness.places_replicas is (slot == HALF)
    whole = Gang(1, FULL.shape)
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(harness.job(whole), 1, (Slot(slot.host, (0, 1, 2, 3)),)))
    other = "gpu-a" if slot.host == "gpu-b" else "gpu-b"
    running(harness, whole, (Slot(other, (0, 1, 2, 3)),))


def test_a_revision_runs_beside_another_and_stays_until_it_is_stopped(harness: Harness) -> None:
    if not harness.revises:
        pytest.skip("on this cluster rollouts are its own controllers', and are observed")
    old, new = (
        Declared(model, Application("small_models:build", {"greeting": "hello"})) for model in harness.revisions
    )
    harness.cluster.declare([old, replace(new, share=0.0)])
    harness.cluster.apply(StartReplica("echo", HALF))
    harness.cluster.apply(StartReplica("echo", Slot("gpu-b", (1,)), revision=2))
    seen = harness.wait_until(lambda seen: len(ready(seen)) == 2)
    assert sorted(replica.revision for replica in seen.replicas) == [1, 2]
    (second,) = [replica for replica in seen.replicas if replica.revision == 2]
    harness.cluster.declare([old])
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartReplica("echo", HALF, revision=3))
    assert len(ready(harness.cluster.observe())) == 2, "what is left out stays until it is stopped"
    harness.cluster.apply(StopReplica(second.replica_id, "echo", second.slot))
    seen = harness.wait_until(lambda seen: len(seen.replicas) == 1)
    assert [replica.revision for replica in seen.replicas] == [1]


def test_a_replica_of_an_unknown_model_or_host_is_refused(harness: Harness) -> None:
    wrong = [("nothing", HALF), ("echo", Slot("nowhere", (0,)))]
    for model, slot in wrong if harness.places_replicas else wrong[:1]:
        with pytest.raises(ActionFailed):
            harness.cluster.apply(StartReplica(model, slot))
    assert harness.cluster.observe().replicas == ()


@pytest.mark.usefixtures("hasty")
def test_a_job_whose_driver_cannot_come_up_is_not_started_and_frees_its_room(harness: Harness) -> None:
    job_id = harness.job(FULL)
    harness.spoil(job_id)
    harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    seen = harness.wait_until(lambda seen: not state_of(seen, job_id).holds_room)
    run = run_of(seen, job_id)
    assert run.state is RunState.NOT_STARTED
    assert "did not come up" in run.message
    harness.cluster.forget(job_id, 1)
    started(harness, FULL, FULL_SLOTS)  # refused unless all the room is free again


def test_the_deadline_of_a_stop_reaches_a_job_whose_driver_cannot_come_up(harness: Harness) -> None:
    job_id = harness.job(FULL)
    harness.spoil(job_id)
    harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    told_s = harness.now_s()
    harness.cluster.apply(PreemptJob(job_id, 1, 0.5, Cause.DRAIN))
    seen = harness.wait_until(lambda seen: not state_of(seen, job_id).holds_room)
    assert state_of(seen, job_id) is RunState.STOPPED
    assert harness.now_s() - told_s < 30.0, "it would hold up a drain"


def test_a_run_that_is_stopped_past_the_control_plane_is_shown_as_stopped(harness: Harness) -> None:
    job_id = running(harness, ONE, (Slot("gpu-a", (0,)),))
    harness.stop_by_hand(job_id)
    harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.STOPPED)


def test_what_runs_on_a_host_that_is_silent_for_seconds_goes_on(harness: Harness) -> None:
    job_id = running(harness, PAIR, PAIR_SLOTS)
    harness.silence("gpu-b")
    for _ in range(20):
        assert state_of(harness.cluster.observe(), job_id) is RunState.RUNNING
        harness.pause()
    harness.end_silence("gpu-b")
    saved = run_of(harness.wait_until(lambda seen: run_of(seen, job_id).progress), job_id).progress
    harness.wait_until(lambda seen: run_of(seen, job_id).progress.step > saved.step)
    assert {host.state for host in harness.cluster.observe().hosts} == {HostState.READY}


def test_what_runs_is_seen_by_the_control_plane_after_a_crash(harness: Harness) -> None:
    job_id = running(harness, PAIR, PAIR_SLOTS)
    stopping = running(harness, ONE, (Slot("gpu-a", (2,)),))
    harness.cluster.apply(StartReplica("echo", Slot("gpu-b", (0,))))
    before = harness.wait_until(ready)
    harness.cluster.apply(PreemptJob(stopping, 1, 10.0, Cause.SERVING))
    harness.reopen()
    after = harness.cluster.observe()
    assert (run_of(after, job_id).slots, state_of(after, job_id)) == (PAIR_SLOTS, RunState.RUNNING)
    assert state_of(after, stopping) in {RunState.STOPPING, RunState.STOPPED}
    assert [r.replica_id for r in after.replicas] == [r.replica_id for r in before.replicas]
    harness.cluster.apply(StartJob(job_id, 1, PAIR_SLOTS))
    assert len(harness.cluster.observe().runs) == 2


def gone(harness: Harness, stray: Any) -> Any:
    """Return what is asked until a stray that is evicted is gone; evicting it again changes nothing."""

    def is_gone(seen: Observation) -> bool:
        if not seen.strays:
            return True
        harness.cluster.evict(stray, 0.5)
        return False

    return is_gone


def test_a_stray_holds_its_room_and_is_left_alone_until_it_is_evicted(harness: Harness) -> None:
    harness.settle(JobId("901"), HALF, "b" * 36)
    seen = harness.wait_until(lambda seen: seen.strays)
    (stray,) = seen.strays
    assert (stray.owner, stray.job_id, stray.attempt) == ("b" * 36, "901", 1)
    assert [slot for slot, _ in stray.held] == [HALF]
    assert not [run for run in seen.runs if run.job_id == "901"], "it is none of ours"
    harness.reopen()
    job_id = harness.job(FULL)
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    assert harness.cluster.observe().strays == seen.strays
    harness.cluster.evict(stray, 0.5)
    harness.wait_until(gone(harness, stray))
    harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.RUNNING)


def test_room_that_other_work_takes_is_shown_and_given_to_nobody(harness: Harness) -> None:
    harness.occupy("gpu-b", cpus=3, gpus=2)
    seen = harness.wait_until(lambda seen: seen.occupied)
    (held,) = seen.occupied
    assert (held[0].host, len(held[0].devices), held[1].cpu_milli, held[1].gpu_count) == ("gpu-b", 2, 3000, 2)
    assert not any(stray.held for stray in seen.strays), "it is counted once"
    assert harness.cluster.observe().occupied[0] is held or harness.cluster.observe().occupied[0] == held
    job_id = harness.job(FULL)
    with pytest.raises(ActionFailed):
        harness.cluster.apply(StartJob(job_id, 1, FULL_SLOTS))
    left = tuple(sorted({0, 1, 2, 3} - set(held[0].devices)))
    beside = running(harness, Gang(1, Shape(cpu_milli=1000, gpu_count=2)), (Slot("gpu-b", left),))
    assert harness.cluster.observe().occupied == (held,), "ours is not counted with it"
    harness.vacate()
    harness.wait_until(lambda seen: not seen.occupied)
    assert state_of(harness.cluster.observe(), beside) is RunState.RUNNING


def test_an_adopted_run_is_ours_also_for_the_next_control_plane(harness: Harness) -> None:
    job_id = harness.job(ONE)
    harness.settle(job_id, HALF, "")
    (stray,) = harness.wait_until(lambda seen: seen.strays).strays
    assert stray.may_be(job_id, 1)
    harness.cluster.adopt(stray)
    harness.reopen()
    seen = harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.RUNNING)
    assert (seen.strays, run_of(seen, job_id).slots) == ((), (HALF,))
    harness.cluster.apply(PreemptJob(job_id, 1, 0.0, Cause.STOP_ASKED))
    harness.wait_until(lambda seen: state_of(seen, job_id) is RunState.STOPPED)
    harness.cluster.forget(job_id, 1)
    assert run_of(harness.cluster.observe(), job_id) is None
