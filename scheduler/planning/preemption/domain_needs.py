"""What a gang that must have all its hosts in one rack (or the like) may be given room for: one rack at a time."""

from dataclasses import replace
from typing import Final

import numpy as np

from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need, need_of
from scheduler.planning.placement.topology import per_domain
from scheduler.planning.preemption.candidates import Candidates

MOST_DOMAINS: Final = 3
"""Racks in which victims are looked for."""


def needs_of(gang: Gang, coming: CachedTrial, candidates: Candidates) -> list[Need]:
    """Return what a gang needs, one way or another: one need, or one in each of a few domains that it may not leave.

    Those domains are returned that miss least, at most `MOST_DOMAINS`.
    """
    whole = need_of(gang)
    if not gang.require_same:
        return [whole]
    domains = coming.table.domains(gang.require_same)
    most = per_domain(whole.fitting(candidates.units_if_all_stopped(coming, gang.shape)), domains)
    now = per_domain(whole.fitting(coming.units(gang.shape)), domains)
    can = [int(domain) for domain in np.argsort(-now, kind="stable") if most[domain] >= gang.workers]
    return [replace(whole, limit=np.where(domains == domain, whole.limit, 0)) for domain in can[:MOST_DOMAINS]]
