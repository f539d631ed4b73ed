"""Room that other work takes: every bound pod that is not ours, and what ours take beyond what the planner counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts
from scheduler.backends.kubernetes.hosts import Hosts
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.running import Attempt
from scheduler.backends.kubernetes.seats import Seats
from scheduler.model.hosts import Host
from scheduler.model.resources import Held, Shape, Slot


@dataclass(slots=True)
class Occupied:
    """What others have; what has not changed stays the same object.

    Attributes:
        seats: which devices are whose.
    """

    seats: Seats = field(default_factory=Seats)
    _slots: dict[str, Slot] = field(default_factory=dict)
    _shown: dict[str, Held] = field(default_factory=dict)

    def seat(self, hosts: Hosts, all_hosts: Iterable[Host], index: PodIndex, attempts: Iterable[Attempt]) -> None:
        """Book devices for all pods that nobody placed by index."""
        taken = _taken(attempts)
        gangs = {pod.uid for attempt in attempts for pod in attempt.pods}
        self._slots = {}
        for host in all_hosts:
            device = hosts.device_of(host.name)
            wanting = [
                (pod, pod.requests.device_count([device])) for pod in index.on(host.name) if pod.uid not in gangs
            ]
            booked = [(pod, count) for pod, count in wanting if count]
            self._slots |= {pod.uid: Slot(host.name) for pod, count in wanting if not count}
            if booked:
                self._slots |= self.seats.book(host.name, len(host.devices), taken.get(host.name, ()), booked)
        self.seats.forget_others(self._slots)

    def slot(self, pod: Pod) -> Slot:
        """Return where a bound pod is, with the devices that are booked for it."""
        return self._slots.get(pod.uid, Slot(pod.node))

    def of(
        self, all_hosts: Iterable[Host], index: PodIndex, attempts: Iterable[Attempt], ours: frozenset[str]
    ) -> tuple[Held, ...]:
        """Return what other work takes, one entry a host.

        Args:
            all_hosts: with their devices.
            index: all pods.
            attempts: that are shown as runs or strays.
            ours: uids of the pods that are shown as replicas.
        """
        gangs = {pod.uid for attempt in attempts for pod in attempt.pods}
        beyond = _beyond(attempts)
        shown = {}
        for host in all_hosts:
            others = [pod for pod in index.on(host.name) if pod.uid not in ours and pod.uid not in gangs]
            held = self._held(host, others, beyond.get(host.name, NOTHING))
            if held is not None:
                before = self._shown.get(host.name)
                shown[host.name] = before if before == held and before is not None else held
        self._shown = shown
        return tuple(sorted(shown.values(), key=lambda held: held[0]))

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
