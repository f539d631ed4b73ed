"""Hosts, served models, capacity and forecasts."""

from typing import Annotated

from fastapi import APIRouter, Query

from scheduler.api.access import Anybody, Operator
from scheduler.api.answers import check_model, listing, report_of, single
from scheduler.api.past import past_of
from scheduler.api.presenting.capacity import capacity_view, size_views
from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.models import forecast_view, model_views, outlook_of, tallies_at
from scheduler.api.presenting.points import Window
from scheduler.api.presenting.queues import queue_view
from scheduler.api.presenting.times import DAY_S, moment_or_none
from scheduler.api.site import Parts, PartsDep
from scheduler.control.reports.board import Report
from scheduler.control.reports.queue_usage import queue_usages
from scheduler.model.errors import ConfigError, NotFound
from scheduler.wire.base import Listing, Single
from scheduler.wire.forecasts import Forecast
from scheduler.wire.hosts import CordonOrder, DrainAnswer, DrainOrder, Host
from scheduler.wire.queues import Queue
from scheduler.wire.serving import Capacity, ServedModel

router = APIRouter(prefix="/api/v1", tags=["cluster"])


@router.get("/hosts")
def list_hosts(parts: PartsDep, _: Anybody) -> Listing[Host]:
    """Return all hosts by name, with what runs on each device."""
    return listing(parts, "HostList", host_views(report_of(parts), parts.recent.host_marks()))


@router.get("/hosts/{name}")
def describe_host(parts: PartsDep, _: Anybody, name: str) -> Single[Host]:
    """Return one host."""
    return _host(parts, name)


@router.post("/hosts/{name}/cordon")
def cordon(parts: PartsDep, caller: Operator, name: str, order: CordonOrder | None = None) -> Single[Host]:
    """Let a host keep its work and take no more."""
    parts.service.cordon(name, order.reason if order else "", by=caller.person)
    return _host(parts, name)


@router.post("/hosts/{name}/uncordon")
def uncordon(parts: PartsDep, caller: Operator, name: str) -> Single[Host]:
    """Let a cordoned or draining host take work again."""
    parts.service.uncordon(name, by=caller.person)
    return _host(parts, name)


@router.post("/hosts/{name}/drain")
def drain(parts: PartsDep, caller: Operator, name: str, order: DrainOrder | None = None) -> Single[DrainAnswer]:
    """Empty a host, or say what that would do; refused (`applied` false) when serving would fall short."""
    asked = order or DrainOrder()
    outlook = parts.service.drain(
        name,
        reason=asked.reason,
        deadline_s=asked.deadline_s,
        force=asked.force,
        dry_run=asked.dry_run,
        by=caller.person,
    )
    answer = DrainAnswer(
        host=name,
        steps=outlook.steps,
        covered=outlook.covered,
        short=outlook.short,
        empty_at=moment_or_none(outlook.empty_at_s),
        applied=outlook.applied,
    )
    return single(parts, "Drain", answer)


@router.get("/models")
def list_models(parts: PartsDep, _: Anybody) -> Listing[ServedModel]:
    """Return the served models, most important first."""
    report = report_of(parts)
    day_ago = tallies_at(tuple(parts.board.history), report.cycle.at_s - DAY_S)
    return listing(parts, "ModelList", model_views(report, day_ago, parts.site.owners))


@router.get("/queues")
def list_queues(parts: PartsDep, _: Anybody) -> Listing[Queue]:
    """Return all queues in the order of declaration: guarantee, use, what is borrowed and lent, and who waits."""
    return listing(parts, "QueueList", map(queue_view, queue_usages(report_of(parts).cycle.snapshot)))


@router.get("/capacity")
def capacity(
    parts: PartsDep,
    _: Anybody,
    *,
    gpu: str = "",
    model: str = "",
    until: Annotated[float, Query(gt=0, le=336, description="hours ahead")] = 48.0,
) -> Single[Capacity]:
    """Return whether serving is covered, until when, and what is being done about it."""
    report = report_of(parts)
    check_model(report, model)
    _check_gpu(report, gpu)
    window = Window.around(report.cycle.at_s, until * 3600.0, gpu_model=gpu, model=model)
    view = capacity_view(report, past_of(parts), window, parts.site.policy)
    sizes = size_views(parts.starts.sizes(report))
    return single(parts, "Capacity", view.model_copy(update={"sizes": sizes}))


@router.get("/forecast/{model}")
def forecast(
    parts: PartsDep,
    _: Anybody,
    model: str,
    *,
    quantiles: Annotated[str, Query(description="quantiles beside the usual ones, for instance 0.95,0.999")] = "",
    until: Annotated[float, Query(gt=0, le=168, description="hours ahead")] = 48.0,
) -> Single[Forecast]:
    """Return the forecast of one model's traffic."""
    check_model(report := report_of(parts), model)
    outlook = outlook_of(report, model)
    if outlook is None:
        raise NotFound(f"no forecast of {model} yet")
    now_s = report.cycle.at_s
    return single(parts, "Forecast", forecast_view(outlook, now_s, now_s + until * 3600.0, _levels(quantiles)))


def _levels(text: str) -> tuple[float, ...]:
    try:
        levels = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        levels = (0.0,)
    if not all(0 < level < 1 for level in levels):
        raise ConfigError(f'quantiles: "{text}" is not a list of levels', help="between 0 and 1, for instance 0.5,0.99")
    return levels


def _check_gpu(report: Report, gpu: str) -> None:
    models = sorted({host.gpu_model for host in report.cycle.snapshot.hosts if host.devices})
    if gpu and gpu not in models:
        raise NotFound(f"no GPU model {gpu}", help=f"there are: {', '.join(models) or 'none'}")


def _host(parts: Parts, name: str) -> Single[Host]:
    found = next((host for host in host_views(report_of(parts), parts.service.host_marks()) if host.name == name), None)
    if found is None:
        raise NotFound(f"no host {name}", help="headroom hosts lists them")
    return single(parts, "Host", found)
