"""Ray's nodes as hosts, and how to point at one of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scheduler.model.hosts import Device, Host, HostState

MIB: Final = 2**20
HOST_LABEL: Final = "host"
KNOWN_LABELS: Final = frozenset({HOST_LABEL, "gpu-model", "gpu-memory-mib", "gpu-partitions"})
RAY_PREFIX: Final = "ray.io/"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The hosts known, and where each is.

    Attributes:
        hosts: sorted by name, lost ones included.
        selectors: labels that only the node of a ready host carries, by host name.
        doors: address and port at which the raylet of each ready host listens.
        gone: lost hosts of which Ray itself says that they are dead; others may only be silent.
        names: of ready hosts, by the id of their node.
    """

    hosts: tuple[Host, ...] = ()
    selectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    doors: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    def is_ready(self, name: str) -> bool:
        """Whether a host answers."""
        return name in self.selectors


def fleet_of(nodes: Iterable[Mapping[str, Any]], before: Fleet, now_s: float) -> Fleet:
    """Read the nodes of a cluster.

    A host that was seen once stays known: as LOST when its node is dead or no longer listed, READY again when a
    node of its name joins. Nodes without CPUs and GPUs (the head of a local cluster) take no work and are no hosts.

    Args:
        nodes: as `ray.nodes()` has them, dead ones included.
        before: what was known until now.
        now_s: the world's time, for hosts that just changed.
    """
    nodes = list(nodes)
    known = {host.name: host for host in before.hosts}
    alive = {host_name(node): node for node in nodes if node["Alive"] and _takes_work(node)}
    dead = {host_name(node): node for node in nodes if not node["Alive"] and HOST_LABEL in node["Labels"]}
    hosts = tuple(
        _ready(name, alive[name], known.get(name), now_s)
        if name in alive
        else _lost(name, dead.get(name), known.get(name), now_s)
        for name in sorted({*known, *alive, *dead})
    )
    doors = {name: (node["NodeManagerAddress"], node["NodeManagerPort"]) for name, node in alive.items()}
    names = {node["NodeID"]: name for name, node in alive.items() if "NodeID" in node}
    selectors = {name: _selector(node) for name, node in alive.items()}
    return Fleet(hosts, selectors, doors, frozenset(dead.keys() - alive.keys()), names)


def host_name(node: Mapping[str, Any]) -> str:
    """Return the label `host` of a node, or its address when it has none."""
    return str(node["Labels"].get(HOST_LABEL) or node["NodeManagerAddress"])


def _takes_work(node: Mapping[str, Any]) -> bool:
    return any(node["Resources"].get(name) for name in ("CPU", "GPU"))


def _selector(node: Mapping[str, Any]) -> dict[str, str]:
    key = HOST_LABEL if HOST_LABEL in node["Labels"] else "ray.io/node-id"
    return {key: node["Labels"][key]}


def _ready(name: str, node: Mapping[str, Any], known: Host | None, now_s: float) -> Host:
    labels, resources = node["Labels"], node["Resources"]
    since_s = known.since_s if known and known.state is HostState.READY else now_s
    return Host(
        name,
        cpu_milli=round(resources.get("CPU", 0) * 1000),
        memory_mib=int(resources.get("memory", 0)) // MIB,
        devices=_devices(int(resources.get("GPU", 0)), labels),
        gpu_model=labels.get("gpu-model") or labels.get("ray.io/accelerator-type", ""),
        labels=_own_labels(labels),
        since_s=since_s,
    )


def _lost(name: str, node: Mapping[str, Any] | None, known: Host | None, now_s: float) -> Host:
    if known and known.state is HostState.LOST:
        return known
    words = (node or {}).get("DeathReasonMessage") or "no longer part of the Ray cluster"
    # A host that was dead before we first looked has no size: Ray forgets the resources of the dead.
    host = known or Host(name, cpu_milli=0, memory_mib=0, labels=_own_labels((node or {"Labels": {}})["Labels"]))
    return replace(host, state=HostState.LOST, reason=words, since_s=now_s)


def _devices(count: int, labels: Mapping[str, str]) -> tuple[Device, ...]:
    """Return what Ray counts as GPUs; of partitioned accelerators it counts, and the labels describe, the parts."""
    memory_mib, partitions = int(labels.get("gpu-memory-mib", 0)), int(labels.get("gpu-partitions", 1))
    return tuple(Device(index, memory_mib, partitions) for index in range(count))


def _own_labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in labels.items() if k not in KNOWN_LABELS and not k.startswith(RAY_PREFIX)))
