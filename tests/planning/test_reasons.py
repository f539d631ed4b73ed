"""Reasons that many share say of each what one kept apart would; room lifted at once is room expected one by one."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.hosts import Host, devices_offered
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Plan, Reason, Unplaced
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Shape, Slot
from scheduler.planning.placement.room import Room, lifted

SHARED = [Unplaced("", Reason.INSUFFICIENT_DEVICES, f"needs {n}", n, 0, None, ("7",)) for n in range(3)]
some_reasons = st.lists(st.sampled_from(SHARED), max_size=6).map(
    lambda shared: Reasons([f"job{n}" for n in range(len(shared))], shared)
)
slots = st.builds(
    lambda host, devices: Slot(f"h{host}", tuple(sorted(devices))),
    st.integers(0, 4),
    st.sets(st.integers(0, 3), min_size=1, max_size=3),
)


@given(some_reasons)
def test_reasons_are_what_a_tuple_of_them_would_be(reasons: Reasons) -> None:
    apart = tuple(replace(why, subject=subject) for subject, why in reasons.shared)
    assert reasons == apart
    assert apart == reasons
    assert hash(reasons) == hash(apart)
    assert repr(reasons) == repr(apart)
    assert len(reasons) == len(apart)
    assert [reasons[place] for place in range(len(reasons))] == list(apart)
    assert reasons[1:] == apart[1:]
    assert Reasons.of(apart) == reasons
    assert Plan(1, (), (), reasons) == Plan(1, (), (), apart)


@given(some_reasons)
def test_every_subject_finds_its_own_reason_and_nobody_else_does(reasons: Reasons) -> None:
    for place, why in enumerate(reasons):
        assert reasons.place_of(why.subject) == place
        assert reasons.for_subject(why.subject) == why
    assert reasons.for_subject("nobody") is None


@given(some_reasons, st.integers(0, 5))
def test_a_changed_reason_changes_that_of_its_subject_only(reasons: Reasons, place: int) -> None:
    new = Unplaced(f"job{place}", Reason.RESERVED, "another")
    changed = reasons.with_changed({new.subject: new})
    assert list(changed) == [new if why.subject == new.subject else why for why in reasons]


def test_jobs_that_wait_alike_share_one_reason_and_are_told_their_own(say: Any) -> None:
    jobs = [say.waiting(str(n), say.gpus(8)) for n in range(1, 5)]
    made = say.plan(hosts=[say.host("h1")], jobs=jobs)
    assert [why.subject for why in made.unplaced] == ["1", "2", "3", "4"]
    assert len({why.message for why in made.unplaced}) == 1
    assert made.reason_for("3") == made.unplaced[2]


@given(st.lists(slots, max_size=8), st.lists(slots, max_size=8))
def test_room_lifted_at_once_is_what_expecting_each_slot_gives(held: list[Slot], more: list[Slot]) -> None:
    hosts = [Host(f"h{n}", 8000, 8192, devices_offered(4, 1024), "A") for n in range(4)]
    shape, small, room = Shape(1000, 512, 1), Shape(500, 64, 1, 500), Room(Ledger.of(hosts))
    room.reserve_at(held, shape)
    room.reserve_at(more, small)
    before, after, one_by_one = room.copy(), lifted(room, [(held, shape), (more, small)]), room.copy()
    one_by_one.expect(held, shape)
    one_by_one.expect(more, small)
    for made, expected in ((after.now, one_by_one.now), (after.coming, one_by_one.coming), (room.now, before.now)):
        assert np.array_equal(made.cpu_milli, expected.cpu_milli)
        assert np.array_equal(made.memory_mib, expected.memory_mib)
        assert np.array_equal(made.gpu_milli, expected.gpu_milli)
        assert np.array_equal(made.units(shape), expected.units(shape))


def test_where_only_shares_of_devices_are_free_the_largest_is_said(say: Any) -> None:
    share = partial(say.gpus, 1)
    jobs = [say.running("1", "h0:0", shape=share(gpu_milli=600)), say.running("2", "h0:1", shape=share(gpu_milli=700))]
    for shape, needs in ((share(gpu_milli=600), "0.6 GPU"), (share(), "1 GPU"), (say.gpus(2), "2 GPUs")):
        why = say.plan(hosts=[say.host("h0", 2)], jobs=[*jobs, say.waiting("3", shape)]).reason_for("3")
        assert why.message.startswith(f"needs {needs} on one host; the best device has 0.4 GPU free")
        assert why.blocked_by == ("1", "2")
    full = say.running("1", "h0:0", shape=share())
    why = say.plan(hosts=[say.host("h0", 1)], jobs=[full, say.waiting("3", share(gpu_milli=600))]).reason_for("3")
    assert "no host has any free" in why.message
