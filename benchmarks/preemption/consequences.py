"""Whom to stop when all that follows counts: our choice beside every set of jobs, played through to the end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Final

import numpy as np

from benchmarks.preemption.lookahead import Course, sets_of
from benchmarks.preemption.report import OPTIMUM, Result
from benchmarks.preemption.sites import FIRST, NOW_S, Site, sites
from policies import victim_order
from policies.registry import policy_from_names
from scheduler.model.errors import InvariantBroken
from scheduler.model.policy import Policy, VictimCost
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import need_of
from scheduler.planning.preemption.eligibility import Eligibility
from scheduler.planning.preemption.stoppable import Stoppable
from scheduler.planning.preemption.victims import victims_for

OURS: Final = "headroom"
WHATEVER_FOLLOWS: Final[Mapping[str, VictimCost]] = MappingProxyType(
    {"lost-work": victim_order.lost_work, "newest-first": victim_order.newest_first}
)
"""What stopping each job costs by itself, for those who look no further."""


@dataclass(frozen=True, slots=True)
class Question:
    """A site, and every set of jobs whose stop makes room: at least two."""

    site: Site
    sets: tuple[tuple[str, ...], ...]


def policy(victim_cost: str = "lost-work") -> Policy:
    """Return the policy of the sites, by the name of what a victim costs."""
    return policy_from_names(victim_cost=victim_cost)


def questions(count: int, seed: int, decides: Policy) -> Iterator[Question]:
    """Yield so many sites on which there is something to choose."""
    asked = (Question(site, tuple(sets_of(site, decides))) for site in sites(seed))
    return islice((one for one in asked if len(one.sets) > 1), count)


def measure(asked: Iterable[Question], decides: Policy, told: Callable[[int], None]) -> dict[str, Result]:
    """Play every choice through on every site; `told` is called with the number of sites done."""
    rows = [_measured(question, decides, told, done) for done, question in enumerate(asked, start=1)]
    return {name: _result([row[name] for row in rows]) for name in rows[0]}


def _measured(
    question: Question, decides: Policy, told: Callable[[int], None], done: int
) -> dict[str, tuple[float, int]]:
    site = question.site
    row = {OURS: _played(site, decides, None)}
    for name, cost in WHATEVER_FOLLOWS.items():
        row[name] = _played(site, decides, _cheapest(site, replace(decides, victim_cost=cost)))
    every = [_played(site, decides, chosen) for chosen in question.sets]
    told(done)
    return {OPTIMUM: min(*every, *row.values()), **row}


def _played(site: Site, decides: Policy, only: tuple[str, ...] | None) -> tuple[float, int]:
    course = Course(site, decides)
    return course.lost_gpu_s(only), len(course.first_stopped)


def _cheapest(site: Site, decides: Policy) -> tuple[str, ...]:
    snapshot = site.snapshot
    first = snapshot.by_id[FIRST]
    candidates = Eligibility(decides, NOW_S).of(first, Stoppable(snapshot, decides).candidates)
    chosen = victims_for(need_of(first.gang), CachedTrial(snapshot.ledger), candidates)
    if not chosen:
        raise InvariantBroken("a site was asked on which nobody need be stopped, or all are too few")
    return tuple(victim.job.job_id for victim in chosen)


def _result(rows: Iterable[tuple[float, int]]) -> Result:
    lost, victims = zip(*rows, strict=True)
    return Result(np.array(lost), np.array(victims), np.zeros(len(lost)))
