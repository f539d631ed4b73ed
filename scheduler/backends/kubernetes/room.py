"""Whether pods fit on hosts: what is there, without what is taken or promised, by kube-scheduler's own rules."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts
from scheduler.backends.kubernetes.asking import Aside, Asking
from scheduler.backends.kubernetes.hosts import state_of
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.pairing import role_of
from scheduler.backends.kubernetes.rules import Rule
from scheduler.backends.kubernetes.running import Attempt
from scheduler.model.counting import plural
from scheduler.model.hosts import HostState
from scheduler.model.resources import Slot


@dataclass(frozen=True, slots=True)
class Load:
    """Pods on one host, and what they take together."""

    amounts: Amounts = NOTHING
    pods: int = 0

    def plus(self, amounts: Amounts, pods: int = 1) -> "Load":
        """Return it with more."""
        return Load(self.amounts.plus(amounts), self.pods + pods)


def load_of(asking: Asking, slots: Iterable[Slot]) -> dict[str, Load]:
    """Return what a gang takes on each host: what comes beside the workers goes with the first of them."""
    slots, loads = tuple(slots), dict[str, Load]()
    for slot in slots:
        loads[slot.host] = loads.get(slot.host, Load()).plus(asking.worker)
    first = slots[0].host
    if asking.beside != NOTHING:
        loads[first] = loads[first].plus(asking.beside)
    return loads


class Unplaceable(Exception):  # a finding, not a failure
    """There is no host for what comes with a gang."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is free, as the caches have it.

    Attributes:
        nodes: all there are.
        index: all pods.
        attempts: that hold room.
        now_s: epoch seconds.
    """

    nodes: Mapping[str, Node]
    index: PodIndex
    attempts: tuple[Attempt, ...]
    now_s: float

    def missing(self, asking: Asking, slots: Iterable[Slot], but: str = "") -> str:
        """Return why a gang cannot be where it is wanted, or "".

        Args:
            asking: what it needs.
            slots: one per worker.
            but: uid of its own object, whose pods and promises are not counted.
        """
        loads = load_of(asking, slots)
        for host, load in sorted(loads.items()):
            why = self._missing_on(host, load, asking.rules, but)
            if why:
                return why
        try:
            self.places(asking, slots, but)
        except Unplaceable as finding:
            return str(finding)
        return ""

    def places(self, asking: Asking, slots: Iterable[Slot], but: str = "") -> dict[str, str]:
        """Return a host for each role of what goes by rules of its own; the arguments are those of `missing`.

        Raises:
            Unplaceable: there is none for one of them.
        """
        loads, places = load_of(asking, slots), dict[str, str]()
        for aside in asking.asides:
            found = next(self._hosts_for(aside, loads, but), None)
            if found is None:
                wanted = f"{aside.amounts.cpu_milli / 1000:g} cores and {aside.amounts.memory_mib} MiB"
                raise Unplaceable(f"no host that suits its {aside.role} has room for {wanted}")
            places[aside.role] = found
            loads[found] = loads.get(found, Load()).plus(aside.amounts)
        return places

    def _hosts_for(self, aside: Aside, loads: Mapping[str, Load], but: str) -> Iterator[str]:
        """Yield hosts for a pod, those first that have no devices to spare for it."""
        for host in sorted(self.nodes, key=lambda name: (bool(self.nodes[name].allocatable.devices), name)):
            load = loads.get(host, Load()).plus(aside.amounts)
            if not self._missing_on(host, load, aside.rules, but):
                yield host

    def _missing_on(self, host: str, load: Load, rules: Iterable[Rule], but: str) -> str:
        node = self.nodes.get(host)
        if node is None:
            return f"there is no host {host}"
        state, reason = state_of(node, self.now_s)
        if state is not HostState.READY:
            return f"host {host} takes no new work: {reason}"
        for rule in rules:
            if not rule.holds(node):
                return f"host {host} does not suit: {rule.key}={rule.value} is asked for"
        left = node.allocatable.minus(self._taken(host, but)).minus(load.amounts)
        if node.pods - load.pods < sum(1 for _ in self.index.on(host)) + self._promised(host, but).pods:
            return f"host {host} has no room for {plural(load.pods, 'more pod')}: it may have {node.pods}"
        return _shortage(host, left, load.amounts)

    def _taken(self, host: str, but: str) -> Amounts:
        taken = self._promised(host, but).amounts
        own = {pod.key for attempt in self.attempts if attempt.seen.uid == but for pod in attempt.pods}
        for pod in self.index.on(host):
            taken = taken if pod.key in own else taken.plus(pod.requests)
        return taken

    def _promised(self, host: str, but: str) -> Load:
        """Return what gangs have by the plan on a host, and their pods do not take there yet."""
        promised = Load()
        for attempt in self.attempts:
            asking = attempt.seen.asking
            if asking is None or attempt.seen.uid == but or not attempt.is_promised:
                continue
            whole = load_of(asking, attempt.marks.slots).get(host)
            if whole is not None:
                elsewhere = {aside.role for aside in asking.asides}
                there = [pod for pod in attempt.pods if pod.node == host and role_of(pod) not in elsewhere]
                taken = NOTHING
                for pod in there:
                    taken = taken.plus(pod.requests)
                left = whole.amounts.minus(taken).most(NOTHING)
                promised = promised.plus(left, max(0, whole.pods - len(there)))
        return promised


def _shortage(host: str, left: Amounts, wanted: Amounts) -> str:
    """Return what a host lacks, with the numbers; "" when nothing."""
    short = [
        (f"{wanted.cpu_milli / 1000:g} cores", left.cpu_milli + wanted.cpu_milli, wanted.cpu_milli, 1000.0),
        (f"{wanted.memory_mib} MiB of memory", left.memory_mib + wanted.memory_mib, wanted.memory_mib, 1.0),
        (f"{wanted.ephemeral_mib} MiB of disk", left.ephemeral_mib + wanted.ephemeral_mib, wanted.ephemeral_mib, 1.0),
    ]
    have = Counter(dict(left.devices))
    have.update(dict(wanted.devices))
    short += [(f"{count} {name}", have[name], count, 1.0) for name, count in wanted.devices]
    for text, free, asked, unit in short:
        if asked > max(free, 0) and asked:
            return f"host {host} has no room for {text}: {max(free, 0) / unit:g} free"
    return ""
