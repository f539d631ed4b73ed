"""Room held for the joint peak of several models: no more than asked, and where any of them can use it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, ModelDemand, PoolDemand
from scheduler.model.plan import PeakHold, Plan, Reason, StartJob, StartReplica
from scheduler.planning.draft.draft import Draft
from scheduler.planning.serving.fleet import fleets
from scheduler.planning.serving.peak_holds import covering, hold_headroom


def demand(held: int, *models: ModelDemand, pool: tuple[str, ...] = ()) -> Demand:
    names = pool or tuple(model.model for model in models)
    return Demand(models, (PoolDemand("MI300X", names, replicas_peak=held, replicas_apart=99, peak_at_s=20_000.0),))


def holds(say: Any, wanted: Demand, **parts: Any) -> tuple[PeakHold, ...]:
    snapshot, policy = say.snapshot(**parts), policy_from_names()
    draft = Draft.of(snapshot, policy)
    hold_headroom(draft, fleets(snapshot, wanted.models), wanted)
    return draft.holds


def test_only_the_joint_peak_is_held_so_that_training_gets_the_rest(say: Any) -> None:
    models, jobs = [say.model("chat"), say.model("tone")], [say.waiting("1", say.gpus(5))]
    parts = {"hosts": [say.host("h0", 8)], "models": models, "jobs": jobs}
    needs = (ModelDemand("chat", 0, 0, 2), ModelDemand("tone", 0, 0, 2))
    apart: Plan = say.plan(Demand(needs), **parts)
    joint: Plan = say.plan(demand(3, *needs), **parts)
    assert not say.of(apart, StartJob)
    assert say.of(joint, StartJob)


def test_room_held_for_all_says_for_whom_and_until_when(say: Any) -> None:
    parts = {
        "hosts": [say.host("h0", 4)],
        "models": [say.model("chat"), say.model("tone")],
        "jobs": [say.waiting("1", say.gpus(2))],
    }
    made: Plan = say.plan(demand(3, ModelDemand("chat", 0, 0, 3), ModelDemand("tone", 0, 0, 3)), **parts)
    (why,) = made.unplaced
    assert (why.reason, why.blocked_by, why.until_s) == (Reason.HELD_FOR_SERVING, ("chat", "tone"), 20_000.0)


def test_any_of_them_may_use_what_was_held(say: Any) -> None:
    parts = {"hosts": [say.host("h0", 4)], "models": [say.model("chat"), say.model("tone")]}
    for name in ("chat", "tone"):
        needs = [ModelDemand(each, 0, 2 * (each == name), 2) for each in ("chat", "tone")]
        made: Plan = say.plan(demand(0, *needs), **parts)
        assert [start.model for start in say.of(made, StartReplica)] == [name, name]


def test_room_is_held_where_every_model_may_still_go(say: Any) -> None:
    models = [say.model("chat", max_per_host=1), say.model("tone")]
    parts = {
        "hosts": [say.host("h0", 4), say.host("h1", 4)],
        "models": models,
        "replicas": [say.replica("chat", 1, "h0:0")],
    }
    needs = (ModelDemand("chat", 1, 1, 2), ModelDemand("tone", 0, 0, 1))
    (held,) = holds(say, demand(1, *needs), **parts)
    assert [slot.host for slot in held.slots] == ["h1"]
    (held,) = holds(say, demand(3, *needs), **parts)
    assert [slot.host for slot in held.slots].count("h1") >= 1
    assert len(held.slots) == 3


def test_room_that_not_all_can_use_is_held_for_those_who_can(say: Any) -> None:
    wide = say.gpus()
    slim = type(wide)(cpu_milli=100, memory_mib=wide.memory_mib, gpu_count=1)
    fat = type(wide)(cpu_milli=9000, memory_mib=wide.memory_mib, gpu_count=1)
    parts = {"hosts": [say.host("h0", 4, cores=10)], "models": [say.model("chat", fat), say.model("tone", slim)]}
    held = holds(say, demand(3, ModelDemand("chat", 0, 0, 3), ModelDemand("tone", 0, 0, 3)), **parts)
    assert [(one.models, len(one.slots)) for one in held] == [(("chat", "tone"), 1), (("tone",), 2)]
    assert covering([slim, fat]) == fat


def test_models_outside_a_pool_and_models_unknown_are_as_before(say: Any) -> None:
    parts = {"hosts": [say.host("h0", 4)], "models": [say.model("chat"), say.model("tone")]}
    needs = (ModelDemand("chat", 0, 0, 2), ModelDemand("tone", 0, 0, 1))
    held = holds(say, demand(1, *needs, pool=("chat", "gone")), **parts)
    assert [(one.models, len(one.slots)) for one in held] == [(("chat",), 1), (("tone",), 1)]
    assert not holds(say, demand(2, pool=("gone",)), hosts=[say.host("h0", 4)])


@given(asked=st.integers(0, 9), limits=st.lists(st.integers(0, 3), min_size=1, max_size=4), devices=st.integers(0, 5))
def test_never_more_is_held_than_asked_nor_than_there_is(say: Any, asked: int, limits: list[int], devices: int) -> None:
    models = [say.model(f"m{i}", max_per_host=limit) for i, limit in enumerate(limits)]
    wanted = demand(asked, *(ModelDemand(model.name, 0, 0, 0) for model in models))
    held = holds(say, wanted, hosts=[say.host("h0", devices), say.host("h1", devices)], models=models)
    count = sum(len(one.slots) for one in held)
    assert count <= min(asked, 2 * devices)
    if 0 in limits:
        assert count == min(asked, 2 * devices)


def test_models_of_one_shape_are_held_room_side_by_side_and_the_more_important_ones_first(say: Any) -> None:
    hosts, models = [say.host(f"h{n}", gpus=4) for n in range(3)], [say.model(f"m{n}") for n in range(5)]
    busy = [say.running("1", "h0:0,1"), say.running("2", "h1:0")]
    wanted = say.demand(m0=(0, 0, 1), m1=(0, 0, 2), m2=(0, 0, 5), m3=(0, 0, 1), m4=(0, 0, 1))
    held = holds(say, wanted, hosts=hosts, models=models, jobs=busy)
    assert {one.models: len(one.slots) for one in held} == {("m0",): 1, ("m1",): 2, ("m2",): 5, ("m3",): 1}
    taken = [(slot.host, device) for one in held for slot in one.slots for device in slot.devices]
    assert len(set(taken)) == len(taken)
    assert held[0].slots[0].host == "h0"
