"""Nodes as hosts: what they have, the labels that somebody asks about, and how they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from scheduler.backends.kubernetes.asking import DEVICE
from scheduler.backends.kubernetes.devices import Accelerators, accelerators_of
from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.rules import Rule, labels_of
from scheduler.model.hosts import Host, HostState

PATIENCE_S: Final = 300.0
"""Seconds for which a node may be silent, or not ready, before what runs there is given up for gone."""
WHY: Final = "headroom/reason"
"""Annotation of a node: why it was cordoned, for people."""
_TOPOLOGY: Final = frozenset({"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})


class Hosts:
    """The hosts of a cluster; those that have not changed stay the same objects.

    Args:
        devices: names of the resources that are devices.
        asked: keys of further labels that are shown, because models ask for them.
    """

    def __init__(self, devices: Sequence[str], asked: Iterable[str] = ()) -> None:
        self._devices = tuple(devices)
        self._asked = frozenset(asked)
        self._rules: tuple[Rule, ...] = ()
        self._made: dict[str, tuple[Node, Host, Accelerators]] = {}
        self._shown: dict[str, Host] = {}
        self._all: tuple[Host, ...] = ()

    def of(self, nodes: Mapping[str, Node], rules: Iterable[Rule], now_s: float) -> tuple[Host, ...]:
        """Return all hosts by name.

        Args:
            nodes: all there are.
            rules: that somebody asks about.
            now_s: epoch seconds.
        """
        asked = tuple(sorted(set(rules), key=lambda rule: (rule.label, rule.source)))
        if asked != self._rules:
            self._rules, self._made = asked, {}
        self._made = {name: self._of(name, node) for name, node in nodes.items()}
        self._shown = {name: self._in_state(node, host, now_s) for name, (node, host, _) in self._made.items()}
        now = tuple(self._shown[name] for name in sorted(self._shown))
        if len(now) != len(self._all) or any(a is not b for a, b in zip(now, self._all, strict=True)):
            self._all = now
        return self._all

    def device_of(self, host: str) -> str:
        """Return the resource as which the devices of a host are asked for; "" for none."""
        return self._made[host][2].resource if host in self._made else ""

    def faults(self) -> tuple[str, ...]:
        """Return sentences about devices that are not planned."""
        return tuple(
            f"{name} has devices of several kinds; {has.resource} are planned, {', '.join(has.left_out)} are not"
            for name, (_, _, has) in sorted(self._made.items())
            if has.left_out
        )

    def _of(self, name: str, node: Node) -> tuple[Node, Host, Accelerators]:
        made = self._made.get(name)
        if made is not None and made[0] is node:
            return made
        has = accelerators_of(node, self._devices)
        host = Host(
            name=name,
            cpu_milli=node.allocatable.cpu_milli,
            memory_mib=node.allocatable.memory_mib,
            devices=has.devices,
            gpu_model=has.model if has.devices else "",
            labels=self._labels(node, has),
        )
        return node, made[1] if made is not None and made[1] == host else host, has

    def _labels(self, node: Node, has: Accelerators) -> tuple[tuple[str, str], ...]:
        shown = {(key, value) for key, value in node.labels.items() if self._is_shown(key)}
        device = {(DEVICE, has.resource)} if has.resource else set()
        return tuple(sorted(shown | device | set(labels_of(node, self._rules))))

    def _is_shown(self, key: str) -> bool:
        """Whether a label is somebody's own, or one that somebody asks for, rather than one of dozens by machines."""
        return "/" not in key or key in _TOPOLOGY or key in self._asked

    def _in_state(self, node: Node, host: Host, now_s: float) -> Host:
        state, reason = state_of(node, now_s)
        if state is HostState.READY:
            return host
        before = self._shown.get(host.name)
        since_s = node.ready_since_s if not node.is_ready else now_s
        if before is not None and before.state is not HostState.READY and node.is_ready:
            since_s = before.since_s
        now = replace(host, state=state, reason=reason, since_s=since_s)
        return before if before == now and before is not None else now


def state_of(node: Node, now_s: float) -> tuple[HostState, str]:
    """Return what may be done with a node, and why not more."""
    if not node.is_ready:
        silent_s = now_s - node.ready_since_s
        state = HostState.LOST if silent_s >= PATIENCE_S else HostState.CORDONED
        return state, f"not ready: {node.why}"
    if node.is_unschedulable:
        return HostState.CORDONED, node.annotations.get(WHY) or "cordoned on the cluster itself"
    if node.trouble:
        return HostState.CORDONED, f"tainted by Kubernetes: {node.trouble}"
    return HostState.READY, ""
