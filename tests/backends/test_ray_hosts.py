"""Ray's nodes as hosts."""

from typing import Any

from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.model.hosts import Device, HostState, devices_offered


def node(name: str = "gpu1", *, alive: bool = True, node_id: str = "ab12", **changes: Any) -> dict[str, Any]:
    return {
        "Alive": alive,
        "NodeManagerAddress": "10.0.0.7",
        "NodeManagerPort": 7001,
        "Resources": {"CPU": 16.0, "GPU": 2.0, "memory": 32.0 * 2**30} if alive else {},
        "Labels": {"host": name, "gpu-model": "MI210", "gpu-memory-mib": "65536", "ray.io/node-id": node_id},
        "DeathReasonMessage": "" if alive else "health check failed",
    } | changes


def test_sizes_devices_and_labels_are_read() -> None:
    labels = node()["Labels"] | {"rack": "7", "ray.io/market-type": "spot"}
    (host,) = fleet_of([node(Labels=labels)], Fleet(), 10.0).hosts
    assert (host.name, host.cpu_milli, host.memory_mib, host.gpu_model) == ("gpu1", 16_000, 32_768, "MI210")
    assert host.devices == (Device(0, 65536), Device(1, 65536))
    assert host.labels == (("rack", "7"),), "Ray's own labels and those that became fields are not the site's"
    assert (host.state, host.since_s) == (HostState.READY, 10.0)


def test_a_node_with_partitioned_accelerators_offers_the_parts_that_ray_counts() -> None:
    labels = node()["Labels"] | {"gpu-model": "MI300X", "gpu-memory-mib": "24576", "gpu-partitions": "8"}
    (host,) = fleet_of([node(Labels=labels, Resources={"CPU": 16.0, "GPU": 16.0})], Fleet(), 0.0).hosts
    assert host.devices == devices_offered(2, 192 * 1024, 8)
    assert host.labels == ()


def test_a_node_without_a_host_label_goes_by_its_address_and_is_selected_by_its_id() -> None:
    fleet = fleet_of([node(Labels={"ray.io/node-id": "ab12", "ray.io/accelerator-type": "A100"})], Fleet(), 0.0)
    assert (fleet.hosts[0].name, fleet.hosts[0].gpu_model) == ("10.0.0.7", "A100")
    assert fleet.selectors == {"10.0.0.7": {"ray.io/node-id": "ab12"}}


def test_a_named_host_is_selected_by_its_name_and_reached_at_its_door() -> None:
    fleet = fleet_of([node()], Fleet(), 0.0)
    assert fleet.selectors == {"gpu1": {"host": "gpu1"}}
    assert fleet.doors == {"gpu1": ("10.0.0.7", 7001)}


def test_a_node_that_takes_no_work_is_no_host() -> None:
    head = node("head", Resources={"memory": 2.0**30, "node:__internal_head__": 1.0})
    assert fleet_of([head, node()], Fleet(), 0.0).selectors.keys() == {"gpu1"}


def test_hosts_come_sorted_by_name() -> None:
    fleet = fleet_of([node("b"), node("c"), node("a")], Fleet(), 0.0)
    assert [host.name for host in fleet.hosts] == ["a", "b", "c"]


def test_a_host_that_dies_is_lost_since_then_with_its_size_and_ray_s_reason() -> None:
    before = fleet_of([node()], Fleet(), 10.0)
    lost = fleet_of([node(alive=False)], before, 20.0)
    (host,) = lost.hosts
    assert (host.state, host.reason, host.since_s) == (HostState.LOST, "health check failed", 20.0)
    assert host.devices == before.hosts[0].devices
    assert not lost.is_ready("gpu1")
    assert fleet_of([node(alive=False)], lost, 30.0).hosts[0].since_s == 20.0


def test_a_host_that_ray_no_longer_lists_is_lost_too() -> None:
    (host,) = fleet_of([], fleet_of([node()], Fleet(), 10.0), 20.0).hosts
    assert (host.state, host.reason) == (HostState.LOST, "no longer part of the Ray cluster")


def test_a_host_that_was_dead_before_we_looked_is_known_by_name() -> None:
    (host,) = fleet_of([node(alive=False)], Fleet(), 20.0).hosts
    assert (host.name, host.state, host.cpu_milli) == ("gpu1", HostState.LOST, 0)


def test_a_host_that_comes_back_is_ready_since_then() -> None:
    lost = fleet_of([node(alive=False)], fleet_of([node()], Fleet(), 10.0), 20.0)
    back = fleet_of([node(alive=False), node(node_id="cd34")], lost, 30.0)
    assert [(host.state, host.since_s, host.reason) for host in back.hosts] == [(HostState.READY, 30.0, "")]
    assert fleet_of([node(node_id="cd34")], back, 40.0).hosts[0].since_s == 30.0
