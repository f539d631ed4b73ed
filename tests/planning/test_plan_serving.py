"""Step 1: replicas start, spread, move and stop."""

from collections import Counter
from typing import Any

import pytest

from scheduler.model.hosts import HostState
from scheduler.model.plan import Cause, PreemptJob, Reason, Reservation, StartReplica, StopReplica
from scheduler.model.workloads import JobState, ReplicaState

STARTING = ReplicaState.STARTING


def hosts_of(actions: Any) -> Any:
    return Counter(action.slot.host for action in actions)


def test_missing_replicas_start_in_free_room_packed_tightly(say: Any, hosts: Any) -> None:
    taken = say.running("1", "h1:0,1")
    made = say.plan(say.demand(chat=2), hosts=hosts, jobs=[taken], models=[say.model("chat")])
    starts = say.of(made, StartReplica)
    assert [start.slot for start in starts] == [say.slot("h1:2"), say.slot("h1:3")]
    assert {start.cause for start in starts} == {Cause.DEMAND}
    assert made.unplaced == ()


def test_the_most_important_model_gets_the_last_room(say: Any) -> None:
    made = say.plan(
        say.demand(tone=1, chat=1), hosts=[say.host("h0", 1)], models=[say.model("chat"), say.model("tone")]
    )
    assert [start.model for start in say.of(made, StartReplica)] == ["tone"]
    lacking = made.reason_for("chat")
    assert lacking.reason is Reason.INSUFFICIENT_DEVICES
    assert lacking.message.startswith("has 0 of 1 replica")


def test_no_more_than_its_owner_allows_start_on_one_host(say: Any, hosts: Any) -> None:
    model = say.model("chat", max_per_host=2)
    made = say.plan(say.demand(chat=5), hosts=hosts, models=[model])
    assert sorted(hosts_of(say.of(made, StartReplica)).values()) == [1, 2, 2]


@pytest.mark.parametrize("state", [HostState.CORDONED, HostState.DRAINING, HostState.LOST])
def test_nothing_starts_on_a_host_that_takes_no_work(say: Any, state: Any) -> None:
    made = say.plan(say.demand(chat=1), hosts=[say.host("h0", state=state)], models=[say.model("chat")])
    assert made.actions == ()
    assert made.reason_for("chat").asked == 1


def test_replicas_that_start_already_count(say: Any, hosts: Any) -> None:
    there = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h0:1", STARTING)]
    made = say.plan(say.demand(chat=2), hosts=hosts, models=[say.model("chat")], replicas=there)
    assert made.actions == ()


def test_replicas_that_stop_do_not_count_and_their_room_is_not_used_yet(say: Any) -> None:
    there = [say.replica("chat", 0, "h0:0", ReplicaState.STOPPING)]
    made = say.plan(say.demand(chat=1), hosts=[say.host("h0", 1)], models=[say.model("chat")], replicas=there)
    assert made.actions == ()
    assert made.reason_for("chat").reason is Reason.WAITS_FOR_PREEMPTION
    assert [promise.holder for promise in made.reservations] == ["chat"]


def test_never_more_than_the_most_and_never_fewer_than_the_least(say: Any, hosts: Any) -> None:
    model = say.model("chat", most=3)
    assert len(say.of(say.plan(say.demand(chat=9), hosts=hosts, models=[model]), StartReplica)) == 3


def test_enough_replicas_outlive_the_loss_of_a_host(say: Any, hosts: Any) -> None:
    model = say.model("chat", survive_host_losses=1)
    made = say.plan(say.demand(chat=2), hosts=hosts, models=[model])
    assert hosts_of(say.of(made, StartReplica)) == {"h0": 1, "h1": 1, "h2": 1}


def test_more_replicas_make_up_for_few_hosts(say: Any) -> None:
    model = say.model("chat", survive_host_losses=1)
    made = say.plan(say.demand(chat=3), hosts=[say.host("h0"), say.host("h1")], models=[model])
    assert hosts_of(say.of(made, StartReplica)) == {"h0": 3, "h1": 3}


def test_where_losses_cannot_be_outlived_the_plan_says_so_and_adds_nothing_useless(say: Any) -> None:
    model = say.model("chat", survive_host_losses=1)
    made = say.plan(say.demand(chat=2), hosts=[say.host("h0")], models=[model])
    assert len(say.of(made, StartReplica)) == 2
    fragile = made.reason_for("chat")
    assert fragile.reason is Reason.INSUFFICIENT_HOSTS
    assert (fragile.asked, fragile.free) == (2, 0)
    assert fragile.message == "losing 1 host would leave 0 of the 2 replicas needed now"


def test_surplus_replicas_stop_those_that_only_start_first(say: Any, hosts: Any) -> None:
    there = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h1:0", STARTING), say.replica("chat", 2, "h2:0")]
    made = say.plan(say.demand(chat=2), hosts=hosts, models=[say.model("chat")], replicas=there)
    assert [(stop.replica_id, stop.cause) for stop in say.of(made, StopReplica)] == [("chat-1", Cause.SURPLUS)]


def test_surplus_replicas_stop_where_they_leave_the_largest_hole(say: Any, hosts: Any) -> None:
    there = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h1:0")]
    jobs = [say.running("1", "h0:1,2")]
    made = say.plan(say.demand(chat=1), hosts=hosts, jobs=jobs, models=[say.model("chat")], replicas=there)
    assert [stop.replica_id for stop in say.of(made, StopReplica)] == ["chat-1"]


def test_surplus_never_goes_before_enough_are_ready(say: Any, hosts: Any) -> None:
    there = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h1:0", STARTING)]
    made = say.plan(say.demand(chat=1), hosts=hosts, models=[say.model("chat")], replicas=there)
    assert [stop.replica_id for stop in say.of(made, StopReplica)] == ["chat-1"]


def test_a_draining_host_is_left_only_when_the_replacement_is_ready(say: Any, draining: Any) -> None:
    world = {"hosts": [draining("h0"), say.host("h1")], "models": [say.model("chat")]}
    old = say.replica("chat", 0, "h0:0")
    first = say.plan(say.demand(chat=1), replicas=[old], **world)
    assert [start.slot.host for start in say.of(first, StartReplica)] == ["h1"]
    assert not say.of(first, StopReplica)
    warming = say.plan(say.demand(chat=1), replicas=[old, say.replica("chat", 1, "h1:0", STARTING)], **world)
    assert warming.actions == ()
    ready = say.plan(say.demand(chat=1), replicas=[old, say.replica("chat", 1, "h1:0")], **world)
    assert [(stop.replica_id, stop.cause) for stop in say.of(ready, StopReplica)] == [("chat-0", Cause.DRAIN)]
    assert not say.of(ready, StartReplica)


def test_what_does_not_get_ready_on_a_host_is_started_elsewhere_and_then_stopped_there(say: Any, hosts: Any) -> None:
    world = {"hosts": hosts, "models": [say.model("chat", avoids=frozenset({"h0"}))]}
    late = say.replica("chat", 0, "h0:0", STARTING)
    first = say.plan(say.demand(chat=1), replicas=[late], **world)
    (start,) = say.of(first, StartReplica)
    assert start.slot.host != "h0"
    assert not say.of(first, StopReplica)
    second = say.plan(say.demand(chat=1), replicas=[late, say.replica("chat", 1, "h1:0", STARTING)], **world)
    assert [(stop.replica_id, stop.cause) for stop in say.of(second, StopReplica)] == [("chat-0", Cause.LATE)]
    ready = say.plan(say.demand(chat=1), replicas=[say.replica("chat", 0, "h0:0")], **world)
    assert ready.actions == (), "what is ready there stays"


def test_a_replica_that_makes_up_for_lost_hosts_is_not_started_where_none_gets_ready(say: Any, hosts: Any) -> None:
    world = {"hosts": hosts, "models": [say.model("chat", avoids=frozenset({"h0", "h1"}), survive_host_losses=1)]}
    made = say.plan(say.demand(chat=1), replicas=[say.replica("chat", 0, "h2:0")], **world)
    assert {start.slot.host for start in say.of(made, StartReplica)}.isdisjoint({"h0", "h1"})


def test_a_draining_host_keeps_what_has_nowhere_to_go(say: Any, draining: Any) -> None:
    made = say.plan(
        say.demand(chat=1),
        hosts=[draining("h0")],
        models=[say.model("chat")],
        replicas=[say.replica("chat", 0, "h0:0")],
    )
    assert made.actions == ()
    assert made.reason_for("chat") is not None


def test_what_exceeds_the_spread_moves(say: Any, hosts: Any) -> None:
    model = say.model("chat", max_per_host=1)
    crowd = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h0:1")]
    first = say.plan(say.demand(chat=2), hosts=hosts, models=[model], replicas=crowd)
    assert [start.slot.host for start in say.of(first, StartReplica)] == ["h1"]
    after = say.plan(say.demand(chat=2), hosts=hosts, models=[model], replicas=[*crowd, say.replica("chat", 2, "h1:0")])
    assert [(stop.replica_id, stop.cause) for stop in say.of(after, StopReplica)] == [("chat-1", Cause.SPREAD)]


def test_models_without_a_demand_are_left_alone(say: Any, hosts: Any) -> None:
    made = say.plan(hosts=hosts, models=[say.model("chat")], replicas=[say.replica("chat", 0, "h0:0")])
    assert made.actions == ()


def test_a_lost_host_counts_for_nothing(say: Any) -> None:
    made = say.plan(
        say.demand(chat=1),
        hosts=[say.host("h0", state=HostState.LOST), say.host("h1")],
        models=[say.model("chat")],
        replicas=[say.replica("chat", 0, "h0:0")],
    )
    assert [start.slot.host for start in say.of(made, StartReplica)] == ["h1"]


def test_shares_of_a_device_are_packed_onto_one(say: Any, hosts: Any) -> None:
    made = say.plan(say.demand(tone=3), hosts=hosts, models=[say.model("tone", say.gpus(1, gpu_milli=300))])
    assert {start.slot for start in say.of(made, StartReplica)} == {say.slot("h0:0")}


def test_training_gives_way_for_replicas_wanted_but_not_for_replicas_held(say: Any) -> None:
    world = {"hosts": [say.host("h0", 1)], "jobs": [say.running("1", "h0:0")], "models": [say.model("chat")]}
    assert not say.of(say.plan(say.demand(chat=(0, 0, 1)), **world), PreemptJob)
    (order,) = say.plan(say.demand(chat=(0, 1, 1)), **world).actions
    assert (order.job_id, order.cause, order.beneficiary) == ("1", Cause.SERVING, "chat")


def test_a_starting_replica_leaves_a_draining_host_once_another_starts_elsewhere(say: Any, draining: Any) -> None:
    old = say.replica("chat", 0, "h0:0", STARTING)
    world = {"hosts": [draining("h0"), say.host("h1", 1)], "models": [say.model("chat")]}
    alone = say.plan(say.demand(chat=1), jobs=[say.running("1", "h1:0", preemptible=False)], replicas=[old], **world)
    assert alone.actions == ()
    both = say.plan(say.demand(chat=1), replicas=[old, say.replica("chat", 1, "h1:0", STARTING)], **world)
    assert [stop.replica_id for stop in both.actions] == ["chat-0"]


def test_ready_replicas_stay_while_those_that_must_outlive_a_loss_only_start(say: Any) -> None:
    there = [say.replica("chat", n, f"h{n // 2}:{n % 2}", ReplicaState.READY if n < 2 else STARTING) for n in range(4)]
    model = say.model("chat", survive_host_losses=1)
    made = say.plan(say.demand(chat=2), hosts=[say.host("h0", 2), say.host("h1", 2)], models=[model], replicas=there)
    assert made.actions == ()


def test_room_is_not_freed_on_a_host_that_has_as_many_as_its_owner_allows(say: Any) -> None:
    made = say.plan(
        say.demand(chat=2),
        hosts=[say.host("h0", 2)],
        jobs=[say.running("1", "h0:0")],
        models=[say.model("chat", max_per_host=1)],
    )
    assert [type(action) for action in made.actions] == [StartReplica]
    assert made.reservations == ()


def test_a_less_important_model_leaves_what_is_promised_to_another(say: Any) -> None:
    made = say.plan(
        say.demand(chat=1, tone=1),
        hosts=[say.host("h0", 1)],
        jobs=[say.running("1", "h0:0", state=JobState.PREEMPTING)],
        models=[say.model("chat"), say.model("tone")],
    )
    assert [promise.holder for promise in made.reservations] == ["chat"]


def test_outliving_lost_hosts_takes_no_more_replicas_than_the_most(say: Any) -> None:
    model = say.model("chat", most=3, survive_host_losses=1)
    made = say.plan(say.demand(chat=3), hosts=[say.host("h0"), say.host("h1")], models=[model])
    assert len(say.of(made, StartReplica)) == 3
    assert made.reason_for("chat").reason is Reason.INSUFFICIENT_HOSTS


def test_a_promise_that_serving_cannot_use_outlives_its_search(say: Any) -> None:
    promise = Reservation("2", (say.slot("h1:0"),), 0.0, say.now_s + 100)
    made = say.plan(
        say.demand(chat=1),
        hosts=[say.host("h0", 1), say.host("h1", 1, model="MI210")],
        jobs=[
            say.running("1", "h0:0", preemptible=False),
            say.waiting("2", say.gpus(), not_before_s=say.now_s + 30),
        ],
        models=[say.model("chat", say.gpus(gpu_models=frozenset({"MI300X"})))],
        reservations=[promise],
    )
    assert made.reservations == (promise,)


@pytest.mark.parametrize("promised", ["h0:0", "h1:0"])
def test_what_is_being_freed_for_a_model_stays_promised_where_it_is(say: Any, promised: str) -> None:
    leaving = [say.running(str(n), f"h{n}:0", state=JobState.PREEMPTING) for n in (0, 1)]
    promise = Reservation("chat", (say.slot(promised),), say.now_s - 30.0, say.now_s + 400.0)
    made = say.plan(
        say.demand(chat=1),
        hosts=[say.host("h0", 1), say.host("h1", 1)],
        models=[say.model("chat")],
        jobs=leaving,
        reservations=[promise],
    )
    (kept,) = made.reservations
    assert (kept.holder, kept.slots, kept.since_s) == (promise.holder, promise.slots, promise.since_s)
    assert not say.of(made, PreemptJob)


def test_what_was_promised_before_is_given_up_as_soon_as_nobody_needs_it(say: Any) -> None:
    leaving = say.running("0", "h0:0", state=JobState.PREEMPTING)
    made = say.plan(
        say.demand(chat=0),
        hosts=[say.host("h0", 1)],
        models=[say.model("chat")],
        jobs=[leaving],
        reservations=[Reservation("chat", (say.slot("h0:0"),), 0.0, say.now_s + 400.0)],
    )
    assert made.reservations == ()
