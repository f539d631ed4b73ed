"""Bulkheads and states: cut off by name, told once, tried again with longer pauses, and nothing told to and fro."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.isolation.bulkheads import (
    FIRST_S,
    LONGEST_REASON,
    LONGEST_S,
    Bulkheads,
    Part,
    pause_s,
    reason_of,
    spoken,
)
from scheduler.control.isolation.told_once import MOST_TOLD, WINDOW_S, States
from scheduler.control.records import EventKind, EventRecord
from scheduler.model.errors import Superseded, Unreachable

PART = Part("the share of tone", "tone", "planned by the last one known")


def fails(error: BaseException) -> Callable[[], str]:
    def work() -> str:
        raise error

    return work


def test_what_works_is_passed_through_and_nothing_is_told() -> None:
    walls = Bulkheads()
    walls.begin(0.0, 1)
    assert walls.within(PART, lambda: "done", lambda: "otherwise") == "done"
    assert (walls.news, walls.troubles) == ((), ())


def test_what_fails_is_told_once_and_not_tried_before_its_pause_is_over() -> None:
    walls, tried = Bulkheads(), []

    def work() -> str:
        tried.append(now_s)
        raise KeyError("values")

    for now_s in range(200):
        walls.begin(float(now_s), 1)
        assert walls.within(PART, work, lambda: "otherwise") == "otherwise"
    assert tried == [0, 10, 30, 70, 150]
    (told,) = walls.news
    assert (told.kind, told.subject, told.title, told.detail) == (
        EventKind.FAILURE,
        "tone",
        "the share of tone failed; planned by the last one known",
        "KeyError: 'values'",
    )
    (trouble,) = walls.troubles
    assert (trouble.since_s, trouble.failures, trouble.again_s) == (0.0, 5, 150.0 + 16 * FIRST_S)


def test_what_works_again_is_told_and_begins_with_short_pauses() -> None:
    walls = Bulkheads()
    walls.begin(0.0, 1)
    walls.within(PART, fails(ValueError("x")), str)
    walls.begin(60.0, 2)
    assert walls.within(PART, lambda: "done", str) == "done"
    assert [event.title for event in walls.news] == [
        "the share of tone failed; planned by the last one known",
        "the share of tone works again",
    ]
    walls.told(walls.news)
    walls.failed(PART, ValueError("x"))
    assert walls.troubles[0].again_s == 60.0 + FIRST_S


def test_pauses_are_wall_time_on_a_replay_and_a_clock_that_jumps_back_holds_nothing_up() -> None:
    walls = Bulkheads(speed=540.0)
    walls.begin(0.0, 1)
    walls.failed(PART, ValueError())
    walls.begin(539.0 * FIRST_S, 1)
    assert walls.is_cut_off(PART)
    walls.begin(540.0 * FIRST_S, 1)
    assert not walls.is_cut_off(PART)
    walls.begin(-1e9, 1)
    assert not walls.is_cut_off(PART)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1), Superseded("another one leads")])
def test_what_must_end_the_loop_passes(end: BaseException) -> None:
    with pytest.raises(type(end)):
        Bulkheads().within(PART, fails(end), str)


@given(st.text(st.characters(), max_size=2000))
def test_every_error_can_be_said_on_one_short_line_that_can_be_written_down(text: str) -> None:
    said = reason_of(ValueError(text))
    assert "\n" not in said
    assert len(said) <= LONGEST_REASON + 1
    said.encode()


def test_what_to_do_is_said_where_an_error_says_it() -> None:
    assert reason_of(Unreachable("no answer", help="is it up?")) == "no answer; is it up?"


def test_an_event_without_words_is_told_plainly() -> None:
    plain = EventRecord(1.0, 2, EventKind.TRAINING, "7", "7 lm started")
    said = spoken(fails(OverflowError("infinity")), plain)  # type: ignore[arg-type]  # it never returns
    assert (said.title, said.detail) == ("7 lm started", "it cannot be said more exactly: OverflowError: infinity")
    assert spoken(lambda: plain, plain) is plain


@given(st.integers(1, 10**6))
def test_pauses_grow_and_end_somewhere(failures: int) -> None:
    assert FIRST_S <= pause_s(failures) <= pause_s(failures + 1) <= LONGEST_S


def test_a_state_is_told_once_however_long_it_lasts() -> None:
    states = States()
    assert [states.is_news("a", "ill", float(at_s)) for at_s in range(5)] == [True, False, False, False, False]
    assert states.is_news("a", "", 5.0)
    assert states.told("a") == ""


def test_what_goes_to_and_fro_is_told_now_and_then_and_in_the_end_as_it_is() -> None:
    states = States()
    told = [at_s for at_s in range(0, 36_000, 30) if states.is_news("a", "ill" if at_s // 30 % 2 else "", float(at_s))]
    assert len(told) <= (36_000 / WINDOW_S + 1) * MOST_TOLD
    assert any(states.is_news("a", "gone for good", 36_000.0 + late_s) for late_s in (0.0, WINDOW_S))
    assert states.told("a") == "gone for good"


def test_what_is_cut_off_is_tried_at_once_when_what_it_failed_on_may_have_changed() -> None:
    walls = Bulkheads()
    walls.begin(100.0, 1)
    walls.within(PART, fails(KeyError("values")), lambda: "otherwise")
    walls.begin(101.0, 2)
    assert walls.is_cut_off(PART)
    walls.try_again()
    assert not walls.is_cut_off(PART)
    assert [trouble.part for trouble in walls.troubles] == [PART]
    assert walls.within(PART, lambda: "done", lambda: "otherwise") == "done"
