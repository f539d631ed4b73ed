"""The heart: one pure function that decides what runs where."""

from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter

from scheduler.model.demand import Demand
from scheduler.model.plan import Action, PeakHold, Plan, PreemptJob, Proposal, StartJob
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.planning.bookings import Bookings
from scheduler.planning.consolidation import consolidate, with_proposals
from scheduler.planning.draft import Draft
from scheduler.planning.ebbing import ebbs
from scheduler.planning.ending import end_jobs
from scheduler.planning.explainer import Explainer
from scheduler.planning.growing import grow
from scheduler.planning.headroom import hold_headroom
from scheduler.planning.reasons import explain
from scheduler.planning.serving import Served, keep_serving
from scheduler.planning.shrinking import keep_off_draining, keep_remainders, with_sizes
from scheduler.planning.sparing import spare_unnecessary
from scheduler.planning.training import place_training


def plan(snapshot: Snapshot, demand: Demand, policy: Policy) -> Plan:
    """Decide; do nothing. Equal arguments give equal plans; every prefix of `actions` is safe to apply.

    Safe means: a start uses only room that is free in the snapshot, whatever else of the plan is carried out, because
    room being freed is promised but never used. Least disruptive first: free room, then room that is being freed
    already, then room of training that is stopped for it.

    Args:
        snapshot: the world at one moment.
        demand: replicas per model, most important first; replicas of a model without a demand are left alone.
        policy: the site's choices.

    Returns:
        Stops and preemptions first, then starts; the promises now in force; what is held for peaks and booked for
        later; and why everything else waits.
    """
    decided = decide(snapshot, demand, policy)
    draft, served, starts = decided.draft, decided.served, decided.starts
    reasons = with_proposals(explain(Explainer(draft, decided.held, served, starts)), decided.proposals)
    told = with_sizes((*decided.ended, *draft.preemptions.values()), draft)
    stops: tuple[Action, ...] = (*told, *served.stops)
    actions = (*stops, *served.starts, *starts)
    return Plan(
        snapshot.version,
        actions,
        reservations=draft.promises.in_force(),
        unplaced=reasons,
        proposals=decided.proposals,
        holds=decided.held,
        bookings=tuple(sorted((start.booking for start in draft.bookings), key=attrgetter("start_s"))),
    )


@dataclass(frozen=True, eq=False)
class Decided:
    """What a plan is made of.

    Attributes:
        draft: who is stopped, promised and booked what.
        ended: stops whatever the room.
        served: what serving starts and stops.
        held: room held for peaks.
        starts: jobs that start.
        proposals: moves that would make room.
    """

    draft: Draft
    ended: tuple[PreemptJob, ...]
    served: Served
    held: tuple[PeakHold, ...]
    starts: tuple[StartJob, ...]
    proposals: tuple[Proposal, ...]


def decide(snapshot: Snapshot, demand: Demand, policy: Policy) -> Decided:
    """Decide as `plan` does, and give no reasons yet."""
    ended = end_jobs(snapshot)
    draft = Draft.of(snapshot, policy, ended)
    keep_off_draining(ended, draft, Bookings(draft))
    served = keep_serving(draft, demand)
    keep_remainders(draft, Bookings(draft))
    held = hold_headroom(draft, served.fleets, demand)
    draft.ebbs = cache(partial(ebbs, served, draft))
    bookings = Bookings(draft)
    starts = place_training(draft, bookings)
    spare_unnecessary(draft, bookings)
    keep_remainders(draft, bookings)
    proposals = consolidate(draft, starts, bookings)
    grow(draft, starts, bookings)
    return Decided(draft, ended, served, held, tuple(starts), proposals)
