"""Whether a new revision does worse than the old one on the same requests: a test that may be looked at all the time.

Of each turn it is counted how many requests the two revisions answered, and how many of these badly. Such a block
multiplies a bet against "the new one is no worse":

    e = (pa/p0)^xa ((1-pa)/(1-p0))^(na-xa) (pb/p0)^xb ((1-pb)/(1-p0))^(nb-xb),   p0 = (na pa + nb pb) / (na + nb)

with xa bad ones of na by the old revision, xb of nb by the new one, and pa < pb chosen before the block is seen. While
the new one is no worse, the expectation of e is at most 1 whatever the two shares are, also where they change from
block to block. For with u = na (p0-pa) / (p0 (1-p0)) = nb (pb-p0) / (p0 (1-p0)) and old and new shares p0+x and at most
p0+x, it is at most (1 - u x/na)^na (1 + u x/nb)^nb <= exp(-u x) exp(u x) = 1. So by Ville's inequality the product of
all blocks ever reaches 1/a with a probability of at most a, whenever one looks. It is assumed that requests of a block
fare independently of each other.

Source: R. Turner, A. Ly, P. Grünwald, Generic E-variables for exact sequential k-sample tests that allow for optional
stopping, Journal of Statistical Planning and Inference 230 (2024), on two Bernoulli streams in blocks. How much worse
it is nobody knows beforehand, so the mean of several bets is taken, which is such a product again.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Final

WORSE_BY: Final = (0.01, 0.03, 0.1, 0.3, 0.9)
"""Shares of bad requests, beyond the old revision's, that are bet on: from one in a hundred to nearly all."""
PRIOR: Final = (0.05, 5.0)
"""Bad requests, and all, that the old revision's share begins with: one in a hundred until its own are known."""
LEAST, MOST = 1e-4, 0.99
"""Bounds of the shares bet on, so that one request never decides alone."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests, and how many of them were bad."""

    requests: int = 0
    bad: int = 0

    def plus(self, other: "Counted") -> "Counted":
        """Return the sum."""
        return Counted(self.requests + other.requests, self.bad + other.bad)

    @property
    def share(self) -> float:
        """The share of bad ones; 0 of none."""
        return self.bad / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of two revisions up to now.

    Attributes:
        old, new: their requests.
        bets: logarithms of the product of blocks, for each of `WORSE_BY`.
    """

    old: Counted = Counted()
    new: Counted = Counted()
    bets: tuple[float, ...] = (0.0,) * len(WORSE_BY)

    @property
    def against(self) -> float:
        """How many times the evidence outweighs "the new one is no worse"; at 1/a that may be given up."""
        return sum(exp(min(bet, 700.0)) for bet in self.bets) / len(self.bets)

    def after(self, old: Counted, new: Counted) -> "Evidence":
        """Return it with one more block; requests of one revision alone say nothing."""
        bets = self.bets
        if old.requests and new.requests:
            before = (self.old.bad + PRIOR[0]) / (self.old.requests + PRIOR[1])
            bets = tuple(bet + _log_e(old, new, before, by) for bet, by in zip(bets, WORSE_BY, strict=True))
        return Evidence(self.old.plus(old), self.new.plus(new), bets)


NOTHING_SEEN: Final = Evidence()


def is_worse(evidence: Evidence, false_alarms: float) -> bool:
    """Whether the new revision is worse; of revisions that are not, at most this share is ever called so."""
    return evidence.against >= 1 / false_alarms


def _log_e(old: Counted, new: Counted, share: float, by: float) -> float:
    pa = min(max(share, LEAST), MOST - LEAST)
    pb = min(pa + by, MOST)
    p0 = (old.requests * pa + new.requests * pb) / (old.requests + new.requests)
    return _log_bet(old, pa, p0) + _log_bet(new, pb, p0)


def _log_bet(seen: Counted, p: float, p0: float) -> float:
    return seen.bad * log(p / p0) + (seen.requests - seen.bad) * log((1 - p) / (1 - p0))
