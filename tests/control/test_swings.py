"""Room that serving took back is held for longer the more often that happened, within bounds, and calm is forgotten."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.demand.swings import FACTOR, LONGEST_S, ONE_ROUND_S, REMEMBERED_S, Swings
from scheduler.model.plan import Cause, Plan, PreemptJob, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, ReplicaId

KINDS = {"chat": "MI300X", "talk": "MI300X", "small": "MI210"}
USUAL_S = 600.0


def gives(model: str, cause: Cause = Cause.SURPLUS) -> Plan:
    return Plan(1, (StopReplica(ReplicaId("r"), model, Slot("h"), cause),))


def takes(model: str, cause: Cause = Cause.SERVING) -> Plan:
    return Plan(1, (PreemptJob(JobId("1"), 1, 30.0, cause, model),))


def stay_s(*happened: tuple[float, Plan], at_s: float, kind: str = "MI300X") -> float:
    swings = Swings()
    for when_s, made in happened:
        swings = swings.after(made, KINDS, when_s)
    return swings.stay_s(kind, USUAL_S, at_s)


def test_a_first_rise_and_one_that_goes_on_for_hours_make_no_difference() -> None:
    rise = [(3600.0 * hour, takes("chat")) for hour in range(6)]
    assert stay_s(*rise, at_s=6 * 3600.0) == USUAL_S


def test_each_time_that_room_is_taken_back_replicas_stay_longer_up_to_a_bound() -> None:
    happened, found = [(0.0, takes("chat"))], []
    for number in range(1, 6):
        happened += [(number * 2400.0 - 1200.0, gives("chat")), (number * 2400.0, takes("chat"))]
        found.append(stay_s(*happened, at_s=number * 2400.0))
    assert found == [USUAL_S * FACTOR, USUAL_S * FACTOR**2, LONGEST_S, LONGEST_S, LONGEST_S]


def test_it_counts_for_all_models_of_the_kind_and_for_no_other_and_is_forgotten() -> None:
    back = [(0.0, gives("chat")), (900.0, takes("chat"))]
    assert stay_s(*back, at_s=901.0) == USUAL_S * FACTOR
    assert stay_s(*back, at_s=901.0, kind="MI210") == USUAL_S
    assert stay_s(*back, at_s=900.0 + REMEMBERED_S) == USUAL_S


def test_what_is_taken_in_steps_counts_once() -> None:
    both = [(0.0, gives("chat")), (0.0, gives("talk")), (900.0, takes("chat"))]
    assert stay_s(*both, (900.0 + ONE_ROUND_S - 1, takes("talk")), at_s=1600.0) == USUAL_S * FACTOR
    assert stay_s(*both, (900.0 + ONE_ROUND_S, takes("talk")), at_s=1600.0) == USUAL_S * FACTOR**2


@pytest.mark.parametrize(
    "happened",
    [
        [(0.0, gives("chat", Cause.DRAIN)), (900.0, takes("chat"))],
        [(0.0, gives("chat")), (900.0, takes("chat", Cause.PRIORITY))],
        [(0.0, gives("chat")), (900.0, takes("talk"))],
        [(0.0, gives("chat")), (900.0, takes("gone"))],
    ],
)
def test_only_room_given_up_as_not_needed_and_taken_back_by_stopping_training_counts(
    happened: list[tuple[float, Plan]],
) -> None:
    assert stay_s(*happened, at_s=901.0) == USUAL_S


@given(st.randoms(use_true_random=True), st.floats(1.0, 1e5))
def test_the_time_is_never_below_the_usual_nor_without_bound(chance: Random, usual_s: float) -> None:
    swings, now_s = Swings(), 0.0
    for _ in range(50):
        now_s += chance.uniform(1.0, 3600.0)
        made = chance.choice([gives, takes])(chance.choice(list(KINDS)))
        swings = swings.after(made, KINDS, now_s)
        assert usual_s <= swings.stay_s("MI300X", usual_s, now_s) <= max(usual_s, LONGEST_S)
        assert len(swings.taken) <= 2 * REMEMBERED_S / ONE_ROUND_S
