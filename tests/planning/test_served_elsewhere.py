"""Models whose replicas others run: room is held for all of them, nothing is started, stopped or judged."""

from typing import Any

from policies.registry import policy_from_names
from scheduler.model.demand import PoolDemand
from scheduler.model.plan import Plan, PreemptJob, Reason, StartJob, StartReplica, StopReplica
from scheduler.planning.reasons.verdict import verdict
from scheduler.planning.serving.coverage import Curve, coverage


def parts(say: Any, **more: Any) -> dict[str, Any]:
    return {"hosts": [say.host("h0", 4)], "models": [say.model("tone", elsewhere=True)]} | more


def test_nothing_is_started_or_stopped_for_it(say: Any) -> None:
    here: Plan = say.plan(say.demand(tone=2), **parts(say, models=[say.model("tone")]))
    assert len(say.of(here, StartReplica)) == 2
    made: Plan = say.plan(say.demand(tone=2), **parts(say))
    assert not made.actions
    assert made.reason_for("tone") is None


def test_training_stays_out_of_the_room_of_all_its_replicas(say: Any) -> None:
    jobs = [say.waiting("1", say.gpus(2)), say.waiting("2", say.gpus(1))]
    made: Plan = say.plan(say.demand(tone=(1, 2, 3)), **parts(say, jobs=jobs))
    assert [start.job_id for start in say.of(made, StartJob)] == ["2"]
    why = made.reason_for("1")
    assert why is not None
    assert (why.reason, why.blocked_by) == (Reason.HELD_FOR_SERVING, ("tone",))


def test_what_is_seen_of_it_is_not_held_again(say: Any) -> None:
    replicas = [say.replica("tone", 1, "h0:0"), say.replica("tone", 2, "h0:1")]
    jobs = [say.waiting("1", say.gpus(2)), say.waiting("2", say.gpus(1))]
    made: Plan = say.plan(say.demand(tone=(1, 2, 3)), **parts(say, jobs=jobs, replicas=replicas))
    assert [start.job_id for start in say.of(made, StartJob)] == ["2"]
    assert [len(hold.slots) for hold in made.holds] == [1]


def test_nobody_is_stopped_for_it(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1,2,3")]
    assert not say.of(say.plan(say.demand(tone=2), **parts(say, jobs=jobs)), PreemptJob)


def test_its_room_is_bounded_by_its_own_limits(say: Any) -> None:
    model = say.model("tone", most=1, elsewhere=True)
    jobs = [say.waiting("1", say.gpus(3))]
    assert say.of(say.plan(say.demand(tone=3), **parts(say, models=[model], jobs=jobs)), StartJob)


def test_models_served_here_are_kept_as_ever_beside_it(say: Any) -> None:
    models = [say.model("tone", elsewhere=True), say.model("chat")]
    made: Plan = say.plan(
        say.demand(tone=2, chat=1),
        **parts(say, models=models, replicas=[say.replica("chat", 1, "h0:0"), say.replica("chat", 2, "h0:1")]),
    )
    assert [type(action) for action in made.actions] == [StopReplica]


def test_a_pool_does_not_count_it_twice(say: Any) -> None:
    wanted = say.demand(tone=1)
    pooled = type(wanted)(wanted.models, (PoolDemand("MI300X", ("tone",), replicas_peak=3),))
    jobs = [say.waiting("1", say.gpus(3))]
    assert say.of(say.plan(pooled, **parts(say, jobs=jobs)), StartJob)


def test_the_verdict_says_that_others_serve(say: Any) -> None:
    snapshot, demand = say.snapshot(**parts(say)), say.demand(tone=1)
    made = say.plan(demand, **parts(say))
    found = coverage(snapshot, [], policy_from_names())
    said = verdict(snapshot, demand, made, found, time=str, duration=str)
    assert said.verdict == "All that is served runs elsewhere (1 model); room is held for it."
    assert said.covered


def test_a_model_served_here_is_judged_whatever_others_serve(say: Any) -> None:
    models = [say.model("tone", elsewhere=True), say.model("chat")]
    snapshot, demand = say.snapshot(**parts(say, models=models)), say.demand(chat=1)
    found = coverage(snapshot, [Curve("chat", 1.0)], policy_from_names())
    said = verdict(snapshot, demand, say.plan(demand, **parts(say, models=models)), found, time=str, duration=str)
    assert said.verdict.startswith("Short now: chat")
