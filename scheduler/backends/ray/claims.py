"""Who has a Ray cluster to itself: a claim in Ray's own keys, taken and renewed by one control plane at a time.

    claim:000000000007   {"owner": …, "number": …, "holder": …, …}      the highest number is the claim that counts
    beat                 "1764500000.0"                                 wall time at which its holder was last heard

A key is written once, so of two that claim at once one wins. An order by anybody but the holder is refused.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol, Self

CLAIM: Final = "claim:"
BEAT: Final = "beat"


class Keys(Protocol):
    """A store of keys that all of a cluster see."""

    def get(self, key: str) -> str | None:
        """Return a value, or None."""

    def put(self, key: str, value: str, *, overwrite: bool) -> bool:
        """Set a value; return whether it was set, which it is not when it is there and may not be overwritten."""

    def names(self, prefix: str) -> list[str]:
        """Return the keys that begin so."""

    def delete(self, key: str) -> None:
        """Remove a key."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a control plane says of itself.

    Attributes:
        owner: identity of its store.
        number: its fencing number there.
        holder: process and host, for people.
        address: where its API answers.
        since_s: since when it has the cluster, wall time.
        silent_after_s: it is heard more often than that, or it is silent.
        released: it has ended in good order.
    """

    owner: str
    number: int
    holder: str
    address: str
    since_s: float
    silent_after_s: float
    released: bool = False

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a claim back."""
        return cls(**json.loads(text))

    def as_text(self) -> str:
        """Return a form that survives Ray."""
        return json.dumps(asdict(self))

    def is_by(self, other: "Claim") -> bool:
        """Whether both are of the same leader."""
        return (self.owner, self.number) == (other.owner, other.number)


@dataclass(frozen=True, slots=True)
class InTheWay:
    """The claim of another one, and for how many seconds nothing was heard of it."""

    claim: Claim
    silent_s: float

    @property
    def is_silent(self) -> bool:
        """Whether it may be taken over, when somebody says so."""
        return self.silent_s > self.claim.silent_after_s


def hold(keys: Keys, mine: Claim, *, take_over: bool = False) -> InTheWay | None:
    """Claim the cluster, or renew the claim; return who is in the way, or None when the cluster is ours.

    A later leader of the same store follows at once, anybody where the last holder has ended in good order.

    Args:
        keys: of the cluster.
        mine: what to say.
        take_over: also follow a holder of another store that is silent.
    """
    while True:
        term, found = _latest(keys)
        if found is not None and found.claim.is_by(mine):
            keys.put(BEAT, str(time.time()), overwrite=True)
            return None
        if found is not None and not _may_follow(found, mine, take_over=take_over):
            return found
        if keys.put(f"{CLAIM}{term + 1:012d}", mine.as_text(), overwrite=False):
            keys.put(BEAT, str(time.time()), overwrite=True)
            for name in keys.names(CLAIM):
                if _term(name) <= term:
                    keys.delete(name)


def in_the_way(keys: Keys, mine: Claim) -> InTheWay | None:
    """Return whose the cluster is, or None when it is ours."""
    _, found = _latest(keys)
    return None if found is not None and found.claim.is_by(mine) else found or InTheWay(mine, 0.0)


def let_go(keys: Keys, mine: Claim) -> None:
    """Say that anybody may follow; nothing happens when the cluster is not ours."""
    term, found = _latest(keys)
    if found is not None and found.claim.is_by(mine):
        released = replace(found.claim, released=True)
        keys.put(f"{CLAIM}{term:012d}", released.as_text(), overwrite=True)


def _latest(keys: Keys) -> tuple[int, InTheWay | None]:
    for name in sorted(keys.names(CLAIM), reverse=True):
        text = keys.get(name)
        if text is not None:
            heard = keys.get(BEAT)
            silent_s = time.time() - float(heard) if heard else 0.0
            return _term(name), InTheWay(Claim.of(text), silent_s)
    return 0, None


def _term(name: str) -> int:
    return int(name.removeprefix(CLAIM))


def _may_follow(found: InTheWay, mine: Claim, *, take_over: bool) -> bool:
    if found.claim.owner == mine.owner:
        return mine.number > found.claim.number
    return found.claim.released or (take_over and found.is_silent)
