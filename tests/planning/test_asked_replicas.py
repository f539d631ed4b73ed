"""What the cluster's own controllers want is demand: a rollout is never undone, and gets room from training."""

from typing import Any

import pytest

from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.plan import Cause, PreemptJob, StartReplica, StopReplica
from scheduler.model.workloads import ReplicaState

STARTING = ReplicaState.STARTING


def asked(replicas: int, wanted: int = 1) -> Demand:
    return Demand((ModelDemand("chat", wanted, wanted, wanted).at_least(replicas),))


def test_a_new_replica_beside_the_old_one_of_a_model_that_has_one_at_most_is_left_alone(say: Any) -> None:
    """Both run while the rollout lasts; without its asking the new one would be surplus, and the rollout undone."""
    model, there = say.model("chat", most=1), [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h0:1", STARTING)]
    parts = {"hosts": [say.host("h0", 2)], "models": [model], "replicas": there}
    assert say.plan(asked(2), **parts).actions == ()
    assert [stop.replica_id for stop in say.of(say.plan(asked(0), **parts), StopReplica)] == ["chat-1"]


def test_training_gives_room_for_it(say: Any) -> None:
    parts = {"hosts": [say.host("h0", 2)], "models": [say.model("chat", most=1)], "jobs": [say.running("1", "h0:1")]}
    made = say.plan(asked(2), replicas=[say.replica("chat", 0, "h0:0")], **parts)
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.cause, stop.beneficiary) == ("1", Cause.SERVING, "chat")
    assert [one.holder for one in made.reservations] == ["chat"]
    assert say.of(made, StopReplica) == []


@pytest.mark.parametrize(("replicas", "starts"), [(0, 1), (1, 1), (2, 2), (5, 5)])
def test_demand_is_at_least_that_much_and_the_models_own_limit_holds_for_the_rest(
    say: Any, hosts: Any, replicas: int, starts: int
) -> None:
    made = say.plan(asked(replicas, wanted=3), hosts=hosts, models=[say.model("chat", most=1)])
    assert len(say.of(made, StartReplica)) == starts


def test_what_is_wanted_otherwise_counts_where_it_is_more() -> None:
    demand = ModelDemand("chat", 1, 4, 6)
    assert demand.at_least(0) is demand
    assert (demand.at_least(2).replicas_wanted, demand.at_least(2).replicas_held) == (4, 6)
    assert (demand.at_least(9).replicas_wanted, demand.at_least(9).replicas_held) == (9, 9)
    assert demand.at_least(9).replicas_now == 1
