"""Promises of the virtual clock."""

import math

from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.ports import Clock
from simulations.engine import Engine, Order


def test_it_is_a_clock() -> None:
    clock: Clock = Engine(5.0)
    assert clock.now_s() == 5.0
    clock.sleep(10.0)
    assert clock.now_s() == 15.0
    assert clock.to_world_s(123.0) == 15.0
    assert clock.speed == 1.0, "pauses in wall time are as long as they would be live"


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Order))))
def test_events_fire_by_time_then_order_then_sequence(planned: list[tuple[int, Order]]) -> None:
    engine, fired = Engine(0.0), []
    for number, (at_s, order) in enumerate(planned):
        engine.at(at_s, lambda entry=(at_s, order, number): fired.append((*entry, engine.now_s())), order)
    engine.run_until(10.0)
    assert [entry[:3] for entry in fired] == sorted((at_s, order, n) for n, (at_s, order) in enumerate(planned))
    assert all(entry[0] == entry[3] for entry in fired), "each fires at its own time"


def test_an_event_may_plan_others_and_they_fire_in_the_same_run() -> None:
    engine, fired = Engine(0.0), []
    engine.at(1.0, lambda: engine.after(1.0, lambda: fired.append(engine.now_s())))
    engine.run_until(5.0)
    assert fired == [2.0]
    assert engine.now_s() == 5.0


def test_nothing_later_fires() -> None:
    engine, fired = Engine(0.0), []
    engine.at(2.0, lambda: fired.append("late"))
    engine.run_until(1.9)
    assert fired == []
    assert engine.next_at_s() == 2.0


def test_a_called_off_event_never_fires_and_is_not_waited_for() -> None:
    engine, fired = Engine(0.0), []
    event = engine.at(1.0, lambda: fired.append("no"))
    event.call_off()
    event.call_off()
    assert engine.next_at_s() == math.inf
    engine.run_until(2.0)
    assert fired == []
    assert engine.fired == 0


def test_the_past_is_now() -> None:
    engine, fired = Engine(10.0), []
    engine.at(3.0, lambda: fired.append(engine.now_s()))
    engine.run_until(10.0)
    assert fired == [10.0]


def test_time_never_goes_back() -> None:
    engine = Engine(10.0)
    engine.run_until(4.0)
    assert engine.now_s() == 10.0
