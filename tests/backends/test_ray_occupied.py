"""Other people's work on Ray: what its nodes have in use beyond groups, replicas and strays, once it lasts."""

from typing import Any

import pytest

from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.backends.ray.occupied import STEADY_S, Amounts, Occupied, beyond
from scheduler.model.resources import Shape, Slot

MIB = 2**20
HALF = Shape(500, 256, 1, 500)


def node(name: str, **free: float) -> dict[str, Any]:
    """A node of 8 cores, 16 GiB and 4 GPUs."""
    resources = {"CPU": 8.0, "GPU": 4.0, "memory": 16384.0 * MIB}
    labels = {"host": name}
    known = {"NodeID": f"id-{name}", "Alive": True, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": 1}
    return {**known, "Labels": labels, "Resources": resources, "Free": {**resources, **free}}


def fleet(*nodes: dict[str, Any]) -> Fleet:
    return fleet_of(nodes, Fleet(), 0.0)


def test_what_is_in_use_beyond_groups_and_replicas_is_other_work() -> None:
    nodes = [node("a", CPU=2.5, GPU=0.5, memory=8192.0 * MIB), node("b")]
    groups = [
        {"name": "g", "bundles": [("id-a", {"CPU": 1.0, "GPU": 2.0, "memory": 1024.0 * MIB}), ("gone", {"CPU": 1})]}
    ]
    served = [(Slot("a", (0,)), HALF), (Slot("b", (0,)), HALF), (Slot("elsewhere"), HALF)]
    assert beyond(nodes, groups, served, fleet(*nodes)) == {"a": (4000, 6912, 1000)}


def test_what_is_known_and_not_in_use_yet_is_nothing() -> None:
    nodes = [node("a")]
    assert beyond(nodes, [], [(Slot("a", (0,)), HALF)], fleet(*nodes)) == {}


def test_a_node_without_figures_has_nothing_in_use() -> None:
    assert beyond([node("a") | {"NodeID": "unknown"}], [], [], fleet(node("a"))) == {}


def test_only_what_lasts_is_shown_and_what_is_left_is_gone_at_once() -> None:
    occupied, hosts = Occupied(), fleet(node("a"))
    assert occupied.seen(0.0, {}, [], hosts) == ()
    assert occupied.seen(1.0, {"a": (1000, 0, 0)}, [], hosts) == ()
    assert occupied.seen(STEADY_S + 0.5, {"a": (3000, 0, 0)}, [], hosts) == ()
    shown = occupied.seen(STEADY_S + 1.5, {"a": (2000, 0, 0)}, [], hosts)
    assert shown == ((Slot("a"), Shape(1000)),)
    assert occupied.seen(STEADY_S + 2.0, {}, [], hosts) == ()


def test_what_stays_is_the_same_object() -> None:
    occupied, hosts = Occupied(), fleet(node("a"), node("b"))
    now: dict[str, Amounts] = {"a": (1000, 64, 1000), "b": (500, 0, 0)}
    first = occupied.seen(0.0, now, [], hosts)
    again = occupied.seen(9.0, {**now, "b": (900, 0, 0)}, [], hosts)
    assert [slot for slot, _ in first] == [Slot("a", (3,)), Slot("b")]
    assert again[0] is first[0]


@pytest.mark.parametrize(
    ("gpu_milli", "taken", "expected"),
    [
        (2000, (), {(2, 3): (2, 1000)}),
        (2500, (), {(2, 3): (2, 1000), (1,): (1, 500)}),
        (250, (), {(): (0, 1000), (3,): (1, 250)}),
        (2000, (3, 2), {(0, 1): (2, 1000)}),
        (9000, (0,), {(1, 2, 3): (3, 1000)}),
    ],
)
def test_it_is_shown_on_devices_that_have_room(
    gpu_milli: int, taken: tuple[int, ...], expected: dict[tuple[int, ...], tuple[int, int]]
) -> None:
    known = [(Slot("a", (device,)), Shape(gpu_count=1)) for device in taken]
    shown = Occupied().seen(0.0, {"a": (100, 0, gpu_milli)}, known, fleet(node("a")))
    assert {slot.devices: (shape.gpu_count, shape.gpu_milli) for slot, shape in shown} == expected
    assert sum(shape.cpu_milli for _, shape in shown) == 100


def test_shares_fill_up_what_ours_leaves_of_a_device() -> None:
    known = [(Slot("a", (device,)), HALF) for device in range(4)]
    shown = Occupied().seen(0.0, {"a": (0, 0, 750)}, known, fleet(node("a")))
    assert shown == (
        (Slot("a", (2,)), Shape(gpu_count=1, gpu_milli=250)),
        (Slot("a", (3,)), Shape(gpu_count=1, gpu_milli=500)),
    )
