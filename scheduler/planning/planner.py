"""The heart: one pure function that decides what runs where."""

from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter

from scheduler.model.demand import Demand
from scheduler.model.plan import Action, Plan, Proposal, StartJob
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.queueing.place_training import place_training
from scheduler.planning.reasons.facts import ReasonFacts
from scheduler.planning.reasons.jobs import explain
from scheduler.planning.reasons.proposals import with_proposals
from scheduler.planning.restarts.consolidate import consolidate
from scheduler.planning.restarts.forced_stops import end_jobs
from scheduler.planning.restarts.grow import grow
from scheduler.planning.restarts.shrink import keep_off_draining, keep_remainders, with_sizes
from scheduler.planning.restarts.spare import spare_unnecessary
from scheduler.planning.serving.expected_scale_down import scale_downs
from scheduler.planning.serving.peak_holds import hold_headroom
from scheduler.planning.serving.supply import ServingDecision, keep_serving


def plan(snapshot: Snapshot, demand: Demand, policy: Policy) -> Plan:
    """Decide; do nothing. Equal arguments give equal plans; every prefix of `actions` is safe to apply.

    Safe means: a start uses only room that is free in the snapshot, whatever else of the plan is carried out, because
    room being freed is reserved but never used. Least disruptive first: free room, then room that is being freed
    already, then room of training that is stopped for it.

    Args:
        snapshot: the world at one moment.
        demand: replicas per model, most important first; replicas of a model without a demand are left alone.
        policy: the site's choices.

    Returns:
        Stops and preemptions first, then starts; the reservations now in force; what is held for peaks and booked for
        later; and why everything else waits.
    """
    decided = decide(snapshot, demand, policy)
    draft, served, starts = decided.draft, decided.served, decided.starts
    reasons = with_proposals(explain(ReasonFacts(draft, served, starts)), decided.proposals)
    told = with_sizes((*draft.ended, *draft.stops.values()), draft)
    stops: tuple[Action, ...] = (*told, *served.stops)
    actions = (*stops, *served.starts, *starts)
    return Plan(
        snapshot.version,
        actions,
        reservations=tuple(draft.reservations.in_force()),
        unplaced=reasons,
        proposals=decided.proposals,
        holds=draft.holds,
        bookings=tuple(sorted((start.booking for start in draft.bookings), key=attrgetter("start_s"))),
    )


@dataclass(frozen=True, eq=False)
class Decided:
    """What a plan is made of.

    Attributes:
        draft: who is stopped, what is held, reserved and booked.
        served: what serving starts and stops.
        starts: jobs that start.
        proposals: moves that would make room.
    """

    draft: Draft
    served: ServingDecision
    starts: tuple[StartJob, ...]
    proposals: tuple[Proposal, ...]


def decide(snapshot: Snapshot, demand: Demand, policy: Policy) -> Decided:
    """Decide as `plan` does, and give no reasons yet. Each step finds the room that those before it left."""
    # 1. What ends whatever the room is being freed before anybody looks for room.
    draft = Draft.of(snapshot, policy, end_jobs(snapshot))
    # 2. An elastic job on a host that is emptied goes on with its other workers: nobody else is given their room.
    keep_off_draining(draft)
    # 3. Serving comes before training and may have it stopped: a request that is late cannot wait for a queue.
    served = keep_serving(draft, demand)
    # 4. What serving's victims can keep is theirs before room is held: a hold never costs running training anything.
    keep_remainders(draft)
    # 5. Room for the coming peak is held before training starts in it, which would soon have to be stopped again.
    hold_headroom(draft, served.fleets, demand)
    # 6. From here on bookings may count on room that serving leaves later, by where its replicas are now.
    draft.bookings.expect_falls(cache(partial(scale_downs, served, draft, CachedTrial(draft.room.coming))))
    # 7. Training, in queue order: start, reserve, preempt, book.
    starts = place_training(draft)
    # 8. Only when all have had their turn is it known which victims were not needed, and what others can keep.
    spare_unnecessary(draft)
    keep_remainders(draft)
    # 9. Moves come after that, as they take what is left; growth comes last, as nobody must wait for what it takes.
    proposals = consolidate(draft, starts)
    grow(draft, starts)
    return Decided(draft, served, tuple(starts), proposals)
