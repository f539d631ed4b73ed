"""The words in which people are told what was asked for and what is short."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.counting import plural
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.reasons.wording import asks, listed, ranges, unit

TWO_GPUS = Shape(8000, 1024, 2)


def test_one_is_not_many() -> None:
    assert [plural(count, "host") for count in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcd", "a, b, c and 1 more"),
        ("abcdefg", "a, b, c and 4 more"),
    ],
)
def test_few_names_are_listed_and_the_rest_counted(names: str, words: str) -> None:
    assert listed(tuple(names)) == words


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape(8000, 1024, 1), "1 GPU"),
        (Shape(8000, 1024, 2), "2 GPUs"),
        (Shape(8000, 1024, 2, gpu_models=frozenset({"MI300X"})), "2 MI300X"),
        (Shape(8000, 1024, 1, gpu_models=frozenset({"MI300X", "MI210"})), "1 MI210 or MI300X"),
        (Shape(8000, 1024, 1, 500), "0.5 GPU"),
        (Shape(8000, 1024, 1, 999, gpu_models=frozenset({"MI210"})), "0.999 MI210"),
        (Shape(4000, 1024), "4 CPU"),
        (Shape(0, 512), "512 MiB"),
    ],
)
def test_a_unit_is_told_by_its_scarcest_kind(shape: Shape, words: str) -> None:
    assert unit(shape) == words


@pytest.mark.parametrize(
    ("gang", "words"),
    [
        (Gang(1, TWO_GPUS), "2 GPUs on one host"),
        (Gang(4, TWO_GPUS), "4 workers × 2 GPUs"),
        (Gang(1, TWO_GPUS, max_workers=3), "1–3 workers × 2 GPUs"),
        (Gang(4, TWO_GPUS, max_per_host=2), "4 workers × 2 GPUs, at most 2 on a host"),
        (Gang(4, TWO_GPUS, require_same="rack"), "4 workers × 2 GPUs, all in one rack"),
    ],
)
def test_a_gang_is_told_with_all_that_limits_it(gang: Gang, words: str) -> None:
    assert asks(gang) == words


def test_neighbours_become_a_range() -> None:
    assert ranges((4, 5, 6, 7)) == "4–7"
    assert ranges((0, 2, 3), dash="-") == "0, 2-3"


@given(st.sets(st.integers(0, 40)))
def test_ranges_name_every_number_once(numbers: set[int]) -> None:
    named = [part.split("–") for part in ranges(sorted(numbers)).split(", ") if part]
    assert [n for part in named for n in range(int(part[0]), int(part[-1]) + 1)] == sorted(numbers)
    assert all(int(before[-1]) + 1 < int(after[0]) for before, after in pairwise(named))
