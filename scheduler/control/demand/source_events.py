"""Traffic sources that fall silent, answer again, or come to have enough history: told once for what is one state.

Sources of one server that are all silent are one state, the server's. A source is told to be silent by itself only when
another one of its server answered while it did not: until that is known, nothing is said.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.control.demand.traffic import SourceState
from scheduler.control.isolation.bulkheads import Bulkheads
from scheduler.control.jobs.event_text import span
from scheduler.control.records import EventKind
from scheduler.control.settings import Served
from scheduler.model.demand import Basis, ModelDemand

SUBJECT: Final = "traffic"
"""Whom an event of a whole server is about."""
Bases = Mapping[str, Basis]
"""What the models of each source rest on."""
Members = Mapping[str, Sequence[str]]
"""The sources of each server that several are read from."""


def basis_changes(  # noqa: PLR0913, PLR0917  # what sources were and are
    served: Sequence[Served],
    known: Mapping[str, SourceState],
    before: Bases,
    demands: Mapping[str, ModelDemand],
    now_s: float,
    walls: Bulkheads,
) -> dict[str, Basis]:
    """Tell of each traffic source, or server of several, that fell silent, answers again, or has enough history now.

    Returns:
        What each source's models rest on, as far as that was told.
    """
    told = dict(before)
    now = {one.source: demands[one.model.name].basis for one in reversed(served)}
    members = _members(now, known)
    for server, sources in members.items():
        _tell_server(server, [known[source] for source in sources], _is_down(sources, now, known), walls)
    for source, basis in now.items():
        mine = known.get(source, SourceState())
        if mine.is_pending or (basis is Basis.SILENT and not _is_by_itself(mine, members, now, known)):
            continue
        title = _basis_change(before.get(source), basis)
        detail, title = mine.failure or _age(mine, now_s), f"traffic {source} {title}" if title else ""
        if not title or walls.tell(f"traffic {source}", basis.value, EventKind.FORECAST, source, title, detail):
            told[source] = basis
    return told


def _members(now: Bases, known: Mapping[str, SourceState]) -> Members:
    sources: dict[str, list[str]] = defaultdict(list)
    for source in now:
        if source in known and known[source].server:
            sources[known[source].server].append(source)
    return {server: names for server, names in sources.items() if len(names) > 1}


def _is_down(sources: Sequence[str], now: Bases, known: Mapping[str, SourceState]) -> bool:
    return all(now[source] is Basis.SILENT and not known[source].is_pending for source in sources)


def _tell_server(server: str, sources: Sequence[SourceState], is_down: bool, walls: Bulkheads) -> None:  # noqa: FBT001  # one of two states
    name = f"server {server}"
    if is_down:
        title = f"{server}: all {len(sources)} sources are silent; planned by their last load with a margin"
        walls.tell(name, "silent", EventKind.FORECAST, SUBJECT, title, sources[0].failure)
    elif walls.was_told(name) and not all(source.failure for source in sources):
        walls.tell(name, "", EventKind.FORECAST, SUBJECT, f"{server} answers again")


def _is_by_itself(mine: SourceState, members: Members, now: Bases, known: Mapping[str, SourceState]) -> bool:
    """Whether a source is silent while another one of its server is known to answer."""
    if mine.server not in members:
        return True
    others = (known[source] for source in members[mine.server] if now[source] is not Basis.SILENT)
    return any(one.judged_at_s >= mine.since_s and mine.judged_at_s >= one.since_s for one in others)


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


def _age(known: SourceState, now_s: float) -> str:
    if known.traffic is None:
        return ""
    age_s = known.rate_at(now_s)[1]
    return f"last value {span(age_s)} old" if math.isfinite(age_s) else "no value yet"
