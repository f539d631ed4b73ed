"""What pods ask for, against the timeline that kube-scheduler's rules describe."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.backends.kubernetes.amounts import Amounts, pod_amounts
from scheduler.backends.kubernetes.quantities import MIB, MILLI, at_least, at_most


@pytest.mark.parametrize(
    ("text", "milli"),
    [("100m", 100), ("2", 2000), ("1.5", 1500), (".5", 500), ("1e1", 10_000), ("1k", 1_000_000), ("1n", 1), ("0", 0)],
)
def test_cores_are_counted_in_thousandths_and_what_is_asked_for_is_rounded_up(text: str, milli: int) -> None:
    assert at_least(text, MILLI) == milli


def test_what_is_there_is_rounded_down() -> None:
    assert at_most("1000001", MIB) == 0
    assert at_least("1000001", MIB) == 1
    assert at_most("1488Gi", MIB) == 1488 * 1024
    assert at_most("1.5Gi", MIB) == at_least("1.5Gi", MIB) == 1536


@pytest.mark.parametrize("text", ["", "12 GB", "1Kii", "m", "1e", "0x10"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        at_least(text)


def container(name: str, cpu: int, gpus: int, *, is_sidecar: bool = False) -> dict[str, Any]:
    requests = {"cpu": f"{cpu}m", **({"amd.com/gpu": str(gpus)} if gpus else {})}
    return {"name": name, "resources": {"limits": requests}, **({"restartPolicy": "Always"} if is_sidecar else {})}


def most_at_once(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Play the start of a pod step by step and return the most cores and devices that anything ever holds at once."""

    def held(running: list[Mapping[str, Any]]) -> tuple[int, int]:
        limits = [each["resources"]["limits"] for each in running]
        return sum(int(each["cpu"][:-1]) for each in limits), sum(int(each.get("amd.com/gpu", 0)) for each in limits)

    stays: list[Mapping[str, Any]] = []
    moments = []
    for each in spec["initContainers"]:
        moments.append(held([*stays, each]))
        if each.get("restartPolicy") == "Always":
            stays.append(each)
    moments.append(held([*stays, *spec["containers"]]))
    return max(cpu for cpu, _ in moments), max(gpus for _, gpus in moments)


amounts = st.tuples(st.integers(0, 4000), st.integers(0, 8), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(amounts, max_size=4), st.lists(amounts, min_size=1, max_size=3))
def test_a_pod_takes_the_most_that_it_ever_needs_at_once(
    inits: list[tuple[int, int, bool]], mains: list[tuple[int, int, bool]]
) -> None:
    spec = {
        "initContainers": [container(f"i{n}", cpu, gpus, is_sidecar=side) for n, (cpu, gpus, side) in enumerate(inits)],
        "containers": [container(f"c{n}", cpu, gpus) for n, (cpu, gpus, _) in enumerate(mains)],
    }
    asked = pod_amounts(spec)
    assert (asked.cpu_milli, asked.device_count(["amd.com/gpu"])) == most_at_once(spec)


def test_overhead_comes_on_top_and_what_is_said_for_the_whole_pod_counts_instead_of_the_sum() -> None:
    spec = {"containers": [container("c", 1000, 2)], "overhead": {"cpu": "250m"}}
    assert pod_amounts(spec) == Amounts(1250, 0, 0, (("amd.com/gpu", 2),))
    assert pod_amounts({**spec, "resources": {"requests": {"cpu": "3"}}}).cpu_milli == 3250


def test_while_a_pod_is_resized_the_larger_counts_and_what_it_has_where_it_cannot_be() -> None:
    spec = {"containers": [container("c", 1000, 0)]}
    smaller = [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]
    larger = [{"name": "c", "allocatedResources": {"cpu": "3"}, "resources": {"requests": {"cpu": "2"}}}]
    assert pod_amounts(spec, smaller).cpu_milli == 1000
    assert pod_amounts(spec, larger).cpu_milli == 3000
    assert pod_amounts(spec, smaller, refused=True).cpu_milli == 500


def test_amounts_add_up_and_forget_what_is_none() -> None:
    two = Amounts.asked({"cpu": "1", "amd.com/gpu": "2", "ephemeral-storage": "1Gi"})
    assert two.plus(two) == Amounts(2000, 0, 2048, (("amd.com/gpu", 4),))
    assert two.minus(two) == Amounts()
    assert Amounts.there({"cpu": "1999999n", "nvidia.com/gpu": "0"}) == Amounts(cpu_milli=1)
