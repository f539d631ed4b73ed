"""One control plane before a Ray cluster: what each of its orders carries, and what it is told when it may not act."""

import time
from dataclasses import dataclass, field

from scheduler.backends.ray.claims import Claim, InTheWay
from scheduler.control.jobs.event_text import span
from scheduler.control.leadership import Lease
from scheduler.model.errors import ClusterTaken, Superseded


@dataclass(frozen=True, slots=True)
class Claimant:
    """A control plane that leads its store and wants the cluster to itself.

    Attributes:
        lease: of the store, proved before each order.
        holder: this process, for people.
        address: where its API answers.
        silent_after_s: wall seconds; it is heard more often than that.
        take_over: follow one with another store that is silent.
        since_s: since when it wants the cluster, wall time.
    """

    lease: Lease
    holder: str = "a process"
    address: str = ""
    silent_after_s: float = 120.0
    take_over: bool = False
    since_s: float = field(default_factory=time.time)

    def claim(self) -> Claim:
        """Return what an order carries.

        Raises:
            Superseded: another one leads the store.
            Unreachable: nobody knows who does.
        """
        fence = self.lease.prove()
        return self._claim(fence.number)

    def last_claim(self) -> Claim:
        """Return what the last order carried, whether the lease still holds or not."""
        return self._claim(self.lease.fence.number)

    def _claim(self, number: int) -> Claim:
        owner = self.lease.fence.owner
        return Claim(owner, number, self.holder, self.address, self.since_s, self.silent_after_s)

    def refused(self, by: InTheWay) -> Superseded:
        """Return the error of an order that was refused."""
        other = by.claim
        if other.owner == self.lease.fence.owner:
            said = f"another control plane leads: {other.holder} at {other.address}; this one acts no more"
            return Superseded(said, help=f"ask {other.address}", leader=other.address)
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(other.since_s))
        said = f"this cluster is claimed by {other.holder}, at {other.address}, with another store, since {since}"
        if not by.is_silent:
            return ClusterTaken(said, help="stop that one, or give this one a cluster of its own")
        silent = span(by.silent_s)
        return ClusterTaken(
            f"{said}; it has said nothing for {silent}", help="if it is gone for good: headroom run --take-over"
        )
