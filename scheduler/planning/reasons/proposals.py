"""What moves would make room for whom, added to the reasons of those who wait."""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.model.plan import Proposal
from scheduler.model.reasons import Reasons
from scheduler.planning.reasons.wording import listed


def with_proposals(reasons: Reasons, proposals: Sequence[Proposal]) -> Reasons:
    """Return the reasons, with the proposal added to that of each gang for which there is one."""
    found = ((proposal, reasons.for_subject(proposal.beneficiary)) for proposal in proposals)
    changed = [replace(why, message=f"{why.message}; {in_words(proposal)}") for proposal, why in found if why]
    return reasons.with_changed({why.subject: why for why in changed}) if changed else reasons


def in_words(proposal: Proposal) -> str:
    """Return for instance "moving 401 to gpu2 would make room (loses 340 GPU-seconds)"."""
    moves = [f"{move.job_id} to {listed(sorted({slot.host for slot in move.slots}))}" for move in proposal.moves]
    return f"moving {listed(moves)} would make room (loses {proposal.lost_gpu_s:.0f} GPU-seconds)"
