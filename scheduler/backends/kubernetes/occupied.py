"""Room that other work takes: every bound pod that is not ours, and what ours take beyond what the planner counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts
from scheduler.backends.kubernetes.hosts import Hosts
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.running import Attempt
from scheduler.backends.kubernetes.seats import Seats
from scheduler.model.hosts import Host
from scheduler.model.resources import Held, Shape, Slot


class Place(NamedTuple):
    """What was found of a host, and by what.

    Attributes:
        host: with its devices.
        changes: of its pods, up to then.
        slots: devices booked for pods that nobody placed by index, by uid.
    """

    host: Host
    changes: int
    slots: Mapping[str, Slot]


@dataclass(slots=True)
class Occupied:
    """What others have; what has not changed stays the same object, and hosts where nothing has are not looked at.

    Attributes:
        seats: which devices are whose.
    """

    seats: Seats = field(default_factory=Seats)
    _places: dict[str, Place] = field(default_factory=dict)
    _shown: dict[str, tuple[Place, Held | None]] = field(default_factory=dict)
    _gangs: frozenset[str] = frozenset()
    _mine: frozenset[str] = frozenset()

    def seat(self, hosts: Hosts, all_hosts: Iterable[Host], index: PodIndex, attempts: Iterable[Attempt]) -> None:
        """Book devices for all pods that nobody placed by index."""
        taken = _taken(attempts)
        gangs = {pod.uid for attempt in attempts for pod in attempt.pods}
        now = frozenset(taken).union(pod.node for attempt in attempts for pod in attempt.pods)
        special, self._gangs = now | self._gangs, now
        places, before = {}, self._places
        for host in all_hosts:
            name = host.name
            place, changes = before.get(name), index.changes(name)
            if place is None or name in special or place.changes != changes or place.host is not host:
                pods = [pod for pod in index.on(name) if pod.uid not in gangs]
                place = Place(host, changes, self._seated(host, hosts.device_of(name), pods, taken.get(name, ())))
            places[name] = place
        self._places = places

    def slot(self, pod: Pod) -> Slot:
        """Return where a bound pod is, with the devices that are booked for it."""
        place = self._places.get(pod.node)
        return (place.slots.get(pod.uid) if place else None) or Slot(pod.node)

    def of(self, index: PodIndex, attempts: Iterable[Attempt], ours: Mapping[str, frozenset[str]]) -> tuple[Held, ...]:
        """Return what other work takes, one entry a host.

        Args:
            index: all pods.
            attempts: that are shown as runs or strays.
            ours: uids of the pods that are shown as replicas, by host.
        """
        gangs = {pod.uid for attempt in attempts for pod in attempt.pods}
        beyond, mine = _beyond(attempts), self._gangs.union(ours)
        special, self._mine = mine | self._mine, mine
        shown, before = {}, self._shown
        for name, place in self._places.items():
            found = before.get(name)
            if found is None or found[0] is not place or name in special:
                known = ours.get(name, frozenset())
                others = [pod for pod in index.on(name) if pod.uid not in known and pod.uid not in gangs]
                held = self._held(place.host, others, beyond.get(name, NOTHING))
                is_same = found is not None and found[1] == held
                found = place, (found[1] if found is not None and is_same else held)
            shown[name] = found
        self._shown = shown
        return tuple(held for name in sorted(shown) if (held := shown[name][1]) is not None)

    def _seated(self, host: Host, device: str, pods: Iterable[Pod], taken: Iterable[int]) -> Mapping[str, Slot]:
        wanting = [(pod, count) for pod in pods if (count := pod.requests.device_count([device]))]
        return self.seats.book(host.name, len(host.devices), taken, wanting) if wanting else {}

    def _held(self, host: Host, others: Iterable[Pod], beyond: Amounts) -> Held | None:
        taken, devices = beyond, set[int]()
        for pod in others:
            taken = taken.plus(pod.requests)
            devices.update(self.slot(pod).devices)
        if not (taken.cpu_milli or taken.memory_mib or devices):
            return None
        slot = Slot(host.name, tuple(sorted(devices)))
        return slot, Shape(cpu_milli=taken.cpu_milli, memory_mib=taken.memory_mib, gpu_count=len(devices))


def _taken(attempts: Iterable[Attempt]) -> Mapping[str, list[int]]:
    """Return the devices that gangs have by the plan, by host."""
    taken: dict[str, list[int]] = {}
    for attempt in attempts:
        for slot in attempt.marks.slots:
            taken.setdefault(slot.host, []).extend(slot.devices)
    return taken


def _beyond(attempts: Iterable[Attempt]) -> Mapping[str, Amounts]:
    """Return what pods of gangs take on each host beyond what the planner counts for them there."""
    beyond: dict[str, Amounts] = {}
    for attempt in attempts:
        asking = attempt.seen.asking
        counted = asking.gang.shape if asking else Shape()
        for host in {pod.node for pod in attempt.pods if pod.node}:
            taken = NOTHING
            for pod in attempt.pods:
                taken = taken.plus(pod.requests) if pod.node == host else taken
            slots = sum(slot.host == host for slot in attempt.marks.slots)
            declared = Amounts(counted.cpu_milli * slots, counted.memory_mib * slots)
            more = taken.minus(declared).most(NOTHING)._replace(devices=(), ephemeral_mib=0)
            if more != NOTHING:
                beyond[host] = beyond.get(host, NOTHING).plus(more)
    return beyond
