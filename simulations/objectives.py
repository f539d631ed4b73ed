"""Objectives of a site as people write them: "late_requests <= 0.0001, wait_p95 <= 4h"."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.config.faults import did_you_mean
from scheduler.config.units import UnitError, duration_s, format_duration
from scheduler.model.errors import ConfigError
from simulations.outcome import Outcome

HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something of an outcome that an objective may be about.

    Attributes:
        of: reads it.
        is_time: whether it is seconds.
    """

    of: Callable[[Outcome], float]
    is_time: bool = False


QUANTITIES: Final[dict[str, Quantity]] = {
    "late_requests": Quantity(lambda one: one.late_requests_share + one.failed_requests_share),
    "violation": Quantity(lambda one: one.violation_s, is_time=True),
    "headroom_min": Quantity(lambda one: one.min_headroom_ratio),
    "wait_mean": Quantity(lambda one: one.wait_mean_s, is_time=True),
    "wait_p95": Quantity(lambda one: one.wait_p95_s, is_time=True),
    "completion_mean": Quantity(lambda one: one.completion_mean_s, is_time=True),
    "unfinished": Quantity(lambda one: one.jobs_unfinished),
    "preemptions": Quantity(lambda one: one.preemptions),
    "lost_gpu_hours": Quantity(lambda one: one.lost_gpu_s / HOUR_S),
}
"""By the names that objectives use."""
_PART: Final = re.compile(r"\s*(\w+)\s*(<=|>=)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Objective:
    """One limit that must be kept on average over the seeds.

    Attributes:
        name: see `QUANTITIES`.
        most: whether the limit is the highest allowed, else the lowest.
        limit: seconds, shares or numbers.
    """

    name: str
    most: bool
    limit: float

    def value(self, outcome: Outcome) -> float:
        """Return what it is about; 0 where there was nothing to count."""
        value = QUANTITIES[self.name].of(outcome)
        return 0.0 if math.isnan(value) else value

    def excess(self, value: float) -> float:
        """Return by how much a value is beyond the limit; 0 or less when it keeps it."""
        return value - self.limit if self.most else self.limit - value

    def shown(self, value: float) -> str:
        """Return a value in words."""
        if QUANTITIES[self.name].is_time:
            return format_duration(value) if math.isfinite(value) else "-"
        return f"{100 * value:.4f} %" if self.name == "late_requests" else f"{value:.4g}"

    def __str__(self) -> str:
        """Return it as it is written."""
        limit = format_duration(self.limit) if QUANTITIES[self.name].is_time else f"{self.limit:g}"
        return f"{self.name} {'<=' if self.most else '>='} {limit}"


def objectives_of(text: str) -> tuple[Objective, ...]:
    """Read objectives.

    Raises:
        ConfigError: it names none, something that nobody counts, or no number.
    """
    return tuple(_objective(part) for part in text.split(","))


def _objective(part: str) -> Objective:
    found = _PART.fullmatch(part)
    if found is None:
        help_ = 'for instance "late_requests <= 0.0001, wait_p95 <= 4h"'
        raise ConfigError(f'--objective: "{part.strip()}" is no objective', help=help_)
    name, sign, limit = found.groups()
    if name not in QUANTITIES:
        help_ = did_you_mean(name, QUANTITIES) or f"one of: {', '.join(QUANTITIES)}"
        raise ConfigError(f'--objective: nobody counts "{name}"', help=help_)
    return Objective(name, sign == "<=", _limit(name, limit))


def _limit(name: str, text: str) -> float:
    try:
        return duration_s(text) if QUANTITIES[name].is_time else float(text)
    except (UnitError, ValueError) as error:
        help_ = "for instance 4h" if QUANTITIES[name].is_time else "for instance 0.0001"
        raise ConfigError(f'--objective: {name}: "{text}" is no limit', help=help_) from error


def keeps(objectives: Sequence[Objective], outcomes: Sequence[Outcome]) -> bool:
    """Whether all objectives are kept on average."""
    return all(one.excess(sum(map(one.value, outcomes)) / len(outcomes)) <= 0 for one in objectives)
