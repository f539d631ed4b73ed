"""The smallest set of hosts that keeps a site's objectives: a search with one seed, then a race with more.

More hosts of a kind are taken to be never worse: what is refuted with some set is refuted with any part of it. A
bisection with one seed refutes what misses by far. Then the cheapest set that is left is given twice the seeds, again
and again, until it is refuted or has kept the objectives with all of them; all sets see the same chance (common random
numbers).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import sqrt
from typing import Final

import numpy as np
from scipy import stats

from scheduler.config.scenario import Scenario
from scheduler.model.errors import ConfigError
from simulations.objectives import Objective, keeps
from simulations.outcome import Outcome
from simulations.run import Simulation
from simulations.wiring import setup_of

Counts = tuple[int, ...]
"""How many hosts of each kind."""
Play = Callable[[Sequence[tuple[Counts, int]]], Mapping[tuple[Counts, int], Outcome | None]]
"""Plays sets of hosts with seeds; None where a job fits on no such set."""
WIDE: Final = 0.5
"""One seed refutes a set that misses a limit by more than this part of it."""
SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Sized:
    """One set of hosts, with all that was played of it.

    Attributes:
        counts: of each kind.
        cost: of all.
        outcomes: by seed; empty where a job fits on no such set.
        keeps: whether all objectives are kept on average.
        kept_in: how many of the seeds keep all of them.
        is_sure: whether the averages keep them with 95 % confidence, each.
    """

    counts: Counts
    cost: float
    outcomes: tuple[Outcome, ...]
    keeps: bool
    kept_in: int
    is_sure: bool


@dataclass
class Search:
    """A search for the cheapest set.

    Attributes:
        costs: of one host of each kind.
        most: hosts of each kind at most.
        objectives: to be kept.
        seeds: with which the set that is chosen must keep them.
        play: see `Play`.
        first_seed: others count on from it.
        runs: how many were played.
    """

    costs: Sequence[float]
    most: Counts
    objectives: Sequence[Objective]
    seeds: int
    play: Play
    first_seed: int = 1
    runs: int = 0
    _found: dict[Counts, dict[int, Outcome | None]] = field(default_factory=dict)

    def run(self) -> list[Sized]:
        """Return all sets that were looked at, the cheapest first."""
        every = (counts for counts in product(*(range(most + 1) for most in self.most)) if any(counts))
        left = sorted(every, key=lambda counts: (self.cost(counts), counts))
        self._bisect(left)
        left = self._not_refuted(left)
        while left and len(self._found.get(left[0], {})) < self.seeds:
            seen = len(self._found.get(left[0], {}))
            self._play(left[0], min(max(1, 2 * seen), self.seeds))
            left = self._not_refuted(left)
        return sorted((self.sized(counts) for counts in self._found), key=lambda one: (one.cost, one.counts))

    def sized(self, counts: Counts) -> Sized:
        """Return a set with all that was played of it."""
        seen = list(self._found[counts].values())
        outcomes = tuple(outcome for outcome in seen if outcome is not None)
        if len(outcomes) < len(seen):
            return Sized(counts, self.cost(counts), (), keeps=False, kept_in=0, is_sure=True)
        kept_in = sum(keeps(self.objectives, [outcome]) for outcome in outcomes)
        told = keeps(self.objectives, outcomes)
        sure = all(_is_sure([one.excess(one.value(outcome)) for outcome in outcomes]) for one in self.objectives)
        return Sized(counts, self.cost(counts), outcomes, told, kept_in, told and sure)

    def cost(self, counts: Counts) -> float:
        """Return what a set costs."""
        return sum(cost * count for cost, count in zip(self.costs, counts, strict=True))

    def _bisect(self, left: Sequence[Counts]) -> None:
        """Play sets with one seed, each time the middle one of those of which nothing is known yet."""
        open_ = list(left)
        while open_:
            counts = open_[len(open_) // 2]
            self._play(counts, 1)
            if self._is_refuted(counts):
                open_ = [one for one in open_ if not _covers(counts, one)]
            else:
                open_ = [one for one in open_ if not _covers(one, counts)]

    def _not_refuted(self, left: Sequence[Counts]) -> list[Counts]:
        """Return the sets that may keep the objectives: neither they nor any with more hosts are refuted."""
        refuted = [counts for counts in self._found if self._is_refuted(counts)]
        return [one for one in left if not any(_covers(counts, one) for counts in refuted)]

    def _is_refuted(self, counts: Counts) -> bool:
        """Whether a set fails: by far with one seed, with 95 % confidence with some, on average with all."""
        sized = self.sized(counts)
        if sized.keeps:
            return False
        seen = [[one.excess(one.value(outcome)) for outcome in sized.outcomes] for one in self.objectives]
        if not sized.outcomes or len(sized.outcomes) >= self.seeds:
            return True
        if len(sized.outcomes) == 1:
            return any(each[0] > WIDE * abs(one.limit) for each, one in zip(seen, self.objectives, strict=True))
        return any(_is_sure([-value for value in each]) and np.mean(each) > 0 for each in seen)

    def _play(self, counts: Counts, number: int) -> None:
        """Play a set with so many seeds, as far as it has not been."""
        there = self._found.setdefault(counts, {})
        seeds = range(self.first_seed, self.first_seed + number)
        tasks = [(counts, seed) for seed in seeds if seed not in there]
        there |= {seed: outcome for (_, seed), outcome in self.play(tasks).items()}
        self.runs += len(tasks)


def frontier(sized: Sequence[Sized]) -> Iterator[Sized]:
    """Yield the sets that keep the objectives and of which no part does, cheapest first."""
    good = [one for one in sized if one.keeps]
    yield from (one for one in good if not any(_covers(one.counts, other.counts) for other in good if other is not one))


def with_counts(scenario: Scenario, kinds: Sequence[str], counts: Counts) -> Scenario:
    """Return a scenario with so many hosts of some kinds, by the names of their groups."""
    wanted = dict(zip(kinds, counts, strict=True))
    hosts = (group.model_copy(update={"count": wanted.get(group.name, group.count)}) for group in scenario.hosts)
    return scenario.model_copy(update={"hosts": tuple(group for group in hosts if group.count)})


def play_one(asked: tuple[Scenario, int]) -> Outcome | None:
    """Play a scenario with a seed; None where there is no host, or a job fits on no set of them.

    Raises:
        ConfigError: its files cannot be read.
    """
    scenario, seed = asked
    if not scenario.hosts:
        return None
    try:
        setup = setup_of(scenario, seed=seed)
    except ConfigError as error:
        if all(fault.code == "ImpossibleGang" for fault in error.faults):
            return None
        raise
    return Simulation(setup).run()


def _covers(larger: Counts, smaller: Counts) -> bool:
    return all(a >= b for a, b in zip(larger, smaller, strict=True))


def _is_sure(excess: Sequence[float]) -> bool:
    """Whether the mean of some numbers is not above 0, with 95 % confidence (one-sided t); of one seed nobody is."""
    values = np.array(excess)
    if len(values) < 2:  # noqa: PLR2004  # a spread takes two
        return False
    error = values.std(ddof=1) / sqrt(len(values))
    return bool(values.mean() + stats.t.ppf(SURE, len(values) - 1) * error <= 0)
