"""Which devices of a host are whose. Indices are bookkeeping: the device plugin chooses the real ones."""

from collections.abc import Iterable, Mapping
from typing import Final

from scheduler.backends.kubernetes.pods import Pod
from scheduler.model.resources import Slot

NOWHERE: Final[frozenset[int]] = frozenset()


class Seats:
    """Devices booked for pods that nobody placed by index; each keeps its own while it is there."""

    def __init__(self) -> None:
        self._booked: dict[str, Mapping[str, Slot]] = {}

    def book(
        self, host: str, devices: int, taken: Iterable[int], wanting: Iterable[tuple[Pod, int]]
    ) -> Mapping[str, Slot]:
        """Return the slots of all pods on one host that want devices, by uid.

        Args:
            host: where they are.
            devices: how many it has.
            taken: indices that gangs have by the plan.
            wanting: pods, with how many devices each has.

        Where there are fewer than are wanted, the last ones share with others: that is what has happened there.
        """
        used, slots = set(taken), dict[str, Slot]()
        booked = self._booked.get(host, {})
        pods = sorted(wanting, key=lambda pair: (pair[0].created_s, pair[0].uid))
        for pod, count in pods:
            before = booked.get(pod.uid)
            is_same = before is not None and len(before.devices) == count
            if before is not None and is_same and not used.intersection(before.devices):
                slots[pod.uid] = before
                used.update(before.devices)
        for pod, count in pods:
            if pod.uid not in slots:
                free = [index for index in reversed(range(devices)) if index not in used]
                crowded = [index for index in range(devices) if index in used]
                slots[pod.uid] = Slot(host, tuple(sorted([*free, *crowded][:count])))
                used.update(slots[pod.uid].devices)
        self._booked[host] = slots
        return slots
