"""What the planner may count on of every placement score, whichever a site chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.packing.devices import devices_after
from policies.registry import PLACEMENT_SCORES
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.work import NOTHING_SEEN, WorkSeen

SHAPES = (
    Shape(cpu_milli=1000),
    Shape(cpu_milli=2000, gpu_count=1),
    Shape(cpu_milli=1000, gpu_count=1, gpu_milli=300),
    Shape(cpu_milli=4000, gpu_count=2),
    Shape(cpu_milli=1000, gpu_count=1, gpu_milli=500, gpu_models=frozenset({"T4"})),
)
HOSTS = tuple(
    Host(f"h{i}", 32_000, 8192, tuple(Device(d) for d in range(i % 4)), ("", "T4", "G2", "T4")[i % 4]) for i in range(8)
)
starts = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(SHAPES)), max_size=12)

SEEN = (9, 90, 50, 9, 20)
WATCHED = WorkSeen(SHAPES, SEEN, (9, 80, 40, 9, 10), (0, 20, 20, 3, 5), tuple(zip(SHAPES, SEEN, strict=True)))


def filled(started: list[tuple[int, Shape]]) -> Ledger:
    """Return the ledger after these were placed in order, as far as there was room."""
    trial = Ledger.of(HOSTS).trial()
    for row, shape in started:
        if (devices := trial.devices_for(row, shape)) is not None:
            trial.take(Slot(HOSTS[row].name, devices), shape)
    return trial.freeze()


@pytest.mark.parametrize("name", PLACEMENT_SCORES)
@pytest.mark.parametrize("work", [NOTHING_SEEN, WATCHED], ids=["nothing", "much"])
@given(before=starts, later=starts, elsewhere=starts, shape=st.sampled_from(SHAPES))
def test_a_row_is_scored_by_itself(  # noqa: PLR0913, PLR0917  # the world before, the row's later, the others' later
    name: str,
    work: WorkSeen,
    before: list[tuple[int, Shape]],
    later: list[tuple[int, Shape]],
    elsewhere: list[tuple[int, Shape]],
    shape: Shape,
) -> None:
    """So scores may be remembered until a row changes: others do not matter, nor who else is asked about."""
    scorer = PLACEMENT_SCORES[name](filled(before), work)
    ledger = filled([*before, *later])
    rows = np.flatnonzero(ledger.units_fitting(shape) > 0)
    scores = scorer(ledger, rows, shape)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
        changed = filled([*before, *later, *((other, each) for other, each in elsewhere if other != row)])
        assert scorer(changed, np.array([row]), shape).tolist() == [score]


@pytest.mark.parametrize("name", PLACEMENT_SCORES)
def test_a_site_without_hosts_is_scored_too(name: str) -> None:
    empty = Ledger.of(())
    assert PLACEMENT_SCORES[name](empty, NOTHING_SEEN)(empty, np.zeros(0, dtype=np.int64), SHAPES[1]).shape == (0,)


@given(before=starts, shape=st.sampled_from(SHAPES))
def test_scores_see_the_devices_that_the_ledger_would_give(before: list[tuple[int, Shape]], shape: Shape) -> None:
    ledger = filled(before)
    rows = np.flatnonzero(ledger.units_fitting(shape) > 0)
    for row, after in zip(rows.tolist(), devices_after(ledger, rows, shape), strict=True):
        trial = ledger.trial()
        trial.take(Slot(HOSTS[row].name, ledger.devices_for(row, shape) or ()), shape)
        assert after.tolist() == trial.gpu_milli[row].tolist()
