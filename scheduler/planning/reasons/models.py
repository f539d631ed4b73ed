"""Why a model has fewer replicas than wanted, or would not outlive lost hosts."""

from scheduler.model.counting import plural
from scheduler.model.plan import Reason, Unplaced
from scheduler.model.workloads import Gang
from scheduler.planning.reasons.facts import ReasonFacts, freed_for
from scheduler.planning.reasons.feasibility import never_fits_on
from scheduler.planning.reasons.wording import unit
from scheduler.planning.serving.fleet import Fleet, count_by_row, survivors


def why_model_lacks(fleet: Fleet, facts: ReasonFacts) -> Unplaced | None:
    """Say why a model has fewer replicas than wanted, or would not outlive lost hosts; None when all is well."""
    model = fleet.model
    have = len(fleet.staying) + len(fleet.replaced) + facts.starts_of[model.revised]
    if have >= fleet.wanted:
        return _why_fragile(fleet, facts)
    gang = Gang(fleet.wanted - have, model.shape, model.max_per_host)
    slots = facts.draft.reservations.of(model.name)
    has = f"has {have} of {plural(fleet.wanted, 'replica')}"
    if slots:
        return freed_for(model.name, f"{has}, needs {unit(model.shape)} each", slots, gang.workers, facts)
    impossible = never_fits_on(facts.whole, gang, model.name)
    if impossible and impossible.reason is Reason.NO_HOST_MATCHES:
        return impossible
    short = facts.scarcity_of(gang)
    blockers = facts.holders_on(short.host)
    return Unplaced(model.name, short.reason, f"{has}; {short.message}", short.asked, short.free, None, blockers)


def _why_fragile(fleet: Fleet, facts: ReasonFacts) -> Unplaced | None:
    """Say when losing hosts would leave too few replicas."""
    losses, snapshot = fleet.model.survive_host_losses, facts.draft.snapshot
    if not losses:
        return None
    rows = snapshot.ledger.table.rows
    counts = count_by_row((*fleet.staying, *fleet.replaced), rows)
    for start in facts.served.starts:
        counts[rows[start.slot.host]] += start.revised == fleet.model.revised
    left = survivors(counts, losses)
    if left >= fleet.needed:
        return None
    message = f"losing {plural(losses, 'host')} would leave {left} of the {plural(fleet.needed, 'replica')} needed now"
    return Unplaced(fleet.model.name, Reason.INSUFFICIENT_HOSTS, message, fleet.needed, left)
