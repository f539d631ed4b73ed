"""The smallest minimum cut against all cuts there are."""

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from policies.packing.min_cut import short_models

MODELS = ("A10", "G2", "P100", "T4")
groups = st.dictionaries(st.frozensets(st.sampled_from(MODELS)), st.integers(0, 9), max_size=6)
amounts = st.tuples(*[st.integers(0, 9) for _ in MODELS])


def cut(demand: dict[frozenset[str], int], free: dict[str, int], side: frozenset[str]) -> int:
    """Return what a cut lets through that has these models, and all demand for nothing else, on one side."""
    return sum(milli for group, milli in demand.items() if not (group or set(MODELS)) <= side) + sum(
        free[m] for m in side
    )


@given(groups, amounts)
def test_it_is_the_smallest_of_the_cuts_that_let_least_through(
    demand: dict[frozenset[str], int], amount: tuple[int, ...]
) -> None:
    free = dict(zip(MODELS, amount, strict=True))
    sides = [frozenset(side) for side in chain.from_iterable(combinations(MODELS, n) for n in range(len(MODELS) + 1))]
    least = min(cut(demand, free, side) for side in sides)
    minimal = frozenset.intersection(*(side for side in sides if cut(demand, free, side) == least))
    assert short_models(demand, free) == minimal


def test_a_model_that_only_some_may_use_runs_short_before_the_others() -> None:
    only, any_model = frozenset({"T4"}), frozenset[str]()
    assert short_models({only: 5, any_model: 3}, {"T4": 4, "G2": 9}) == {"T4"}
    assert short_models({only: 4, any_model: 3}, {"T4": 4, "G2": 3}) == set()
    assert short_models({only: 4, any_model: 4}, {"T4": 4, "G2": 3}) == {"T4", "G2"}
