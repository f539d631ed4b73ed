"""A gang that fits only when serving shrinks: booked where that is foreseen, and told the truth where it is not."""

from dataclasses import replace
from typing import Any

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.plan import Reason, StartJob, StopReplica

PATIENT = policy_from_names(may_preempt="never", bookings=4)


def site(say: Any, jobs: list[Any], low: int | None, low_at_s: float = 0.0, **model: Any) -> dict[str, Any]:
    """Return a host of four devices, three of them with replicas of a model, and what is foreseen of it."""
    sits = [say.replica("chat", n, f"h0:{n}") for n in range(3)]
    demand = Demand((ModelDemand("chat", 3, 3, 3, replicas_low=low, low_at_s=low_at_s),))
    parts = {"hosts": [say.host("h0")], "models": [say.model("chat", **model)], "replicas": sits, "jobs": jobs}
    return {"demand": demand, "policy": PATIENT, **parts}


def test_it_is_booked_for_when_the_model_is_expected_to_need_less(say: Any) -> None:
    night_s = say.now_s + 30_000.0
    made = say.plan(**site(say, [say.waiting("9", say.gpus(), workers=3)], 1, night_s))

    why = made.reason_for("9")
    assert why.until_s == night_s
    assert why.blocked_by == ("chat",)
    assert why.message.endswith("booked for when serving chat is expected to need fewer replicas")
    assert not say.of(made, StopReplica), "serving keeps what it needs until then"


def test_small_jobs_that_would_not_be_over_by_then_do_not_take_its_room(say: Any) -> None:
    night_s = say.now_s + 30_000.0
    short = say.waiting("10", say.gpus(), max_runtime_s=20_000.0)
    gang, endless = say.waiting("9", say.gpus(), workers=3), say.waiting("11", say.gpus())

    barred = say.plan(**site(say, [gang, endless], 1, night_s))
    assert not barred.actions
    assert barred.reason_for("11").reason is Reason.RESERVED
    made = say.plan(**site(say, [gang, endless, short], 1, night_s))
    assert [start.job_id for start in say.of(made, StartJob)] == ["10"]


def test_it_waits_for_training_that_ends_too(say: Any) -> None:
    runs = say.running("1", "h0:3", max_runtime_s=60_000.0)
    made = say.plan(**site(say, [runs, say.waiting("9", say.gpus(), workers=3)], 1, say.now_s + 30_000.0))

    why = made.reason_for("9")
    assert why.until_s == 60_000.0
    assert why.blocked_by == ("1", "chat")


def test_who_never_gives_way_again_is_not_booked_what_serving_will_need_back(say: Any) -> None:
    gang = say.waiting("9", say.gpus(), workers=3, preemptible=False)
    why = say.plan(**site(say, [gang], 1, say.now_s + 30_000.0)).reason_for("9")

    assert why.until_s is None
    assert why.message.endswith("; it fits only when serving needs less than now, whatever training ends")


def test_where_nothing_is_foreseen_the_reason_says_what_it_takes(say: Any) -> None:
    for low, low_at_s, model in (
        (None, 0.0, {}),
        (3, 20_000.0, {}),
        (1, 0.0, {}),
        (1, 20_000.0, {"survive_host_losses": 1}),
    ):
        job = say.waiting("9", say.gpus(), workers=3)
        why = say.plan(**site(say, [job], low, low_at_s, **model)).reason_for("9")
        assert why.until_s is None
        assert why.message.endswith("; it fits only when serving needs less than now, whatever training ends")


def test_who_fits_when_training_ends_is_told_nothing_of_serving(say: Any) -> None:
    runs = say.running("1", "h0:3")
    why = say.plan(**site(say, [runs, say.waiting("9", say.gpus())], 1, say.now_s + 30_000.0)).reason_for("9")

    assert "serving" not in why.message
    assert why.blocked_by == ("1",)


def test_no_more_replicas_are_counted_on_than_are_expected_to_go(say: Any) -> None:
    four = say.waiting("9", say.gpus(), workers=4)
    parts = site(say, [four], 1, say.now_s + 30_000.0)
    assert parts["demand"].models[0].replicas_low == 1

    assert say.plan(**parts).reason_for("9").until_s is None
    none_left = Demand((replace(parts["demand"].models[0], replicas_low=0),))
    assert say.plan(**(parts | {"demand": none_left})).reason_for("9").until_s == say.now_s + 30_000.0


def test_of_several_falls_the_first_that_leaves_enough_counts(say: Any) -> None:
    first_s, second_s, lowest_s = (say.now_s + hours * 3600.0 for hours in (2, 5, 20))
    falls = ((first_s, 2), (second_s, 1), (lowest_s, 0))
    for workers, expected_s in ((2, first_s), (3, second_s), (4, lowest_s)):
        world = site(say, [say.waiting("9", say.gpus(), workers=workers)], 0, lowest_s)
        demand = Demand((replace(world["demand"].models[0], falls=falls),))
        assert say.plan(**{**world, "demand": demand}).reason_for("9").until_s == expected_s
