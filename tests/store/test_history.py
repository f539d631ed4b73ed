"""The store keeps a history of turns: busy ones whole, a sample of quiet ones, and never more than it says."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand
from scheduler.model.errors import ConfigError
from scheduler.model.plan import Plan, StartJob
from scheduler.model.resources import Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId
from scheduler.store import history, journal
from scheduler.store.codec import encode_cycle
from scheduler.store.history import KEPT_S, SAMPLED_EVERY_S
from scheduler.store.recorded import recorded_cycles
from scheduler.store.sql import SqlStore
from scheduler.store.tables import cycle_history

START = StartJob(JobId("1"), 1, (Slot("a", (0,)),))
WHOLE_BYTES = 1000
"""More than one of these turns takes."""


def turn(number: int, *, busy: bool = False, every_s: float = 60.0) -> CycleRecord:
    made = Plan(number, (START,) if busy else ())
    return CycleRecord(number, every_s * number, Snapshot.of(version=number), Demand(), made, 0.0, None, "1.0")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = SqlStore(url, cycles_kept=3)
    yield opened
    opened.close()


def kept_in(url: str) -> list[tuple[int, float, int]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(select(cycle_history).order_by(cycle_history.c.number)).all()
    engine.dispose()
    return [(row.number, row.at_s, len(row.body)) for row in found]


def test_busy_turns_outlast_the_journal_and_quiet_ones_are_sampled(
    url: str, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_CHANGES", 0)
    for number in range(1, 101):
        store.journal(turn(number, busy=number in {20, 21, 70}))
    numbers = [number for number, _, _ in kept_in(url)]
    assert {20, 21, 70} <= set(numbers)
    assert numbers == [2, 17, 20, 21, 36, 51, 66, 70, 85, 100], "and one when none was kept for a quarter of an hour"
    assert SAMPLED_EVERY_S == 15 * 60
    everything = list(recorded_cycles(url, -inf, inf))
    assert [cycle.number for cycle in everything] == [2, 17, 20, 21, 36, 51, 66, 70, 85, 98, 99, 100]
    assert everything[2] == turn(20, busy=True)
    assert [cycle.number for cycle in recorded_cycles(url, 20 * 60.0, 98 * 60.0)] == [20, 21, 36, 51, 66, 70, 85, 98]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([60.0, 600.0])), max_size=60), st.sets(st.integers(0, 60)))
def test_no_hour_takes_more_than_its_part_of_a_day_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[bool, float]], restarts: set[int]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('h')}/state.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history.History.__init__, "__defaults__", (24 * 4 * WHOLE_BYTES,))
        store, now_s = SqlStore(url, cycles_kept=3), 0.0
        for number, (busy, step_s) in enumerate(turns, 1):
            now_s += step_s
            store.journal(replace(turn(number, busy=busy), at_s=now_s))
            if number in restarts:
                store.close()
                store = SqlStore(url, cycles_kept=3)
        store.close()
    kept = kept_in(url)
    for _, at_s, _ in kept:
        assert sum(size for _, other_s, size in kept if at_s - 3600 < other_s <= at_s) <= 4 * WHOLE_BYTES


def test_turns_larger_than_an_hour_takes_are_kept_seldom_and_not_made_into_bytes_in_vain(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, made = len(zlib.compress(encode_cycle(turn(1, busy=True)))), list[int]()
    monkeypatch.setattr(history.History.__init__, "__defaults__", (24 * size // 3,))
    monkeypatch.setattr(history, "encode_cycle", lambda cycle: made.append(cycle.number) or encode_cycle(cycle))
    store = SqlStore(url, cycles_kept=3)
    for number in range(1, 60):
        store.journal(turn(number, busy=True, every_s=600.0))
    store.close()
    kept = [number for number, _, _ in kept_in(url)]
    assert len(kept) == pytest.approx(59 / 18, abs=1), "one in three hours or so"
    assert len(made) <= len(kept) + 2


def test_what_is_too_old_goes_and_a_turn_written_again_replaces_what_came_of_it(url: str, store: SqlStore) -> None:
    for number in range(1, 6):
        store.journal(turn(number, busy=True, every_s=KEPT_S / 3))
    assert [number for number, _, _ in kept_in(url)] == [2, 3, 4, 5]
    store.journal(turn(6, busy=True, every_s=KEPT_S / 3))
    assert [number for number, _, _ in kept_in(url)] == [3, 4, 5, 6]
    store.journal(turn(5, every_s=KEPT_S / 3))
    assert [number for number, _, _ in kept_in(url)] == [3, 4, 5]
    assert len(encode_cycle(turn(5))) < WHOLE_BYTES


def test_only_a_store_that_is_there_and_ours_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store"):
        list(recorded_cycles(f"sqlite:///{tmp_path}/none.db", -inf, inf))
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(ConfigError, match="is empty, or an older Headroom wrote it"):
        list(recorded_cycles(f"sqlite:///{tmp_path}/empty.db", -inf, inf))
