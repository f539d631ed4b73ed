"""Which hosts are chosen, given what fits where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.placement_scores import best_fit
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from scheduler.model.work import NOTHING_SEEN
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import capped, fewest_hosts, hosts_for_gang, most_even

COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=8).filter(any)


def same(size: int) -> np.ndarray:
    return np.zeros(size)


def test_one_host_that_takes_all_is_preferred_and_the_best_of_them() -> None:
    units, score = np.array([2, 5, 4, 5]), np.array([0.0, 3.0, 2.0, 1.0])
    assert fewest_hosts(units, 4, score.__getitem__) == [3, 3, 3, 3]


def test_the_largest_are_filled_and_the_rest_goes_to_the_best_that_takes_it() -> None:
    units, score = np.array([2, 5, 3, 1]), np.array([0.0, 1.0, 2.0, 3.0])
    assert fewest_hosts(units, 7, score.__getitem__) == [1, 1, 1, 1, 1, 0, 0]


def test_ties_go_to_the_first_row() -> None:
    assert fewest_hosts(np.array([1, 1, 1]), 2, same(3).__getitem__) == [0, 1]


@given(units=COUNTS, data=st.data())
def test_no_fewer_hosts_would_do_and_none_gets_more_than_fits(units: list[int], data: st.DataObject) -> None:
    table, count = np.array(units), data.draw(st.integers(1, sum(units)))
    rows = fewest_hosts(capped(table, 100, count), count, same(len(units)).__getitem__)
    assert len(rows) == count
    assert all(rows.count(row) <= units[row] for row in rows)
    fewer = len(set(rows)) - 1
    assert sum(sorted(units, reverse=True)[:fewer]) < count


@given(data=st.data(), units=COUNTS)
def test_the_choice_is_that_of_sorting_all_hosts_by_room_and_score(data: st.DataObject, units: list[int]) -> None:
    count = data.draw(st.integers(1, sum(units)))
    score = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=len(units), max_size=len(units))))
    table = np.array(units)
    order, expected, left = np.lexsort((score, -table)).tolist(), [], count
    while left > table[order[0]]:
        expected += [order[0]] * table[order[0]]
        left -= table[order.pop(0)]
    last = min((row for row in order if table[row] >= left), key=lambda row: (score[row], row))
    assert fewest_hosts(table, count, score.__getitem__) == expected + [last] * left


def test_even_spread_fills_the_emptiest_first() -> None:
    rows = most_even(np.array([9, 9, 1]), 4, same(3), np.array([2, 0, 0]))
    assert rows == [1, 2, 1, 0]


@pytest.mark.parametrize("limit", [2, np.array([2, 0, 2])])
def test_limits_hold_for_all_hosts_or_one_by_one(limit: int | np.ndarray) -> None:
    assert capped(np.array([5, 5, 1]), limit, 3).tolist() == ([2, 2, 1] if isinstance(limit, int) else [2, 0, 1])


@given(free=st.lists(st.integers(0, 4), min_size=1, max_size=6), taken=st.lists(st.integers(0, 5), max_size=4))
def test_one_worker_goes_where_all_hosts_compared_would_send_it(free: list[int], taken: list[int]) -> None:
    hosts = [Host(f"h{n}", 8000, 8192, tuple(Device(d, 100) for d in range(gpus)), "A") for n, gpus in enumerate(free)]
    room, gang = CachedTrial(Ledger.of(hosts)), Gang(1, Shape(cpu_milli=1000, gpu_count=1))
    scorer = best_fit(room, NOTHING_SEEN)
    for row in taken:
        if row < len(hosts) and room.fits(row, gang.shape):
            room.put([row], gang.shape)
        units = room.units(gang.shape)
        wanted = fewest_hosts(units, 1, CachedTrial(room).score(gang.shape, scorer)) if units.any() else None
        assert hosts_for_gang(room, gang, scorer) == wanted
        assert np.isfinite(room.scores(gang.shape, scorer)).tolist() == (units > 0).tolist()
