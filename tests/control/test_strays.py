"""Strays are counted and left alone; what operators say of them is carried out, also by the next process."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.control.records import Outcome
from scheduler.model.errors import ActionFailed, Conflict, NotFound
from scheduler.model.observation import Stray, StrayKind
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobState

ONE_GPU = Shape(1000, 1024, 1)


class Crowded:
    """The lab's cluster with others' work on it."""

    def __init__(self, inner: Any, *strays: Stray) -> None:
        self.inner, self.there = inner, {stray.name: stray for stray in strays}
        self.said: list[tuple[str, str]] = []
        self.refuses = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def observe(self) -> Any:
        return replace(self.inner.observe(), strays=tuple(self.there[name] for name in sorted(self.there)))

    def adopt(self, stray: Stray) -> None:
        self._hear("adopt", stray)

    def evict(self, stray: Stray, grace_s: float) -> None:
        assert grace_s > 0
        self._hear("evict", stray)

    def _hear(self, verb: str, stray: Stray) -> None:
        if self.refuses:
            raise ActionFailed("not now")
        self.said.append((verb, stray.name))
        self.there.pop(stray.name, None)


def stray(name: str = "other", *slots: Slot, owner: str = "b" * 36, **fields: Any) -> Stray:
    return Stray(name, fields.pop("kind", StrayKind.RUN), owner, tuple((slot, ONE_GPU) for slot in slots), **fields)


def crowd(lab: Any, *strays: Stray) -> Crowded:
    crowded = Crowded(lab.cluster, *strays)
    lab.cycle.cluster = crowded
    return crowded


def test_nothing_is_placed_where_a_stray_is_and_nothing_is_done_to_it(lab: Any) -> None:
    crowded = crowd(lab, stray("x", Slot("a", (0,)), Slot("a", (1,)), Slot("b", (1,))))
    fits, waits = lab.submit("fits"), lab.submit("waits", workers=2)
    lab.turns(3)
    assert lab.store.job(fits).attempt.slots == (Slot("b", (0,)),)
    assert lab.store.job(waits).attempts == ()
    assert crowded.said == []
    assert lab.cycle.board.report.cycle.snapshot.foreign


def test_when_a_stray_has_gone_its_room_is_free(lab: Any) -> None:
    crowded = crowd(lab, stray("x", Slot("a", (0,)), Slot("a", (1,)), Slot("b", (0,)), Slot("b", (1,))))
    job = lab.submit()
    lab.turns(2)
    assert lab.store.job(job).attempts == ()
    crowded.there.clear()
    lab.turns(2)
    assert lab.store.job(job).attempts


def test_an_attempt_that_may_be_an_unmarked_run_is_neither_lost_nor_started_anew(lab: Any) -> None:
    job = lab.submit()
    lab.turns(3)
    (slot,) = lab.store.job(job).attempt.slots
    lab.cluster.runs.clear()  # as if it bore a name of an earlier release
    crowded = crowd(lab, stray("old", slot, owner="", job_id=job, attempt=1))
    lab.turns(40)
    record = lab.store.job(job)
    assert (record.state, len(record.attempts), record.attempt.outcome) == (JobState.RUNNING, 1, Outcome.OPEN)
    ledger = lab.cycle.board.report.cycle.snapshot.ledger
    assert ledger.gpu_milli.min() >= 0, "its room is counted once"
    crowded.there.clear()
    lab.turns(2)
    assert lab.store.job(job).attempts[0].outcome is Outcome.LOST


def test_a_marked_run_of_another_store_says_nothing_about_our_job_of_that_number(lab: Any) -> None:
    job = lab.submit()
    lab.turns(3)
    lab.cluster.runs.clear()
    crowd(lab, stray("theirs", Slot("b", (0,)), job_id=job, attempt=1))
    lab.turns(2)
    assert lab.store.job(job).attempts[0].outcome is Outcome.LOST


def service(lab: Any) -> Any:
    from threading import Event  # noqa: PLC0415  # only here

    from scheduler.control.service.strays import StrayService  # noqa: PLC0415  # likewise

    return StrayService(lab.store, lab.cycle.board, lab.clock, Event())


def test_an_eviction_is_carried_out_once_and_said_with_who_asked(lab: Any) -> None:
    crowded = crowd(lab, stray("x", Slot("a", (0,))), stray("y", Slot("a", (1,))))
    lab.turns(1)
    service(lab).evict(["x"], "ada")
    assert service(lab).poke
    lab.turns(3)
    assert crowded.said == [("evict", "x")]
    assert lab.store.stray_orders() == ()
    assert "x is to be evicted, says ada" in lab.events()
    assert "x is evicted" in lab.events()


def test_an_order_outlives_the_process_that_took_it(lab: Any) -> None:
    crowd(lab, stray("x", Slot("a", (0,))))
    lab.turns(1)
    service(lab).evict([], "ada")
    lab.restart()
    crowded = crowd(lab, stray("x", Slot("a", (0,))))
    lab.turns(1)
    assert crowded.said == [("evict", "x")]


def test_only_an_open_attempt_in_its_own_place_is_adopted(lab: Any) -> None:
    job = lab.submit()
    lab.turns(3)
    (slot,) = lab.store.job(job).attempt.slots
    lab.cluster.runs.clear()
    elsewhere = Slot("b" if slot.host == "a" else "a", (0,))
    right = stray("right", slot, owner="", job_id=job, attempt=1)
    wrong = [
        stray("attempt", slot, owner="", job_id=job, attempt=2),
        stray("job", slot, owner="", job_id="99", attempt=1),
        stray("place", elsewhere, owner="", job_id=job, attempt=1),
        stray("silent", slot, owner=""),
        stray("room", slot, owner="", kind=StrayKind.GROUP),
    ]
    crowded = crowd(lab, right, *wrong)
    lab.turns(1)
    for one in wrong:
        with pytest.raises(Conflict, match="cannot be adopted"):
            service(lab).adopt([one.name], "ada")
    assert [one.name for one in service(lab).adopt([], "ada")] == ["right"]
    lab.turns(1)
    assert crowded.said == [("adopt", "right")]


def test_what_the_cluster_refuses_is_said_and_not_tried_for_ever(lab: Any) -> None:
    crowded = crowd(lab, stray("x", Slot("a", (0,))))
    lab.turns(1)
    crowded.refuses = True
    service(lab).evict(["x"], "ada")
    lab.turns(2)
    assert "x cannot be evicted: not now" in lab.events()
    assert lab.store.stray_orders() == ()


def test_a_stray_that_is_not_there_is_not_found(lab: Any) -> None:
    crowd(lab)
    with pytest.raises(Conflict, match="no plan yet"):
        service(lab).all()
    lab.turns(1)
    with pytest.raises(NotFound, match="no stray nothing"):
        service(lab).evict(["nothing"], "ada")
