"""What the default score promises of its prices: remainders, CPU, scarce models and whole hosts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from policies.packing.cpu_stranding import CpuPerDevice
from policies.packing.cutting_stock import Relaxation, best_filling, remainder_values
from policies.packing.gang_capacity import GangRooms, HostKind, HostKinds, RoomValue, Vacancy
from policies.packing.scarcity import Expected, SlotPrice, model_premiums, slot_prices
from policies.packing.score import Prices, Scarcity, headroom
from policies.packing.workload_mix import PRIOR, SizeMix
from policies.registry import policy_from_names
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.work import NOTHING_SEEN, WorkSeen

HALF = Shape(cpu_milli=1000, gpu_count=1, gpu_milli=500)
WHOLE = Shape(cpu_milli=1000, gpu_count=1)
EIGHT = Shape(cpu_milli=8000, gpu_count=8)

size_lists = st.lists(st.integers(1, 100).map(lambda t: t * 10), min_size=1, max_size=6, unique=True).map(sorted)


def share(milli: int) -> Shape:
    return Shape(cpu_milli=1000, gpu_count=1, gpu_milli=milli)


def vacant(whole: list[int], cores: list[int] | None = None) -> Vacancy:
    """Hosts of one model with so many free devices and cores."""
    free = np.array(cores or [128] * len(whole), dtype=np.int64) * 1000
    kinds = HostKinds(HostKind(max(8, d), int(cpu), 8192, "G2") for d, cpu in zip(whole, free, strict=True))
    return Vacancy(np.array(whole, dtype=np.int64), free, np.full(len(whole), 8192), kinds.of_host, kinds)


def priced(expected: Expected, vacancy: Vacancy, free_milli: int) -> tuple[SlotPrice, ...]:
    rooms = GangRooms(expected.gangs, vacancy.kinds).of(vacancy).sum(axis=0)
    return slot_prices(expected, rooms, free_milli)


def worth(prices: tuple[SlotPrice, ...], vacancy: Vacancy) -> NDArray[np.float64]:
    scarcity = Scarcity((), prices)
    return RoomValue(scarcity.gangs, vacancy.kinds).of(vacancy, scarcity.prices)


def often(mix: SizeMix) -> WorkSeen:
    """Work of this mix, a thousand times as much, all of it waiting."""
    shapes, counts = zip(*mix.counts, strict=True)
    none = (0,) * len(shapes)
    seen = tuple(1000 * count for count in counts)
    return WorkSeen(shapes, seen, none, none, tuple(zip(shapes, seen, strict=True)))


def test_a_mix_counts_and_grows_without_changing() -> None:
    mix = SizeMix.of({HALF: 3, WHOLE: 0})
    grown = mix.and_seen([HALF, EIGHT, Shape(cpu_milli=1)])
    assert (mix.total, grown.total, grown.gpu_milli) == (3, 6, 10_000)
    assert [piece.tolist() for piece in grown.pieces()] == [[500, 1000], [4.0, 8.0]]
    assert grown.share_fitting("T4")[[499, 500, 1000]].tolist() == [0.0, 4 / 6, 5 / 6]


@given(size_lists, st.lists(st.floats(0, 1000), min_size=6, max_size=6))
def test_the_best_filling_is_the_best_of_all_fillings(sizes: list[int], prices: list[float]) -> None:
    lengths, worth = np.array(sizes), np.array(prices[: len(sizes)])
    values = best_filling(lengths, worth)
    best = [0.0] * 1001
    for room in range(1, 1001):
        taking = [best[room - size] + price for size, price in zip(sizes, worth, strict=True) if size <= room]
        best[room] = max([best[room - 1], *taking])
    np.testing.assert_allclose(values, best, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(size_lists, st.lists(st.floats(1, 500), min_size=6, max_size=6))
def test_dual_prices_are_feasible_and_as_good_as_the_optimum(sizes: list[int], demands: list[float]) -> None:
    lengths, demand = np.array(sizes), np.array(demands[: len(sizes)])
    relaxation = Relaxation(lengths, 100.0)
    for asked in (demand, demand * 1.1, demand / 3):
        duals = relaxation.solve(asked)
        assert best_filling(lengths, duals.pieces)[-1] <= duals.device + 1e-3
        surplus = np.maximum(lengths - duals.pieces, 0)
        assert duals.value == pytest.approx(100.0 * duals.device + surplus @ asked, rel=1e-6, abs=1e-3)
        assert duals.value <= min(100_000.0, lengths @ asked) + 1e-3


def test_a_rest_that_no_work_fits_is_worth_nothing() -> None:
    values = remainder_values(SizeMix.of({share(800): 5, share(300): 1}))
    assert values[0] == values[299] == 0.0
    assert (np.diff(values) >= 0).all()
    assert values[1000] > 0


def test_nothing_seen_means_nothing_preferred() -> None:
    assert not remainder_values(SizeMix()).any()
    hosts = [Host(f"h{i}", 8000, 8192, (Device(0),), "T4") for i in range(3)]
    ledger = Ledger.of(hosts)
    assert headroom(ledger, NOTHING_SEEN)(ledger, np.arange(3), Shape(cpu_milli=1)).tolist() == [0.0] * 3


@given(st.integers(0, 128_000), st.integers(0, 8000), st.floats(100, 20_000), st.floats(1, 10_000))
def test_stranded_devices_are_never_fewer_with_less_cpu(cpu: int, gpu: int, mean: float, spread: float) -> None:
    work = CpuPerDevice(mean, spread)
    stranded = work.stranded_milli(np.array([cpu, cpu + 1000]), np.array([gpu, gpu]))
    assert stranded[0] >= stranded[1] - 1e-6
    assert (stranded >= -1e-6).all()
    certain = max(gpu / 1000 * mean - cpu, 0) / mean * 1000
    assert stranded[0] >= certain - 1e-6


def test_cpu_per_device_counts_by_devices_not_by_jobs() -> None:
    work = CpuPerDevice.of(SizeMix.of({Shape(cpu_milli=4000, gpu_count=1): 2, Shape(cpu_milli=16_000, gpu_count=8): 1}))
    assert work.mean_milli == pytest.approx(2400)
    assert work.spread_milli == pytest.approx(math.sqrt((2 * 1600**2 + 3200**2) / 10))
    assert not CpuPerDevice.of(SizeMix()).stranded_milli(np.array([0]), np.array([8000])).any()


def test_a_model_is_dear_when_those_who_need_it_use_it_up() -> None:
    mix = SizeMix.of({Shape(gpu_count=1, gpu_models=frozenset({"T4"})): 1, WHOLE: 1})
    scarce = model_premiums(Expected.of(mix), {"T4": 1000, "G2": 9000})
    assert scarce == {"T4": 1.0, "G2": 0.0}
    plenty = model_premiums(Expected.of(mix), {"T4": 9000, "G2": 1000})
    assert plenty["T4"] == plenty["G2"]
    assert set(model_premiums(Expected.of(SizeMix.of({WHOLE: 1})), {"T4": 1000, "G2": 0}).values()) == {0.0}


def test_room_for_whole_hosts_is_dear_when_it_gets_rare() -> None:
    mix = SizeMix.of({EIGHT: 1, HALF: 84})
    plenty = priced(Expected.of(mix), vacant([8] * 200), 800_000)
    rare = priced(Expected.of(mix), vacant([8, 7, 7]), 2_000_000)
    assert plenty == ()
    assert [(slot.shape, slot.price > 4000) for slot in rare] == [(EIGHT, True)]
    assert worth(rare, vacant([7, 8, 16])).tolist() == [0, rare[0].price, 2 * rare[0].price]


def test_room_is_only_room_with_the_cpu_and_memory_beside_the_devices() -> None:
    """Hosts with 128 cores are rare here, and only they take the wide gang; the narrow one has room everywhere."""
    narrow, wide = (replace(EIGHT, cpu_milli=cores * 1000) for cores in (64, 120))
    expected = Expected.of(SizeMix.of({narrow: 5, wide: 5, HALF: 84}))
    vacancy = vacant([8] * 60, [96] * 58 + [128] * 2)
    prices = priced(expected, vacancy, 200_000)
    assert [slot.shape for slot in prices] == [wide]
    assert worth(prices, vacancy).astype(bool).tolist() == [False] * 58 + [True] * 2
    others = [replace(EIGHT, memory_mib=9000), replace(EIGHT, gpu_models=frozenset({"T4"})), EIGHT]
    host = vacant([8])
    assert GangRooms(others, host.kinds).of(host).tolist() == [[0, 0, 1]]


def test_gangs_of_as_many_devices_compete_for_the_same_room_and_are_priced_once() -> None:
    narrow, wide = (replace(EIGHT, cpu_milli=cores * 1000) for cores in (64, 90))
    expected = Expected.of(SizeMix.of({narrow: 3, wide: 2, HALF: 10}))
    assert dict(zip(expected.gangs, expected.gangs_seen.tolist(), strict=True)) == {narrow: 5, wide: 2}
    assert [slot.shape for slot in priced(expected, vacant([8], [96]), 400_000)] == [narrow]


@given(st.integers(0, 50), st.floats(0.01, 20), st.integers(0, 60))
def test_room_is_dearer_the_more_was_seen_and_the_less_there_is(seen: int, ahead: float, hosts: int) -> None:
    mix = SizeMix.of({EIGHT: seen, HALF: 200})

    def price(room: int) -> float:
        prices = priced(Expected.of(mix), vacant([8] * room), int(ahead * mix.gpu_milli))
        return prices[0].price if prices else 0.0

    assert 0 <= price(hosts + 1) <= price(hosts) <= EIGHT.total_gpu_milli
    assert price(0) == (EIGHT.total_gpu_milli if seen else 0)


def test_a_share_goes_where_its_rest_can_still_be_used() -> None:
    mix = SizeMix.of({share(600): 10, share(400): 10})
    hosts = [Host(f"h{i}", 64_000, 8192, (Device(0),), "T4") for i in range(3)]
    ledger = Ledger.of(hosts, [(Slot("h1", (0,)), share(300)), (Slot("h2", (0,)), share(600))])
    assert headroom(ledger, often(mix))(ledger, np.arange(3), share(400)).argmin() == 2


def test_a_scarce_model_is_left_to_those_who_need_it() -> None:
    only = Shape(cpu_milli=1000, gpu_count=1, gpu_models=frozenset({"T4"}))
    hosts = [Host("a", 64_000, 8192, (Device(0),), "T4"), Host("b", 64_000, 8192, (Device(0), Device(1)), "G2")]
    ledger = Ledger.of(hosts)
    score = headroom(ledger, often(SizeMix.of({only: 1, WHOLE: 1})))(ledger, np.arange(2), WHOLE)
    assert score.argmin() == 1


def test_work_with_much_cpu_goes_where_devices_can_spare_it() -> None:
    wide, narrow = (Host(name, cpu, 8192, (Device(0), Device(1)), "T4") for name, cpu in (("w", 96_000), ("n", 16_000)))
    mix = SizeMix.of({Shape(cpu_milli=8000, gpu_count=1): 1})
    ledger = Ledger.of([narrow, wide])
    score = headroom(ledger, often(mix))(ledger, np.arange(2), Shape(cpu_milli=14_000, gpu_count=1))
    assert score.argmin() == 1


def test_prices_are_values_that_cannot_be_written_to() -> None:
    for values in (remainder_values(PRIOR), Prices(PRIOR).device_values("T4")):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0


def test_configurations_can_name_it() -> None:
    assert policy_from_names(placement_score="headroom").placement_score is headroom
