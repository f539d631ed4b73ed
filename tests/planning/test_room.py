"""How free, coming and promised room add up."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.packing.score import headroom
from scheduler.model.errors import InvariantBroken
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from scheduler.model.work import NOTHING_SEEN
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.room import Room, fits_in

WHOLE, HALF = Shape(1000, 1024, 1), Shape(500, 0, 1, 500)


@pytest.fixture
def room(say: Any) -> Room:
    return Room(Ledger.of([say.host("h0", 2), say.host("h1", 2)], [(say.slot("h0:0"), WHOLE)]))


def test_a_start_takes_free_coming_and_usable_room(say: Any, room: Room) -> None:
    assert room.start([0, 1, 1], WHOLE) == (say.slot("h0:1"), say.slot("h1:0"), say.slot("h1:1"))
    for ledger in (room.free, room.coming, room.now):
        assert not (ledger.gpu_milli > 0).any()


def test_room_being_freed_can_be_promised_but_not_used(say: Any, room: Room) -> None:
    room.expect([say.slot("h0:0")], WHOLE)
    assert room.coming.units(WHOLE).tolist() == [2, 2]
    assert room.now.units(WHOLE).tolist() == [1, 2]
    assert room.reserve([0, 0], WHOLE) == (say.slot("h0:0"), say.slot("h0:1"))
    assert room.now.units(WHOLE).tolist() == [0, 2]


def test_a_promise_of_what_is_being_freed_leaves_what_is_free(say: Any, room: Room) -> None:
    room.expect([say.slot("h0:0")], WHOLE)
    room.reserve_at([say.slot("h0:0")], WHOLE)
    assert room.now.units(WHOLE).tolist() == [1, 2]


def test_promises_of_cpu_and_memory_leave_as_much_less_to_use(room: Room) -> None:
    big = Shape(40_000, 200 * 1024)
    room.reserve([1], big)
    assert room.now.units(Shape(1000)).tolist() == [63, 24]
    assert room.now.units(Shape(0, 1024)).tolist() == [255, 56]


def test_a_withdrawn_promise_leaves_no_trace(room: Room) -> None:
    before = room.copy()
    room.expect(room.reserve([1], HALF), HALF)
    assert room.now == before.now
    assert room.coming == before.coming


def test_a_copy_lives_its_own_life(room: Room) -> None:
    copy = room.copy()
    copy.start([1], WHOLE)
    assert room.now.units(WHOLE).tolist() == [1, 2]


def test_slots_on_unknown_hosts_are_passed_over(say: Any, room: Room) -> None:
    room.expect([say.slot("gone:0")], WHOLE)
    assert room.coming.units(WHOLE).tolist() == [1, 2]


def test_starting_what_does_not_fit_is_a_bug(room: Room) -> None:
    with pytest.raises(InvariantBroken, match="host h0"):
        room.start([0, 0], WHOLE)


@pytest.mark.parametrize(
    ("slots", "fits"),
    [
        (["h1:0", "h1:1"], True),
        (["h1:0", "h1:0"], False),
        (["h0:0"], False),
        (["gone:0"], False),
        (["h1:5"], False),
        ([], True),
    ],
)
def test_very_slots_fit_only_all_together(say: Any, room: Room, slots: list[str], fits: bool) -> None:  # noqa: FBT001
    before = CachedTrial(room.now)
    assert fits_in(room.now, [say.slot(at) for at in slots], WHOLE) is fits
    assert room.now == before


def test_remembered_counts_follow_every_change(say: Any) -> None:
    hosts = [say.host(f"h{i}", 3) for i in range(4)]

    @given(changes=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([WHOLE, HALF, Shape(9000)])), max_size=12))
    def follow(changes: list[tuple[int, Shape]]) -> None:
        ledger = CachedTrial(Ledger.of(hosts))
        for row, shape in changes:
            if ledger.units(shape)[row]:
                ledger.put([row], shape)
            for asked in (WHOLE, HALF):
                assert np.array_equal(ledger.units(asked), ledger.units_fitting(asked))

    follow()


def test_remembered_scores_follow_every_change_and_every_copy(say: Any) -> None:
    hosts = [say.host(f"h{i}", 3) for i in range(4)]
    changes = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([WHOLE, HALF]), st.booleans()), max_size=12)

    @given(changes=changes)
    def follow(changes: list[tuple[int, Shape, bool]]) -> None:
        ledger = CachedTrial(Ledger.of(hosts))
        scorer = headroom(ledger, NOTHING_SEEN)
        for row, shape, copies in changes:
            before = CachedTrial(ledger)
            if ledger.units(shape)[row]:
                ledger.put([row], shape)
            for one in (ledger, before):
                for asked in (WHOLE, HALF):
                    fits = np.flatnonzero(one.units_fitting(asked))
                    anew = np.full(len(hosts), np.inf)
                    anew[fits] = scorer(one, fits, asked)
                    assert np.array_equal(one.score(asked, scorer)(fits[:1]), anew[fits[:1]])
                    assert np.array_equal(one.scores(asked, scorer), anew)
                    assert np.array_equal(one.score(asked, scorer)(fits), anew[fits])
            ledger = before if copies else ledger

    follow()


def test_counts_follow_a_line_of_ledgers_and_its_forks(say: Any) -> None:
    hosts = [say.host(f"h{i}", 3) for i in range(3)]
    steps = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=12)

    @given(steps=steps)
    def follow(steps: list[tuple[int, int, int, bool]]) -> None:
        line = [Ledger.of(hosts)]
        for at, row, device, asked in steps:
            start = line[at % len(line)]
            place = [(say.slot(f"h{row}:{device}"), HALF)]
            line.append(start.after([], place, start.table))
            if asked:
                line[-1].units(HALF)
        for ledger in line:
            for shape in (WHOLE, HALF):
                assert np.array_equal(ledger.units(shape), ledger.units_fitting(shape))

    follow()
