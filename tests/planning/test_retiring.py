"""Replicas of models that are declared no longer hold their room, and answer until the others can."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.plan import Cause, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape
from scheduler.model.workloads import Replica, ReplicaState
from scheduler.planning.serving.retirement import KEPT_AT_MOST_S


def stops(say: Any, made: Any) -> list[str]:
    found = say.of(made, StopReplica)
    assert {stop.cause for stop in found} <= {Cause.ORPHAN}
    return [stop.replica_id for stop in found]


def test_where_nobody_is_waited_for_they_are_stopped_once(say: Any, hosts: Any) -> None:
    made = say.plan(hosts=hosts, replicas=[say.replica("gone", 0, "h0:0")])
    assert stops(say, made) == ["gone-0"]
    stopping = say.replica("gone", 0, "h0:0", ReplicaState.STOPPING)
    assert say.plan(hosts=[say.host("h0")], replicas=[stopping]).actions == ()


@pytest.mark.parametrize("state", list(ReplicaState))
def test_no_job_starts_on_a_device_that_one_still_holds(say: Any, state: ReplicaState) -> None:
    parts = {"hosts": [say.host("h0", 2)], "replicas": [say.replica("gone", 0, "h0:0", state)]}
    made = say.plan(**parts, jobs=[say.waiting("1", say.gpus(1)), say.waiting("2", say.gpus(1))])
    assert [start.slots for start in say.of(made, StartJob)] == [(say.slot("h0:1"),)]
    assert [promise.slots for promise in made.reservations] == [(say.slot("h0:0"),)], "its room is coming"


def test_what_it_holds_is_what_its_cluster_says(say: Any) -> None:
    shape = Shape(cpu_milli=60_000, memory_mib=1024, gpu_count=1, gpu_milli=300)
    parts = {"hosts": [say.host("h0", 1)], "replicas": [replace(say.replica("gone", 0, "h0:0"), shape=shape)]}
    fits = say.plan(**parts, jobs=[say.waiting("1", Shape(cpu_milli=4000, gpu_count=1, gpu_milli=700))])
    assert len(say.of(fits, StartJob)) == 1
    for more in ({"cpu_milli": 4001, "gpu_milli": 700}, {"cpu_milli": 4000, "gpu_milli": 701}):
        made = say.plan(**parts, jobs=[say.waiting("1", Shape(gpu_count=1, **more))])
        assert not say.of(made, StartJob)


def test_a_renamed_model_s_old_replicas_answer_until_the_new_ones_do(say: Any, hosts: Any) -> None:
    """Turn after turn, as a cluster would carry it out: the ready ones of both together never fall."""
    old = [say.replica("chat", number, f"h0:{number}") for number in range(3)]
    replicas: list[Replica] = list(old)
    answering = []
    for _ in range(6):
        made = say.plan(say.demand(talk=3), hosts=hosts, models=[say.model("talk")], replicas=replicas)
        gone = {stop.replica_id for stop in say.of(made, StopReplica)}
        ready = [replace(one, state=ReplicaState.READY) for one in replicas if one.replica_id not in gone]
        started = [
            say.replica("talk", len(replicas) + number, f"{s.slot.host}:{s.slot.devices[0]}", ReplicaState.STARTING)
            for number, s in enumerate(say.of(made, StartReplica))
        ]
        replicas = [*ready, *started]
        answering.append(len(ready))
    assert min(answering) == 3
    assert {one.model for one in replicas} == {"talk"}


def test_they_wait_for_every_declared_model_but_an_hour_at_most(say: Any, hosts: Any) -> None:
    old = say.replica("gone", 0, "h0:0")
    parts = {"hosts": hosts, "models": [say.model("chat")]}
    starting = say.replica("chat", 0, "h1:0", ReplicaState.STARTING)
    for kept_s, expected in ((0.0, []), (KEPT_AT_MOST_S - 1, []), (KEPT_AT_MOST_S, ["gone-0"])):
        missed = replace(old, retired_s=say.now_s - kept_s)
        assert stops(say, say.plan(say.demand(chat=1), **parts, replicas=[missed, starting])) == expected
    ready = replace(starting, state=ReplicaState.READY)
    assert stops(say, say.plan(say.demand(chat=1), **parts, replicas=[old, ready])) == ["gone-0"]


def test_training_makes_room_before_they_do(say: Any) -> None:
    parts = {"hosts": [say.host("h0", 2)], "models": [say.model("chat")]}
    old = say.replica("gone", 0, "h0:0")
    made = say.plan(say.demand(chat=1), **parts, replicas=[old], jobs=[say.running("1", "h0:1")])
    assert [action.job_id for action in say.of(made, PreemptJob)] == ["1"]
    assert stops(say, made) == []


def test_where_there_is_no_other_room_half_of_them_make_it_and_then_the_rest(say: Any) -> None:
    parts = {"hosts": [say.host("h0", 4)], "models": [say.model("chat")]}
    old = [say.replica("gone", number, f"h0:{number}") for number in range(4)]
    first = say.plan(say.demand(chat=4), **parts, replicas=old)
    assert len(stops(say, first)) == 2
    kept = [one for one in old if one.replica_id not in stops(say, first)]
    assert sum(len(promise.slots) for promise in first.reservations if promise.holder == "chat") == 2
    new = [say.replica("chat", n, f"h0:{one.slot.devices[0]}") for n, one in enumerate(old) if one not in kept]
    starting = [replace(one, state=ReplicaState.STARTING) for one in new]
    assert stops(say, say.plan(say.demand(chat=4), **parts, replicas=[*kept, *starting])) == []
    assert len(stops(say, say.plan(say.demand(chat=4), **parts, replicas=[*kept, *new]))) == 1
    assert stops(say, say.plan(say.demand(chat=2), **parts, replicas=[*kept, *new])) == [r.replica_id for r in kept]


def test_as_many_go_as_one_replica_takes_and_none_in_vain(say: Any) -> None:
    old = [say.replica("gone", number, f"h0:{number}") for number in range(2)]
    parts = {"replicas": old, "models": [say.model("chat", say.gpus(2))]}
    made = say.plan(say.demand(chat=1), hosts=[say.host("h0", 2)], **parts)
    assert sorted(stops(say, made)) == ["gone-0", "gone-1"]
    too_large = {**parts, "models": [say.model("chat", say.gpus(3))]}
    assert stops(say, say.plan(say.demand(chat=1), hosts=[say.host("h0", 2)], **too_large)) == []


def test_on_hosts_nobody_knows_they_are_stopped_like_others(say: Any, hosts: Any) -> None:
    made = say.plan(hosts=hosts, replicas=[say.replica("gone", 0, "h9:0")])
    assert stops(say, made) == ["gone-0"]


@given(st.data())
def test_whoever_starts_fits_beside_all_that_is_there(say: Any, data: st.DataObject) -> None:
    """Replicas of declared and undeclared models, jobs that wait: no start uses what anybody holds."""
    devices = [f"h{host}:{device}" for host in range(2) for device in range(3)]
    taken = data.draw(st.lists(st.sampled_from(devices), unique=True, max_size=5))
    names, states = st.sampled_from(["chat", "gone", "lost"]), st.sampled_from(list(ReplicaState))
    replicas = [say.replica(data.draw(names), n, at, data.draw(states)) for n, at in enumerate(taken)]
    jobs = [
        say.waiting(str(n + 1), say.gpus(data.draw(st.integers(1, 3)))) for n in range(data.draw(st.integers(0, 3)))
    ]
    made = say.plan(
        say.demand(chat=data.draw(st.integers(0, 4))),
        hosts=[say.host("h0", 3), say.host("h1", 3)],
        models=[say.model("chat")],
        replicas=replicas,
        jobs=jobs,
    )
    used = {f"{one.slot.host}:{device}" for one in replicas for device in one.slot.devices}
    slots = [slot for start in say.of(made, StartJob) for slot in start.slots]
    slots += [start.slot for start in say.of(made, StartReplica)]
    for slot in slots:
        here = {f"{slot.host}:{device}" for device in slot.devices}
        assert not here & used
        used |= here
