"""Changes worth an event that no action makes: hosts come and go, the cluster complains, jobs near their limits."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from scheduler.control.jobs.event_text import span
from scheduler.control.records import CycleRecord, EventKind, EventRecord
from scheduler.control.reports.board import Report
from scheduler.model.counting import plural
from scheduler.model.hosts import HostState
from scheduler.model.observation import Observation
from scheduler.model.plan import Proposal
from scheduler.model.snapshot import Snapshot
from scheduler.planning.reasons.proposals import in_words

FORGOTTEN_S: Final = 600.0
"""A fault that was not seen for so long is told again when it is back."""
_NUMBER: Final = re.compile(r"(?<![\w@.-])(?:0x[0-9a-f]+|\d+(?:\.\d+)?)", re.IGNORECASE)
WARNED_BEFORE_S: Final = 600.0
"""How long before its time limit a job's owner is warned at most,"""
WARNED_SHARE: Final = 0.1
"""and as a share of the limit."""


@dataclass(frozen=True, slots=True)
class KnownState:
    """What the last turn saw already.

    Attributes:
        hosts: state of each host as the cluster reported it; None before the first turn.
        faults: when each that was told was last seen, by what does not change in it while it lasts.
    """

    hosts: Mapping[str, HostState] | None = None
    faults: Mapping[str, float] = field(default_factory=dict)


def change_events(before: KnownState, seen: Observation, cycle: int) -> tuple[tuple[EventRecord, ...], KnownState]:
    """Return what to tell of hosts and faults, and what was seen."""
    now_s, faults = seen.taken_at_s, {_lasting(fault): fault for fault in seen.faults}
    known = {key: at_s for key, at_s in before.faults.items() if 0 <= now_s - at_s < FORGOTTEN_S}
    after = KnownState({host.name: host.state for host in seen.hosts}, {**known, **dict.fromkeys(faults, now_s)})
    news = [
        EventRecord(now_s, cycle, EventKind.FAILURE, _subject(fault, seen), fault)
        for key, fault in faults.items()
        if key not in known
    ]
    return (*_hosts(before.hosts, seen, cycle), *news), after


def _lasting(fault: str) -> str:
    """Return what does not change in a sentence while what it says lasts: all but numbers that are no names."""
    return _NUMBER.sub("#", fault)


def _subject(fault: str, seen: Observation) -> str:
    """Return the model that a fault is about, or "cluster"."""
    first = re.split("[@: ]", fault, maxsplit=1)[0]
    return first if first in {replica.model for replica in seen.replicas} else "cluster"


def new_proposals(last: Report | None, now: CycleRecord) -> Iterator[EventRecord]:
    """Yield one event per proposal that the turn before did not make."""
    known = {_moved(proposal) for proposal in last.cycle.plan.proposals} if last else set()
    for proposal in now.plan.proposals:
        if _moved(proposal) not in known:
            subject, title = proposal.beneficiary, f"room for {proposal.beneficiary} could be made"
            yield EventRecord(now.at_s, now.number, EventKind.TRAINING, subject, title, in_words(proposal))


def events_of_snapshot(snapshot: Snapshot, since_s: float) -> Iterator[EventRecord]:
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


def _hosts(before: Mapping[str, HostState] | None, seen: Observation, cycle: int) -> Iterable[EventRecord]:
    for host in seen.hosts:
        was = (before or {}).get(host.name)
        if host.state is HostState.LOST and was is not HostState.LOST:
            lost = sum(run.state.holds_room for run in seen.runs if any(s.host == host.name for s in run.slots))
            detail = host.reason or (f"{plural(lost, 'run')} lost with it" if lost else "")
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, f"{host.name} unreachable", detail)
        elif host.state is HostState.CORDONED and was not in {None, HostState.CORDONED}:
            title = f"{host.name} cordoned by the cluster itself"
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, title, host.reason)
        elif host.state is HostState.READY and was is HostState.CORDONED:
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, f"{host.name} takes work again")
        elif host.state is HostState.READY and (was is HostState.LOST or (was is None and before is not None)):
            yield EventRecord(seen.taken_at_s, cycle, EventKind.HOST, host.name, f"{host.name} answers")
