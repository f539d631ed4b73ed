"""FGD's fragment against its definition in words, and its scores on hosts where the answer is plain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.packing.fgd import POPULAR, Typical, fgd, fragment, score_of
from policies.packing.workload_mix import SizeMix
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.work import WorkSeen

MODELS = ("T4", "G2")

shares = st.integers(1, 100).map(lambda tenths: tenths * 10)
gpu_shapes = st.one_of(
    st.builds(
        Shape,
        cpu_milli=st.integers(0, 20_000),
        gpu_count=st.just(1),
        gpu_milli=shares,
        gpu_models=st.sampled_from([frozenset(), frozenset({"T4"})]),
    ),
    st.builds(Shape, cpu_milli=st.integers(0, 20_000), gpu_count=st.integers(2, 4)),
)
shapes = st.one_of(gpu_shapes, st.builds(Shape, cpu_milli=st.integers(1, 20_000)))
mixes = st.dictionaries(shapes, st.integers(1, 50), min_size=1, max_size=8).map(SizeMix.of)
devices = st.lists(st.integers(-1, 1000), min_size=1, max_size=8)


def fragment_in_words(typical: Typical, model: str, cpu_milli: int, free: list[int]) -> float:
    """Pod by pod, device by device, as the paper says it."""
    free = [milli for milli in free if milli > 0]
    lost = 0.0
    for pod, share in enumerate(typical.share):
        milli, count = typical.gpu_milli[pod], typical.gpu_count[pod]
        accepted = not typical.models[pod] or model in typical.models[pod]
        enough = sum(left >= milli for left in free) >= count and cpu_milli >= typical.cpu_milli[pod]
        if milli and accepted and enough:
            lost += share * sum(left for left in free if left < milli)
        else:
            lost += share * sum(free)
    return lost


@given(mixes, st.sampled_from(MODELS), st.integers(0, 30_000), devices)
def test_the_fragment_is_what_the_paper_says(mix: SizeMix, model: str, cpu_milli: int, free: list[int]) -> None:
    typical = Typical.of(mix)
    found = fragment(typical, typical.accepts(model)[None], np.array([cpu_milli]), np.array([free]))
    np.testing.assert_allclose(found, [fragment_in_words(typical, model, cpu_milli, free)], rtol=1e-9, atol=1e-6)


@given(mixes)
def test_typical_pods_are_the_fewest_frequent_ones_that_reach_the_threshold(mix: SizeMix) -> None:
    typical = Typical.of(mix)
    assert abs(typical.share.sum() - 1.0) < 1e-9
    assert (np.diff(typical.share) <= 1e-12).all()
    counted = sorted((count for _, count in _merged(mix).items()), reverse=True)
    assert sum(counted[: len(typical.share)]) >= POPULAR * mix.total
    assert sum(counted[: len(typical.share) - 1]) < POPULAR * mix.total


def _merged(mix: SizeMix) -> dict[tuple[object, ...], int]:
    counts: dict[tuple[object, ...], int] = {}
    for shape, count in mix.counts:
        key = (shape.cpu_milli, shape.gpu_count, shape.gpu_milli if shape.gpu_count else 0, shape.gpu_models)
        counts[key] = counts.get(key, 0) + count
    return counts


def test_scores_are_whole_steps_around_fifty() -> None:
    growth = np.array([0.0, 1000.0, -1000.0, 1e9, -1e9])
    assert score_of(growth).tolist() == [50, 26, 73, 0, 100]


def test_a_half_goes_beside_the_half_that_it_completes() -> None:
    half = Shape(cpu_milli=1000, gpu_count=1, gpu_milli=500)
    hosts = [Host(f"h{i}", 8000, 8192, (Device(0),), "T4") for i in range(2)]
    ledger = Ledger.of(hosts, [(Slot("h1", (0,)), half)])
    whole = Shape(cpu_milli=1000, gpu_count=1)
    score = fgd(ledger, WorkSeen(usual=((half, 1), (whole, 1))))(ledger, np.arange(2), half)
    assert score.argmin() == 1


def test_work_without_devices_goes_where_it_keeps_no_device_from_work() -> None:
    task = Shape(cpu_milli=4000)
    hosts = [Host("gpu", 4000, 8192, (Device(0),), "T4"), Host("wide", 64_000, 8192, (Device(0),), "T4")]
    ledger = Ledger.of(hosts)
    work = WorkSeen(usual=((Shape(cpu_milli=4000, gpu_count=1), 1),))
    score = fgd(ledger, work)(ledger, np.arange(2), task)
    assert score.argmin() == 1
