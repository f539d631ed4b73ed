"""Which resource is short for a gang, and by how much."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scheduler.model.counting import plural
from scheduler.model.plan import Reason
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.topology import most_together
from scheduler.planning.reasons.wording import asks


@dataclass(frozen=True, slots=True)
class Scarcity:
    """What is short.

    Attributes:
        reason: which resource.
        message: for people.
        asked: devices, cores, MiB or workers, as the message says.
        free: the most of them that can be had now.
        host: where most of them are free; "" when there is no host.
    """

    reason: Reason
    message: str
    asked: int
    free: int
    host: str


class Scarcities:
    """What keeps gangs from fitting into the room usable now; what many ask for is looked at once."""

    def __init__(self, now: CachedTrial) -> None:
        """Look at this room, which changes no more."""
        self._now = now
        self._best: dict[tuple[Reason, Shape], tuple[str, int]] = {}

    def __call__(self, gang: Gang) -> Scarcity:
        """Return what is short for a gang."""
        now = self._now
        reason, part = min(_parts(gang.shape), key=lambda named: _workers_fitting(gang, named[1], now))
        if (reason, part) not in self._best:
            self._best[reason, part] = _best_host(reason, part, now)
        host, free = self._best[reason, part]
        if gang.workers > 1:
            return _of_many(gang, reason, _workers_fitting(gang, gang.shape, now), host)
        share = _largest_share(part, now) if reason is Reason.INSUFFICIENT_DEVICES and not free else ("", "")
        return _of_one(gang, reason, free, share[1] or host, share[0])


def _best_host(reason: Reason, part: Shape, now: CachedTrial) -> tuple[str, int]:
    """Return where most devices, cores or MiB are free, and how many; nowhere when there is no host."""
    if not now.hosts:
        return "", 0
    free = _free_on_hosts(reason, part, now)
    row = int(free.argmax())
    return now.hosts[row].name, int(free[row])


def _parts(shape: Shape) -> list[tuple[Reason, Shape]]:
    """Return the shape reduced to each resource it asks for, constraints kept; all of it where no part is short."""
    keep = partial(replace, shape, cpu_milli=0, memory_mib=0, gpu_count=0, gpu_milli=1000)
    parts = [
        (Reason.INSUFFICIENT_DEVICES, keep(gpu_count=shape.gpu_count, gpu_milli=shape.gpu_milli), shape.gpu_count),
        (Reason.INSUFFICIENT_CPU, keep(cpu_milli=shape.cpu_milli), shape.cpu_milli),
        (Reason.INSUFFICIENT_MEMORY, keep(memory_mib=shape.memory_mib), shape.memory_mib),
    ]
    return [(reason, part) for reason, part, asked in parts if asked] or [(Reason.INSUFFICIENT_CPU, shape)]


def _workers_fitting(gang: Gang, shape: Shape, now: CachedTrial) -> int:
    return most_together(gang, capped(now.units(shape), limit_of(gang), gang.workers), now.table)


def _free_on_hosts(reason: Reason, part: Shape, now: CachedTrial) -> NDArray[np.int64]:
    """Return how many devices, cores or MiB each host that matches has free, int64 (H,)."""
    matches = now.table.matching(part) & now.table.usable[:, None]
    if reason is Reason.INSUFFICIENT_DEVICES:
        free: NDArray[np.int64] = (matches & (now.gpu_milli >= part.gpu_milli)).sum(axis=1)
        return free
    amount = now.cpu_milli // 1000 if reason is Reason.INSUFFICIENT_CPU else now.memory_mib
    return np.where(matches.any(axis=1), np.maximum(amount, 0), 0)


def _largest_share(part: Shape, now: CachedTrial) -> tuple[str, str]:
    """Say how much of a device is free where most of one is, and on which host; nothing where none has any."""
    matches = now.table.matching(part) & now.table.usable[:, None]
    free_milli = np.where(matches, now.gpu_milli, 0)
    if not free_milli.size or free_milli.max() <= 0:
        return "", ""
    row = int(free_milli.max(axis=1).argmax())
    has = f"the best device has {free_milli[row].max() / WHOLE_DEVICE_MILLI:g} GPU free"
    return has, now.hosts[row].name


def _of_one(gang: Gang, reason: Reason, free: int, host: str, largest_share: str) -> Scarcity:
    shape = gang.shape
    asked, what = {
        Reason.INSUFFICIENT_DEVICES: (shape.gpu_count, "free"),
        Reason.INSUFFICIENT_CPU: (-(-shape.cpu_milli // 1000), "CPU free"),
        Reason.INSUFFICIENT_MEMORY: (shape.memory_mib, f"of {shape.memory_mib} MiB free"),
    }[reason]
    has = f"best host has {free} {what}" if free else largest_share or "no host has any free"
    if free >= asked and reason is Reason.INSUFFICIENT_DEVICES:
        has = f"the {plural(free, 'free GPU')} of the best host lack CPU or memory beside them"
    return Scarcity(reason, f"needs {asks(gang)}; {has}", asked, free, host)


def _of_many(gang: Gang, reason: Reason, fitting: int, host: str) -> Scarcity:
    each = gang.shape.gpu_count if reason is Reason.INSUFFICIENT_DEVICES else 1
    where = f" in any one {gang.require_same}" if gang.require_same else ""
    message = f"needs {asks(gang)}; there is room for {fitting}{where} now"
    return Scarcity(reason, message, gang.workers * each, fitting * each, host)
