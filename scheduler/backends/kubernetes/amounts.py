"""What pods ask for and nodes have, added up by kube-scheduler's own rules."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple, Self

from scheduler.backends.kubernetes.quantities import MIB, MILLI, at_least, at_most

_COUNTED: Final[Mapping[str, Fraction | int]] = {"cpu": MILLI, "memory": MIB, "ephemeral-storage": MIB}
"""Everything else with a domain in its name is a device or something like it, and counted in whole ones."""


class Amounts(NamedTuple):
    """Room on one host.

    Attributes:
        cpu_milli: thousandths of a core.
        memory_mib: memory in MiB.
        ephemeral_mib: disk of the host, in MiB.
        devices: sorted (resource, count) pairs of extended resources; none with a count of 0.
    """

    cpu_milli: int = 0
    memory_mib: int = 0
    ephemeral_mib: int = 0
    devices: tuple[tuple[str, int], ...] = ()

    @classmethod
    def asked(cls, quantities: Mapping[str, Any]) -> Self:
        """Read a list of requests, rounded up."""
        return cls._of({name: at_least(text, _unit(name)) for name, text in quantities.items()})

    @classmethod
    def there(cls, quantities: Mapping[str, Any]) -> Self:
        """Read what a node has, rounded down."""
        return cls._of({name: at_most(text, _unit(name)) for name, text in quantities.items()})

    @classmethod
    def _of(cls, whole: Mapping[str, int]) -> Self:
        devices = tuple(sorted((name, count) for name, count in whole.items() if "/" in name and count))
        return cls(whole.get("cpu", 0), whole.get("memory", 0), whole.get("ephemeral-storage", 0), devices)

    def plus(self, other: "Amounts") -> "Amounts":
        """Return the sum."""
        return self._with(other, lambda mine, theirs: mine + theirs)

    def minus(self, other: "Amounts") -> "Amounts":
        """Return what is left; below zero where there is less."""
        return self._with(other, lambda mine, theirs: mine - theirs)

    def most(self, other: "Amounts") -> "Amounts":
        """Return the larger of each."""
        return self._with(other, max)

    def device_count(self, resources: Iterable[str]) -> int:
        """Return how many devices of some resources there are."""
        return sum(count for name, count in self.devices if name in resources)

    def _with(self, other: "Amounts", rule: Any) -> "Amounts":
        devices = self.devices
        if devices or other.devices:
            mine, theirs = dict(devices), dict(other.devices)
            both = ((name, rule(mine.get(name, 0), theirs.get(name, 0))) for name in {*mine, *theirs})
            devices = tuple(sorted(pair for pair in both if pair[1]))
        return Amounts(
            rule(self.cpu_milli, other.cpu_milli),
            rule(self.memory_mib, other.memory_mib),
            rule(self.ephemeral_mib, other.ephemeral_mib),
            devices,
        )


NOTHING: Final = Amounts()


def pod_amounts(
    spec: Mapping[str, Any], statuses: Iterable[Mapping[str, Any]] = (), *, refused: bool = False
) -> Amounts:
    """Return what a pod takes of its host.

    Args:
        spec: of the pod, or of a template.
        statuses: of its containers, which say what they have while they are being resized.
        refused: whether the node cannot resize it: what it has counts then, not what it asks for.

    Containers and sidecars run together; an init container runs beside the sidecars that were started before it. What
    is said for the pod as a whole counts in place of the sum, and the overhead of its runtime comes on top.
    """
    has = {status.get("name", ""): _allotted(status) for status in statuses}
    going, peak = NOTHING, NOTHING
    for container in spec.get("initContainers") or ():
        amount = _container(container, has, refused=refused)
        if container.get("restartPolicy") == "Always":
            going = going.plus(amount)
            peak = peak.most(going)
        else:
            peak = peak.most(going.plus(amount))
    for container in spec.get("containers") or ():
        going = going.plus(_container(container, has, refused=refused))
    total = _whole_pod(spec, peak.most(going))
    return total.plus(Amounts.asked(spec["overhead"])) if spec.get("overhead") else total


def _container(container: Mapping[str, Any], has: Mapping[str, Amounts], *, refused: bool) -> Amounts:
    asked = Amounts.asked(requests_of(container.get("resources") or {}))
    allotted = has.get(str(container.get("name")), NOTHING)
    if allotted is NOTHING or allotted == NOTHING:
        return asked
    return allotted if refused else asked.most(allotted)


def _allotted(status: Mapping[str, Any]) -> Amounts:
    allocated = Amounts.asked(status.get("allocatedResources") or {})
    return allocated.most(Amounts.asked((status.get("resources") or {}).get("requests") or {}))


def _whole_pod(spec: Mapping[str, Any], total: Amounts) -> Amounts:
    said = requests_of(spec.get("resources") or {})
    if not said:
        return total
    whole = Amounts.asked(said)
    return total._replace(
        cpu_milli=whole.cpu_milli if "cpu" in said else total.cpu_milli,
        memory_mib=whole.memory_mib if "memory" in said else total.memory_mib,
    )


def requests_of(resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is requested; where only a limit is given, that is the request too."""
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


def _unit(name: str) -> Fraction | int:
    return _COUNTED.get(name, 1)
