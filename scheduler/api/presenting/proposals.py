"""Moves that would make room, on the wire."""

from scheduler.model.plan import Proposal as Proposed
from scheduler.wire.hosts import Proposal, ProposedMove


def proposal_view(proposed: Proposed) -> Proposal:
    """Return whom to move where, for which job, and what it costs."""
    return Proposal(
        job_id=proposed.beneficiary,
        moves=tuple(
            ProposedMove(job_id=move.job_id, hosts=tuple(sorted({slot.host for slot in move.slots})))
            for move in proposed.moves
        ),
        lost_gpu_s=proposed.lost_gpu_s,
        waits_s=proposed.waits_s,
    )
