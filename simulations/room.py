"""What is free on the simulated hosts, counted on its own in plain integers.

The planner counts with `scheduler.model.ledger`; the simulated cluster must not, or a fault there would hide itself.
"""

from collections.abc import Iterable, Sequence

from scheduler.model.errors import ActionFailed
from scheduler.model.hosts import Host, HostState
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Held, Shape, Slot


class HostRoom:
    """Free capacity of one host; amounts are below zero only where other work takes more than is left."""

    def __init__(self, host: Host) -> None:
        """Start empty."""
        self.host = host
        self.cpu_milli = host.cpu_milli
        self.memory_mib = host.memory_mib
        self.gpu_milli = {device.index: WHOLE_DEVICE_MILLI for device in host.devices}

    def missing(self, slot: Slot, shape: Shape) -> str:
        """Return why one unit cannot go into a slot, or "" when it can."""
        if self.host.state is HostState.LOST:
            return f"host {slot.host} is lost"
        if len(set(slot.devices)) != shape.gpu_count or len(slot.devices) != shape.gpu_count:
            return f"{shape.gpu_count} devices asked, slot names {slot.devices} on {slot.host}"
        short = [d for d in slot.devices if self.gpu_milli.get(d, 0) < shape.gpu_milli]
        if short:
            return f"device {short[0]} of {slot.host} has {self.gpu_milli.get(short[0], 0)} of {shape.gpu_milli} free"
        if self.cpu_milli < shape.cpu_milli:
            return f"{slot.host} has {self.cpu_milli} of {shape.cpu_milli} thousandths of a core free"
        if self.memory_mib < shape.memory_mib:
            return f"{slot.host} has {self.memory_mib} of {shape.memory_mib} MiB free"
        return ""

    def add(self, slot: Slot, shape: Shape, sign: int) -> None:
        """Free (`sign` 1) or take (-1) one unit."""
        self.cpu_milli += sign * shape.cpu_milli
        self.memory_mib += sign * shape.memory_mib
        for device in slot.devices:
            self.gpu_milli[device] += sign * shape.gpu_milli


class Room:
    """Free capacity of all hosts."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Start empty; names must differ."""
        self._rooms = {host.name: HostRoom(host) for host in sorted(hosts, key=lambda host: host.name)}

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts as they are now, sorted by name."""
        return tuple(room.host for room in self._rooms.values())

    def host(self, name: str) -> Host:
        """Return one host; KeyError when there is none of that name."""
        return self._rooms[name].host

    def replace(self, host: Host) -> None:
        """Change a host's state; what is taken on it stays taken."""
        self._rooms[host.name].host = host

    def take(self, slots: Iterable[Slot], shape: Shape) -> None:
        """Take one unit for each slot, all or nothing.

        Raises:
            ActionFailed: a slot has no room; nothing was taken.
        """
        taken: list[Slot] = []
        for slot in slots:
            why = self.missing(slot, shape)
            if why:
                self.give(taken, shape)
                raise ActionFailed(why)
            self._rooms[slot.host].add(slot, shape, -1)
            taken.append(slot)

    def occupy(self, before: Iterable[Held], now: Iterable[Held]) -> None:
        """Let other work leave some slots and take others, whether there is room or not."""
        for sign, some in ((1, before), (-1, now)):
            for slot, shape in some:
                self._rooms[slot.host].add(slot, shape, sign)

    def give(self, slots: Iterable[Slot], shape: Shape) -> None:
        """Free one unit for each slot."""
        for slot in slots:
            self._rooms[slot.host].add(slot, shape, 1)

    def missing(self, slot: Slot, shape: Shape) -> str:
        """Return why one unit cannot go into a slot, or "" when it can."""
        room = self._rooms.get(slot.host)
        return f"there is no host {slot.host}" if room is None else room.missing(slot, shape)
