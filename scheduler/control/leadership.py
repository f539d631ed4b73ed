"""Who may act: at most one control plane at a time, with a number that grows from each to the next."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fence:
    """What every order and every write carries, so that those of a former leader can be told and refused.

    Attributes:
        owner: identity of the store, a UUID made with it; who shares it, shares all jobs.
        number: grows with each leader of that store; 0 for one that does not lead.
    """

    owner: str
    number: int


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads, or led last.

    Attributes:
        holder: process and host, for people, for instance "process 4711 on db1".
        address: where its API answers, for instance "http://10.0.0.6:8321".
        since_s: since when, epoch seconds.
        number: its fencing number.
        until_s: end of its lease by the store's clock, epoch seconds; it grows while the leader is alive.
        is_alive: whether its lease still runs, as far as the store can tell.
    """

    holder: str
    address: str
    since_s: float
    number: int
    until_s: float
    is_alive: bool


class Lease(Protocol):
    """The right to act, as long as it can be proved."""

    @property
    def fence(self) -> Fence:
        """What to carry."""

    def prove(self) -> Fence:
        """Return the fence when nobody else can have been let in until now; ask before each order.

        The proof holds by a clock that goes on while the process is stopped.

        Raises:
            Superseded: somebody else leads.
            Unreachable: nobody knows; the store has not answered for too long.
        """


@dataclass(frozen=True, slots=True)
class SoleLease:
    """The lease of one that shares its store with nobody, such as a simulation or a test."""

    fence: Fence

    def prove(self) -> Fence:
        """Return the fence."""
        return self.fence
