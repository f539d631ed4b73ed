"""What differs between outcomes, by how much, and whether that is more than chance: the same seeds are paired."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.config.units import format_duration
from simulations.comparing.entries import Entry
from simulations.outcome import Estimate, estimate

HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table of outcomes.

    Attributes:
        label: for people.
        number: of the outcome.
        shown: writes a value.
        higher_is_better: else lower is.
        also: a second number that is added.
    """

    label: str
    number: str
    shown: Callable[[float], str]
    higher_is_better: bool = False
    also: str = ""

    def of(self, entry: Entry) -> list[float]:
        """Return the value of every run, by seed."""
        values = entry.values(self.number)
        return [a + b for a, b in zip(values, entry.values(self.also), strict=True)] if self.also else values


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the table.

    Attributes:
        mean: mean over the seeds, and half of its interval.
        text: that, in words.
        difference: to the first scenario, in words; "" for the first itself.
        verdict: "better", "worse", "same", or "" where nobody can say.
        is_best: whether no other is better.
    """

    mean: Estimate
    text: str
    difference: str
    verdict: str
    is_best: bool


def percent(value: float) -> str:
    """Return a share as "0.0031 %"."""
    return "-" if math.isnan(value) else f"{100 * value:.4f} %"


def span(value: float) -> str:
    """Return seconds as "1h12m"."""
    return "-" if math.isnan(value) else format_duration(abs(value))


def hours(value: float) -> str:
    """Return GPU-seconds in GPU-hours."""
    return "-" if math.isnan(value) else f"{value / HOUR_S:,.1f} GPU-h"


def ratio(value: float) -> str:
    """Return a ratio as "1.08"."""
    return f"{value:.2f}" if math.isfinite(value) else "-"


def count(value: float) -> str:
    """Return a number of things."""
    return "-" if math.isnan(value) else f"{value:,.1f}".removesuffix(".0")


MEASURES: Final = (
    Measure("late or failed requests", "late_requests_share", percent, also="failed_requests_share"),
    Measure("time short of replicas", "violation_s", span),
    Measure("lowest headroom", "min_headroom_ratio", ratio, higher_is_better=True),
    Measure("mean wait", "wait_mean_s", span),
    Measure("wait p95", "wait_p95_s", span),
    Measure("mean completion", "completion_mean_s", span),
    Measure("preemptions", "preemptions", count),
    Measure("work lost", "lost_gpu_s", hours),
    Measure("work trained", "trained_gpu_s", hours, higher_is_better=True),
    Measure("jobs done", "jobs_succeeded", count, higher_is_better=True),
    Measure("jobs cut off", "jobs_unfinished", count),
)


def table(entries: Sequence[Entry]) -> list[tuple[Measure, list[Value]]]:
    """Return a row for each measure with a cell for each scenario, compared with the first."""
    return [(measure, _row(measure, entries)) for measure in MEASURES]


def difference(measure: Measure, base: Entry, other: Entry) -> Estimate:
    """Return by how much the other is above the base, over the seeds that both have; NaN without one."""
    seeds = sorted(set(base.runs) & set(other.runs))
    ours, theirs = (dict(zip(sorted(one.runs), measure.of(one), strict=True)) for one in (base, other))
    return estimate([theirs[seed] - ours[seed] for seed in seeds])


def _row(measure: Measure, entries: Sequence[Entry]) -> list[Value]:
    means = [estimate(measure.of(entry)) for entry in entries]
    known = [mean.mean for mean in means if math.isfinite(mean.mean)]
    best = (max if measure.higher_is_better else min)(known, default=math.nan)
    cells = []
    for entry, mean in zip(entries, means, strict=True):
        spread = f" ± {measure.shown(mean.half_width)}" if mean.half_width else ""
        told = ("", "") if entry is entries[0] else _told(measure, entries[0], entry)
        is_best = len(set(known)) > 1 and mean.mean == best
        cells.append(Value(mean, f"{measure.shown(mean.mean)}{spread}", *told, is_best))
    return cells


def _told(measure: Measure, base: Entry, other: Entry) -> tuple[str, str]:
    """Return a difference in words, and what it means."""
    by = difference(measure, base, other)
    if not math.isfinite(by.mean):
        return "", ""
    if by.mean == 0 and not by.half_width:
        return "same", "same"
    sign = "+" if by.mean > 0 else "−"
    spread = f" ± {measure.shown(by.half_width)}" if by.half_width else ""
    text = f"{sign}{measure.shown(abs(by.mean))}{spread}"
    if len(set(base.runs) & set(other.runs)) < 2:  # noqa: PLR2004  # of one seed nobody can say what is chance
        return text, ""
    if abs(by.mean) <= by.half_width:
        return text, "same"
    return text, "better" if (by.mean > 0) == measure.higher_is_better else "worse"
