"""What would cover what serving lacks: found by asking with more hosts, in one sentence."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from scheduler.control.whatif.question import NewHosts, Question
from scheduler.model.counting import plural
from scheduler.model.hosts import Host, HostState
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from simulations.whatif.counting import Run
from simulations.whatif.moment import Moment

MOST_HOSTS: Final = 16
"""More hosts than this are no answer."""
TRIES: Final = 3
COVERED: Final = "Serving stays covered in every run."
NOT_READY: Final = (
    "More hosts would not cover it: there is room, but replicas are not ready in time; a higher min_replicas, or "
    "control.reserve.flash_crowd, keeps some ready."
)


def cover_of(moment: Moment, question: Question, runs: Sequence[Run], again: Callable[[Question, int], Run]) -> str:
    """Return what would cover what is lacking in the worst of the runs.

    Args:
        moment: what is known.
        question: what was asked.
        runs: that came out.
        again: plays one of the runs with another question.
    """
    worst = max(range(len(runs)), key=lambda number: _lacking_s(runs[number]))
    if not _lacking_s(runs[worst]):
        return NOT_READY if any(model.short for run in runs for model in run.models.values()) else COVERED
    missing = _missing(runs[worst])
    more = _hosts_for(missing, moment, question)
    names = ", ".join(sorted(missing))
    for factor in range(1, TRIES + 1):
        hosts = tuple(replace(one, count=one.count * factor) for one in more)
        if not more or sum(one.count for one in hosts) > MOST_HOSTS:
            break
        run = again(replace(question, new_hosts=(*question.new_hosts, *hosts)), worst)
        if not _lacking_s(run):
            said = " and ".join(f"{plural(one.count, 'more host')} like {one.like}" for one in hosts)
            return f"Would cover it: {said} (for {names}), tried on the worst run."
    return f"Nothing was found that covers it: {names} would have no room, and up to {MOST_HOSTS} hosts do not help."


def _lacking_s(run: Run) -> float:
    return sum(to_s - from_s for model in run.models.values() for from_s, to_s, _ in model.lacks)


def _missing(run: Run) -> dict[str, int]:
    return {name: max(lack[2] for lack in model.lacks) for name, model in run.models.items() if model.lacks}


def _hosts_for(missing: dict[str, int], moment: Moment, question: Question) -> tuple[NewHosts, ...]:
    """Return hosts like those there are, with room for what is missing; () where one fits on none of them."""
    models = {served.model.name: served.model for served in moment.served}
    if question.model is not None:
        models[question.model.model.name] = question.model.model
    needed = dict[str, float]()
    for name, count in missing.items():
        best = max(moment.snapshot.hosts, key=lambda host: (_units(host, models[name].shape), host.name), default=None)
        units = _units(best, models[name].shape) if best else 0
        if best is None or not units:
            return ()
        needed[best.name] = needed.get(best.name, 0.0) + count / min(units, models[name].max_per_host or units)
    return tuple(NewHosts(like, ceil(count)) for like, count in sorted(needed.items()))


def _units(host: Host, shape: Shape) -> int:
    """Return how many replicas of a shape fit on a host like this when it is empty."""
    empty = replace(host, state=HostState.READY)
    return int(Ledger.of((empty,), ()).units_fitting(shape)[0])
