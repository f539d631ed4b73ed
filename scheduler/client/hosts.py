"""Hosts: taking them out of service and back, and what others run on them."""

from scheduler.client.requests import Requests, part
from scheduler.wire.base import Listing, Single
from scheduler.wire.hosts import DrainAnswer, DrainOrder, Host, Stray, StraysOrder
from scheduler.wire.jobs import HoldOrder


class HostRequests(Requests):
    """What the client does with hosts and strays."""

    def hosts(self) -> Listing[Host]:
        """Return all hosts with what runs on them, by name."""
        return self.get("/hosts", Listing[Host])

    def strays(self) -> Listing[Stray]:
        """Return what others run on the cluster, by name."""
        return self.get("/strays", Listing[Stray])

    def adopt(self, *names: str) -> tuple[Stray, ...]:
        """Take strays over; without names all that can be. Returns those.

        Raises:
            NotFound: there is no such stray.
            Conflict: one cannot be adopted.
        """
        return self.send("POST", "/strays/adopt", Listing[Stray], StraysOrder(names=names)).items

    def evict_strays(self, *names: str) -> tuple[Stray, ...]:
        """End strays; without names all of them. Returns those.

        Raises:
            NotFound: there is no such stray.
        """
        return self.send("POST", "/strays/evict", Listing[Stray], StraysOrder(names=names)).items

    def cordon(self, host: str, reason: str = "") -> Host:
        """Let a host keep its work and take no more.

        Raises:
            NotFound: there is none.
        """
        return self.send("POST", f"/hosts/{part(host)}/cordon", Single[Host], HoldOrder(reason=reason)).item

    def uncordon(self, host: str) -> Host:
        """Let a host take work again.

        Raises:
            NotFound: there is none.
        """
        return self.send("POST", f"/hosts/{part(host)}/uncordon", Single[Host]).item

    def drain(self, host: str, order: DrainOrder | None = None) -> DrainAnswer:
        """Empty a host, or say what that would do.

        Raises:
            NotFound: there is none.
            Conflict: no plan was made yet, so nobody can say what it would do.
        """
        return self.send("POST", f"/hosts/{part(host)}/drain", Single[DrainAnswer], order or DrainOrder()).item
