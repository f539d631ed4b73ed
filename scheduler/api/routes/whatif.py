"""Questions of the kind "what if": asked, looked at while they are answered; nothing live is touched."""

from fastapi import APIRouter

from scheduler.api.access import Caller, Role, Submitter, Viewer
from scheduler.api.answers import listing, report_of, single
from scheduler.api.presenting.whatif import inquiry_view
from scheduler.api.site import Parts, PartsDep, Questions
from scheduler.config.job import parse_job
from scheduler.control.settings import Served
from scheduler.control.whatif import question as asked
from scheduler.model.errors import Conflict, NotFound, NotPermitted
from scheduler.model.jobspec import JobSpec
from scheduler.wire.base import Listing, Single
from scheduler.wire.whatif import WhatIf, WhatIfOrder

router = APIRouter(prefix="/api/v1", tags=["what-if"])


@router.post("/whatif", status_code=202)
def ask(parts: PartsDep, caller: Submitter, order: WhatIfOrder) -> Single[WhatIf]:
    """Ask what would be otherwise; the answer grows under the name that this returns, run by run."""
    desk = _questions(parts).desk
    return single(parts, "WhatIf", inquiry_view(desk.ask(_question(parts, caller, order), caller.name)))


@router.get("/whatif")
def list_questions(parts: PartsDep, _: Viewer) -> Listing[WhatIf]:
    """Return the questions that are kept, oldest first."""
    return listing(parts, "WhatIfList", map(inquiry_view, _questions(parts).desk.inquiries()))


@router.get("/whatif/{question}")
def look(parts: PartsDep, _: Viewer, question: str) -> Single[WhatIf]:
    """Return one question with what is known of its answer by now."""
    return single(parts, "WhatIf", inquiry_view(_questions(parts).desk.inquiry(question)))


def _questions(parts: Parts) -> Questions:
    if parts.questions is None:
        raise Conflict("questions are answered by the control plane that leads", help="headroom status says who does")
    return parts.questions


def _question(parts: Parts, caller: Caller, order: WhatIfOrder) -> asked.Question:
    _check_hosts(parts, order)
    return asked.Question(
        horizon_s=order.until_s,
        runs=order.runs,
        seed=order.seed,
        traffic=order.traffic,
        spikes=tuple(asked.Spike(one.at.timestamp(), one.lasts_s, one.factor) for one in order.spikes),
        lost_hosts=tuple(dict.fromkeys(order.lost_hosts)),
        new_hosts=tuple(asked.NewHosts(one.like, one.count) for one in order.new_hosts),
        rules=None if order.rules is None else _questions(parts).rules_of(order.rules),
        job=None if order.job is None else _job(parts, caller, order.job),
        model=None if order.model is None else _model(parts, caller, order.model),
    )


def _check_hosts(parts: Parts, order: WhatIfOrder) -> None:
    known = {host.name for host in report_of(parts).cycle.snapshot.hosts}
    for name in (*order.lost_hosts, *(one.like for one in order.new_hosts)):
        if name not in known:
            raise NotFound(f"no host {name}", help="headroom hosts lists them")


def _job(parts: Parts, caller: Caller, job: dict[str, object]) -> JobSpec:
    """Return a job, checked as submitting it would."""
    spec = parse_job(
        job,
        priorities=parts.site.priorities,
        queues=parts.site.queues,
        owner=caller.name,
        working_dir="",
        max_grace_s=parts.site.longest_grace_s,
    )
    parts.service.try_out(spec, by=caller.person)
    return spec


def _model(parts: Parts, caller: Caller, model: dict[str, object]) -> Served:
    """Return a model, checked as deploying it would."""
    if caller.role < Role.OPERATOR:
        raise NotPermitted("only operators ask what a model would do", help="headroom models propose asks them")
    draft = parts.site.models.draft(model)
    if any(model.name == draft.name for model in report_of(parts).cycle.snapshot.served):
        raise Conflict(f"{draft.name} is served already", help="headroom models deploy --dry-run asks of a revision")
    return draft.served
