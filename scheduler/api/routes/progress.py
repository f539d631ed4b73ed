"""How far an attempt is, told by itself: the one call that needs no person's token, and takes none."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from scheduler.api.access import bearer_token, guard_of, refuse_foreign_pages
from scheduler.api.site import PartsDep
from scheduler.control.service.progress import ProgressDesk
from scheduler.model.errors import NotPermitted
from scheduler.model.workloads import JobId
from scheduler.store.numbering import HIGHEST
from scheduler.wire.jobs import ProgressOrder

router = APIRouter(prefix="/api/v1", tags=["jobs"])
Number = Annotated[int, Path(ge=1, le=HIGHEST, description="of the attempt")]


def the_attempt_itself(request: Request, parts: PartsDep, job_id: str, number: Number) -> ProgressDesk:
    """Let an attempt pass that shows its token; what others are told says nothing to those who have none at all.

    Raises:
        NotPermitted: it is somebody else.
        NotFound: no such job, said to those who may see jobs.
    """
    guard, desk = guard_of(request), parts.progress
    if guard.is_open:
        refuse_foreign_pages(request)
    if desk is not None and desk.tokens.knows(JobId(job_id), number, bearer_token(request)):
        return desk
    guard.caller(request)
    parts.service.job(JobId(job_id))
    if desk is None:
        raise NotPermitted(
            "nobody tells progress here: it is read from headroom.json beside the checkpoints",
            help="scheduler.jobkit writes it",
        )
    raise NotPermitted(
        f"how far attempt {number} of job {job_id} is, it alone tells",
        help="its token is the annotation headroom/progress-token of its pods",
    )


@router.post("/jobs/{job_id}/attempts/{number}/progress", status_code=204)
def tell(
    desk: Annotated[ProgressDesk, Depends(the_attempt_itself)], job_id: str, number: Number, order: ProgressOrder
) -> Response:
    """Take note that an attempt has saved its work up to a step; by its own token, and while it is open."""
    desk.tell(JobId(job_id), number, order.step, order.total_steps)
    return Response(status_code=204)
