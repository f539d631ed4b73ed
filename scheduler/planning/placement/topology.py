"""Hosts near each other, by a label that they share: racks, switches, or what a site calls them."""

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.workloads import Gang


def near(gang: Gang, units: NDArray[np.int64], table: HostTable) -> NDArray[np.int64]:
    """Return how many workers each host takes, int64 (H,), where the gang's wish for hosts near each other is met.

    With `require_same`, only the hosts of one domain (say, a rack) count, and none at all where no domain has room for
    the gang; with `prefer_same`, those of as few domains as possible. Of several domains that do, the one with the
    least room is taken, so that others stay whole: for an elastic gang, of those that take its most workers, as it
    grows only there; where none does, the one that takes most of them.

    Args:
        gang: what is to be placed.
        units: int64 (H,), how many workers each host takes, whatever is near it.
        table: the hosts.
    """
    if gang.require_same:
        domains = table.domains(gang.require_same)
        units = _within(units, domains, _together(gang, units, domains), most=1)
    if gang.prefer_same:
        domains = table.domains(gang.prefer_same)
        units = _within(units, domains, _together(gang, units, domains), most=gang.workers)
    return units


def _together(gang: Gang, units: NDArray[np.int64], domains: NDArray[np.int64]) -> int:
    """Return for how many workers one domain is looked for: of an elastic gang as many as any takes."""
    if not gang.is_elastic:
        return gang.workers
    return max(gang.workers, min(gang.most, int(per_domain(units, domains).max(initial=0))))


def most_together(gang: Gang, units: NDArray[np.int64], table: HostTable) -> int:
    """Return how many workers fit at once when each host takes `units`, int64 (H,); in one domain if that is a must."""
    if not gang.require_same:
        return int(units.sum())
    return int(per_domain(units, table.domains(gang.require_same)).max(initial=0))


def per_domain(units: NDArray[np.int64], domains: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of `units`, int64 (H,), over the hosts of each domain."""
    return np.bincount(domains, units, 1).astype(np.int64)


def _within(units: NDArray[np.int64], domains: NDArray[np.int64], count: int, *, most: int) -> NDArray[np.int64]:
    """Return the units of the fewest domains that take `count`; none when more than `most` domains are needed."""
    room, chosen, missing = per_domain(units, domains), list[int](), count
    while missing > 0 and len(chosen) < most and room.max(initial=0) > 0:
        enough = room >= missing
        best = np.where(enough, room, room.max() + 1).argmin() if enough.any() else room.argmax()
        chosen.append(int(best))
        missing -= int(room[best])
        room[best] = 0
    return np.where(np.isin(domains, chosen), units, 0) if missing <= 0 else np.zeros_like(units)
