"""Changes worth an event that no action makes: hosts come and go, sources fall silent, the cluster complains."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scheduler.control.board import Report
from scheduler.control.records import CycleRecord, EventKind, EventRecord
from scheduler.control.sentences import span
from scheduler.control.settings import Served
from scheduler.control.traffic import Known
from scheduler.model.counting import plural
from scheduler.model.demand import Basis
from scheduler.model.hosts import HostState
from scheduler.model.observation import Observation
from scheduler.model.plan import Proposal
from scheduler.model.snapshot import Snapshot
from scheduler.planning.consolidation import in_words

WARNED_BEFORE_S: Final = 600.0
"""How long before its time limit a job's owner is warned at most,"""
WARNED_SHARE: Final = 0.1
"""and as a share of the limit."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What the last turn saw already.

    Attributes:
        hosts: state of each host as the cluster reported it; None before the first turn.
        faults: sentences that were told.
    """

    hosts: Mapping[str, HostState] | None = None
    faults: frozenset[str] = frozenset()


def noticed(before: Noticed, seen: Observation, cycle: int) -> tuple[tuple[EventRecord, ...], Noticed]:
    """Return what to tell of hosts and faults, and what was seen."""
    after = Noticed({host.name: host.state for host in seen.hosts}, frozenset(seen.faults))
    news = [
        EventRecord(seen.taken_at_s, cycle, EventKind.FAILURE, "cluster", fault)
        for fault in seen.faults
        if fault not in before.faults
    ]
    return (*_hosts(before.hosts, seen, cycle), *news), after


def new_proposals(last: Report | None, now: CycleRecord) -> Iterator[EventRecord]:
    """Yield one event per proposal that the turn before did not make."""
    known = {_moved(proposal) for proposal in last.cycle.plan.proposals} if last else set()
    for proposal in now.plan.proposals:
        if _moved(proposal) not in known:
            subject, title = proposal.beneficiary, f"room for {proposal.beneficiary} could be made"
            yield EventRecord(now.at_s, now.number, EventKind.TRAINING, subject, title, in_words(proposal))


def noticed_in(snapshot: Snapshot, since_s: float) -> Iterator[EventRecord]:
    """Yield what there is to tell of a snapshot, of which the one before was taken at `since_s`."""
    yield from newly_retired(snapshot)
    yield from nearing_limits(snapshot, since_s)


def newly_retired(snapshot: Snapshot) -> Iterator[EventRecord]:
    """Yield one event per model that replicas belong to and that is found to be declared no longer."""
    counts = Counter(one.model for one in snapshot.replicas if one.retired_s == snapshot.taken_at_s)
    for model, count in sorted(counts.items()):
        title = f"{model} is declared no longer; it has {plural(count, 'replica')}"
        detail = "they stop when every declared model is ready, after an hour in any case"
        yield EventRecord(snapshot.taken_at_s, snapshot.version, EventKind.SERVING, model, title, detail)


def nearing_limits(snapshot: Snapshot, since_s: float) -> Iterator[EventRecord]:
    """Yield one event per job that has come near its time limit since the turn before, at `since_s`."""
    now_s, running = snapshot.taken_at_s, snapshot.running
    soon = (running.limit_s > now_s) & (running.limit_s - now_s <= WARNED_BEFORE_S) & ~running.leaving
    for index in np.flatnonzero(soon).tolist():
        job = running.jobs[index]
        said_s = job.max_runtime_s or 0.0
        if since_s < job.limit_s - min(WARNED_BEFORE_S, WARNED_SHARE * said_s) <= now_s:
            title = f"{job.job_id} {job.name} reaches its time limit in {span(job.limit_s - now_s)}"
            detail = f"max_runtime is {span(said_s)}; it is told to save then and has {span(job.grace_period_s)} for it"
            yield EventRecord(now_s, snapshot.version, EventKind.TRAINING, job.job_id, title, detail)


def _moved(proposal: Proposal) -> tuple[str, frozenset[str]]:
    return proposal.beneficiary, frozenset(move.job_id for move in proposal.moves)


def basis_changes(
    served: Sequence[Served],
    known: Mapping[str, Known],
    before: Mapping[str, Basis],
    after: Mapping[str, Basis],
    snapshot: Snapshot,
) -> Iterable[EventRecord]:
    """Yield one event per traffic source that fell silent, answers again, or has enough history now."""
    told = set()
    for one in served:
        was, now = before.get(one.model.name), after[one.model.name]
        title = _basis_change(was, now)
        if title and one.source not in told:
            told.add(one.source)
            detail = known[one.source].failure or _age(known[one.source], snapshot.taken_at_s)
            yield EventRecord(
                snapshot.taken_at_s,
                snapshot.version,
                EventKind.FORECAST,
                one.source,
                f"traffic {one.source} {title}",
                detail,
            )


def _basis_change(was: Basis | None, now: Basis) -> str:
    if was is now:
        return ""
    if now is Basis.SILENT:
        return "is silent; planned by the last load with a margin"
    if now is Basis.COLD_START:
        return "has too little history; planned by the load now with a margin"
    if was is Basis.SILENT:
        return "answers again"
    return "has enough history; planned by the forecast" if was is Basis.COLD_START else ""


def _age(known: Known, now_s: float) -> str:
    if known.traffic is None:
        return ""
    return f"last value {span(known.rate_at(now_s)[1])} old" if len(known.traffic.series) else "no value yet"


def _hosts(before: Mapping[str, HostState] | None, seen: Observation, cycle: int) -> Iterable[EventRecord]:
    for host in seen.hosts:
        was = (before or {}).get(host.name)
        if host.state is HostState.LOST and was is not HostState.LOST:
            lost = sum(run.state.holds_room for run in seen.runs if any(s.host == host.name for s in run.slots))
            detail = host.reason or (f"{plural(lost, 'run')} lost with it" if lost else "")
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, f"{host.name} unreachable", detail)
        elif host.state is HostState.READY and (was is HostState.LOST or (was is None and before is not None)):
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, f"{host.name} answers")
