"""Three sentences that answer a comparison: what was asked, what came out, what to do."""

import math
from collections.abc import Sequence
from typing import Final

from scheduler.model.counting import plural
from simulations.comparing.differences import MEASURES, difference, percent, ratio, span
from simulations.comparing.entries import Entry
from simulations.outcome import estimate

FEW_LATE: Final = 1e-4
"""A scenario keeps its promise to users when at most so many requests are late or failed."""
_LATE, _VIOLATION, _HEADROOM, _WAIT = MEASURES[0], MEASURES[1], MEASURES[2], MEASURES[3]


def sentences(entries: Sequence[Entry]) -> tuple[str, str, str]:
    """Return the three sentences; the first scenario is what the others are compared with."""
    return _asked(entries), _came_out(entries), _to_do(entries)


def _asked(entries: Sequence[Entry]) -> str:
    first, seeds = entries[0], min(len(entry.runs) for entry in entries)
    sizes = sorted({entry.gpus for entry in entries})
    gpus = f"{sizes[0]} GPUs" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} GPUs"
    days = sorted({entry.days for entry in entries})
    span_ = f"{days[0]:g} days" if len(days) == 1 else f"{days[0]:g} to {days[-1]:g} days (they are not alike)"
    hosts = sorted({entry.hosts for entry in entries})
    there = plural(hosts[0], "host") if len(hosts) == 1 else f"{hosts[0]} to {hosts[-1]} hosts"
    how = f"{span_} on {there} with {gpus}, {plural(seeds, 'seed')} each"
    if len(entries) == 1:
        return f"{first.name}: {how}."
    names = f"{entries[1].name} was" if len(entries) == 2 else f"{len(entries) - 1} scenarios were"  # noqa: PLR2004  # two
    return f"{names} compared with {first.name}: {how}."


def _came_out(entries: Sequence[Entry]) -> str:
    first = entries[0]
    if len(entries) == 1:
        return f"{_late_text(first)}, lowest headroom {_lowest(first)}, mean wait {_wait_text(first)}."
    others = [_beside(first, other) for other in entries[1:]]
    if len(others) == 1:
        return f"{others[0][0].upper()}{others[0][1:]}."
    worst = max(entries[1:], key=lambda entry: (_late(entry), _wait(entry)))
    best = min(entries[1:], key=lambda entry: (_late(entry), _wait(entry)))
    return f"At best, {best.name}: {_beside(first, best)}; at worst, {worst.name}: {_beside(first, worst)}."


def _to_do(entries: Sequence[Entry]) -> str:
    good = [entry for entry in entries if _late(entry) <= FEW_LATE]
    if not good:
        nearest = min(entries, key=lambda entry: (_late(entry), _wait(entry)))
        return (
            f"None keeps late and failed requests within {percent(FEW_LATE)}; the nearest is {nearest.name} with "
            f"{percent(_late(nearest))}: more hosts, or a longer lead, are needed."
        )
    least = min(entry.gpus for entry in good)
    chosen = min((entry for entry in good if entry.gpus == least), key=_wait)
    if len(entries) == 1:
        return f"It keeps late and failed requests within {percent(FEW_LATE)}."
    fewer = " with the fewest GPUs" if len({entry.gpus for entry in good}) > 1 else " with the shortest wait"
    missed = len(entries) - len(good)
    rest = f"; {missed} of {len(entries)} do not keep late requests within {percent(FEW_LATE)}" if missed else ""
    return f"Take {chosen.name}: it keeps its promise to users{fewer}{rest}."


def _beside(first: Entry, other: Entry) -> str:
    waits = difference(_WAIT, first, other)
    change = f" ({_signed(waits.mean)}{_spread(waits.half_width)})" if math.isfinite(waits.mean) else ""
    wait = f"the mean wait from {_wait_text(first)} to {_wait_text(other)}{change}"
    late = f"late and failed requests went from {percent(_late(first))} to {percent(_late(other))}"
    return f"{late}, the lowest headroom from {_lowest(first)} to {_lowest(other)}, {wait}"


def _signed(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '−'}{span(seconds)}"


def _spread(half_width: float) -> str:
    return f" ± {span(half_width)}" if half_width else ""


def _late(entry: Entry) -> float:
    late = estimate(_LATE.of(entry)).mean
    return 0.0 if math.isnan(late) else late


def _late_text(entry: Entry) -> str:
    short = estimate(_VIOLATION.of(entry)).mean
    return f"{percent(_late(entry))} of the requests were late or failed, {span(short)} were short of replicas"


def _wait(entry: Entry) -> float:
    wait = estimate(_WAIT.of(entry)).mean
    return math.inf if math.isnan(wait) else wait


def _wait_text(entry: Entry) -> str:
    return span(estimate(_WAIT.of(entry)).mean)


def _lowest(entry: Entry) -> str:
    return ratio(min((value for value in _HEADROOM.of(entry) if math.isfinite(value)), default=math.nan))
