"""What a forecast rests on, for people."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

EVER_SEEN: Final = 3.0
"""No quantile is more than so many times the highest value of the history on the level of today."""
EVER_SEEN_OF_FEW_DAYS: Final = 10.0
"""Likewise with less than a week of history, or on a new level: the highest hour may be still to come."""
SEEN_LATELY: Final = 10.0
"""A forecast that goes beyond so many times the highest value of two weeks says so."""

_HOUR_S: Final = 3600
_DAY_S: Final = 86400


class Footing(StrEnum):
    """How much history there is to learn from."""

    NOTHING = "nothing known"
    HOURS = "a few hours"
    """Less than a day: the level alone, with a wide interval."""
    DAYS = "a few days"
    """Less than five weeks: the level and the shape of a day, later of a week."""
    WEEKS = "weeks"
    """The level, the shape of the week, and how deviations went on in the past."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a forecast rests on.

    Attributes:
        footing: see `Footing`.
        history_s: length of the history used, seconds.
        age_s: time since the end of the last known value, seconds.
        gaps_s: time without a value inside the history, repaired.
        dropouts_s: time whose values were set aside as failures of the record.
        spikes_s: time whose values were cut down as passing spikes.
        shifts: (moment in epoch seconds, factor) of each lasting change of level that the older history was put on.
        correction: factor at the moment of the last correction by a measured rate; 1.0 for none.
        widened: factor of the errors, as its own record asks for it; 1.0 for none.
        absurd_s: time whose values were set aside as beyond belief.
        quiet_s: time before a launch, in which there was no traffic to speak of; it teaches nothing.
        held_s: how long an outage that has not ended has lasted; the forecast is of what would come without it.
        ceiling: what the forecast is held below, in the series' unit: `EVER_SEEN` times the highest in the history.
        lately: the highest of the last two weeks, likewise, on the level of today.
        highest: the highest path before it was held below the ceiling, likewise.
    """

    footing: Footing
    history_s: float = 0.0
    age_s: float = 0.0
    gaps_s: float = 0.0
    dropouts_s: float = 0.0
    spikes_s: float = 0.0
    shifts: tuple[tuple[float, float], ...] = ()
    correction: float = 1.0
    widened: float = 1.0
    absurd_s: float = 0.0
    quiet_s: float = 0.0
    held_s: float = 0.0
    ceiling: float = inf
    lately: float = inf
    highest: float = 0.0

    @property
    def caution(self) -> str:
        """What to know about how far the forecast goes beyond what was seen; "" when it does not go far."""
        if self.highest > self.ceiling:
            return f"held below {self.ceiling:.4g}, {EVER_SEEN:g} times the highest ever seen"
        if self.highest > SEEN_LATELY * self.lately:
            return f"may go beyond {SEEN_LATELY:g} times the highest of the last two weeks ({self.lately:.4g})"
        return ""

    def __str__(self) -> str:
        """Return one sentence."""
        parts = [f"rests on {_span(self.history_s)} of history ({self.footing})"]
        said = (
            (self.gaps_s, "of gaps repaired"),
            (self.dropouts_s, "of dropouts set aside"),
            (self.spikes_s, "of spikes cut"),
            (self.absurd_s, "beyond belief set aside"),
            (self.quiet_s, "before the launch left out"),
        )
        parts += [f"{_span(length)} {what}" for length, what in said if length]
        parts += [f"{len(self.shifts)} change(s) of level followed"] if self.shifts else []
        parts += [f"an outage of {_span(self.held_s)} that has not ended looked past"] if self.held_s else []
        parts += [f"the last value is {_span(self.age_s)} old"] if self.age_s else []
        parts += [f"raised by {self.correction - 1:.0%} to the load measured"] if self.correction > 1 else []
        parts += [f"widened {self.widened:.2g} times, as its p99 has not held lately"] if self.widened > 1 else []
        parts += [self.caution] if self.caution else []
        return ", ".join(parts)


def _span(length_s: float) -> str:
    if length_s >= 2 * _DAY_S:
        return f"{length_s / _DAY_S:.0f} days"
    return f"{length_s / _HOUR_S:.0f} h" if length_s >= _HOUR_S else f"{length_s / 60:.0f} min"
