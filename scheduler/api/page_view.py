"""What the page shows, made of the same resources that the API answers with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from scheduler.api.formatting import asks_for, shortened, trimmed
from scheduler.api.past import past_of
from scheduler.api.presenting.capacity import capacity_view, size_views
from scheduler.api.presenting.etas import foretold
from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.jobs import NOBODY_WAITS, event_view, job_view, queue_of
from scheduler.api.presenting.models import model_views, tallies_at
from scheduler.api.presenting.points import Window
from scheduler.api.presenting.queues import queue_view
from scheduler.api.presenting.times import DAY_S, moment
from scheduler.api.public_fields import UNHEARD
from scheduler.api.site import Parts, Site
from scheduler.control.records import JobRecord
from scheduler.control.reports.board import STARTING, ModelOutlook, Report
from scheduler.control.reports.queue_usage import queue_usages
from scheduler.model.reasons import Reasons
from scheduler.model.workloads import JobState
from scheduler.wire.hosts import Host
from scheduler.wire.jobs import Event, Job, devices_by_host
from scheduler.wire.queues import Queue
from scheduler.wire.serving import Capacity, ServedModel

DENSE_ABOVE: Final = 40
"""More hosts than this are shown small and grouped by GPU model."""
AMPLE: Final = 1.5
"""Models with more headroom than this are folded away when there are many."""
FEW_MODELS: Final = 12


@dataclass(frozen=True, slots=True)
class Pool:
    """Hosts of one GPU model."""

    name: str
    hosts: tuple[Host, ...]

    @property
    def gpus(self) -> int:
        """Devices there are."""
        return sum(len(host.devices) for host in self.hosts)

    @property
    def used(self) -> int:
        """Devices that anything holds a share of."""
        return sum(bool(device.uses) for host in self.hosts for device in host.devices)


@dataclass(frozen=True, slots=True)
class PageView:
    """Everything a template may use.

    Attributes:
        site: see `Site`.
        cycle: number of the cycle shown; 0 before the first.
        now: the world's time of that cycle.
        degraded: why the loop cannot do its work; "" when it can.
        unheard: which traffic plans are made without until it is heard, as a sentence; "" when all was.
        capacity: for the window of the page; None before the first cycle.
        gpu_hosts, cpu_hosts: by name.
        waiting: in the order of trying, held ones last.
        running: those that hold room, by age.
        queues: as declared; none where there is but one.
        models: worst headroom first.
        outlooks: what is known of each model's load.
        events: newest first.
        is_unread: whether nobody could read events yet.
        is_public: whether it is shown without a token, so that a part is hidden.
    """

    site: Site
    cycle: int
    now: datetime
    degraded: str
    unheard: str = ""
    capacity: Capacity | None = None
    gpu_hosts: tuple[Host, ...] = ()
    cpu_hosts: tuple[Host, ...] = ()
    waiting: tuple[Job, ...] = ()
    running: tuple[Job, ...] = ()
    queues: tuple[Queue, ...] = ()
    models: tuple[ServedModel, ...] = ()
    outlooks: tuple[ModelOutlook, ...] = ()
    events: tuple[Event, ...] = ()
    is_unread: bool = False
    is_public: bool = False

    @property
    def gpus(self) -> int:
        """Devices of all hosts."""
        return sum(len(host.devices) for host in self.gpu_hosts)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """GPU hosts by GPU model, for a cluster too large for a row each."""
        in_order = sorted(self.gpu_hosts, key=lambda host: (host.gpu_kind, host.name))
        return tuple(Pool(name, tuple(hosts)) for name, hosts in groupby(in_order, key=lambda host: host.gpu_kind))

    @property
    def dense(self) -> bool:
        """Whether hosts are shown small."""
        return len(self.gpu_hosts) > DENSE_ABOVE

    @property
    def short_names(self) -> dict[str, str]:
        """Names of hosts without what all of them begin with."""
        return shortened(tuple(host.name for host in (*self.gpu_hosts, *self.cpu_hosts)))

    def has(self, job: Job) -> str:
        """Return what a running job holds: "4 MI300X", "4 CPU"."""
        if not job.gpus:
            return asks_for(job.workers, 0.0, (), job.cpus_per_worker)
        models = {host.name: host.gpu_kind for host in self.gpu_hosts}
        found = sorted({models.get(host, "") for host in devices_by_host(job.where)} - {""})
        return f"{trimmed(job.gpus, 2)} {'/'.join(found) or 'GPUs'}"

    @property
    def worst(self) -> ServedModel | None:
        """The model whose headroom is that of the whole; None without load."""
        name = self.capacity.headroom_model if self.capacity else ""
        return next((model for model in self.models if model.name == name), None)

    @property
    def tight_models(self) -> tuple[ServedModel, ...]:
        """Models that are shown at once: all when they are few, else those without ample headroom."""
        if len(self.models) <= FEW_MODELS:
            return self.models
        return tuple(m for m in self.models if m.headroom_ratio is None or m.headroom_ratio <= AMPLE)

    @property
    def ample_models(self) -> tuple[ServedModel, ...]:
        """The others."""
        shown = {model.name for model in self.tight_models}
        return tuple(model for model in self.models if model.name not in shown)


def page_view(parts: Parts) -> PageView:
    """Look at everything once."""
    report = parts.board.report
    view = _without_a_report(parts) if report is None else _of_a_report(parts, report)
    unheard = parts.told(str(parts.board.unheard), instead=UNHEARD)
    view = replace(view, unheard=unheard, is_public=parts.is_public)
    if parts.is_public:
        return view
    events = tuple(event_view(event) for event in reversed(parts.recent.events()))
    return replace(view, events=events, is_unread=not parts.recent.events.was_answered)


def _without_a_report(parts: Parts) -> PageView:
    now, known = moment(parts.site.clock.now_s()), parts.recent.jobs()
    degraded = STARTING if parts.board.degraded in {"", STARTING} else parts.told(parts.board.degraded)
    waiting, running = (_jobs(parts, known, now, NOBODY_WAITS, running=holds) for holds in (False, True))
    return PageView(parts.site, 0, now, degraded, waiting=waiting, running=running)


def _of_a_report(parts: Parts, report: Report) -> PageView:
    past, now_s, site = past_of(parts), report.cycle.at_s, parts.site
    hosts = tuple(map(parts.shown, host_views(report)))
    models = map(parts.shown, model_views(report, tallies_at(past.history, now_s - DAY_S), site.owners))
    queue = queue_of(report)
    return PageView(
        site=site,
        cycle=report.cycle.number,
        now=moment(now_s),
        degraded=parts.told(parts.board.degraded),
        capacity=_capacity(parts, report),
        gpu_hosts=tuple(host for host in hosts if host.devices),
        cpu_hosts=tuple(host for host in hosts if not host.devices),
        waiting=_jobs(parts, past.jobs, moment(now_s), queue, running=False),
        running=_jobs(parts, past.jobs, moment(now_s), queue, running=True),
        queues=_queues(parts, report),
        models=tuple(sorted(models, key=_worst_first)),
        outlooks=report.outlooks,
    )


def _capacity(parts: Parts, report: Report) -> Capacity:
    now_s = report.cycle.at_s
    view = capacity_view(report, past_of(parts), Window(now_s, now_s), parts.site.policy)
    return parts.shown(view.model_copy(update={"sizes": size_views(parts.starts.sizes(report))}))


def _jobs(
    parts: Parts, records: Sequence[JobRecord], now: datetime, queue: Reasons, *, running: bool
) -> tuple[Job, ...]:
    chosen = [r for r in records if (r.state.holds_room if running else _waits(r.state))]
    views = [parts.shown(foretold(parts, job_view(record, now.timestamp(), queue))) for record in chosen]
    return tuple(sorted(views, key=_in_order))


def _queues(parts: Parts, report: Report) -> tuple[Queue, ...]:
    snapshot = report.cycle.snapshot
    views = map(queue_view, queue_usages(snapshot)) if len(snapshot.queues) > 1 else ()
    return tuple(map(parts.shown, views))


def _in_order(job: Job) -> tuple[bool, float, datetime]:
    """Sort by the order of trying; those not looked at yet come after it, held ones last."""
    return (job.state == JobState.HELD, math.inf if job.order is None else job.order, job.submitted_at)


def _waits(state: JobState) -> bool:
    return state.is_waiting or state is JobState.HELD


def _worst_first(model: ServedModel) -> tuple[bool, float, str]:
    return (model.headroom_ratio is None, model.headroom_ratio or 0.0, model.name)
