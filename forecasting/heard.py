"""What was heard of a source: the traffic in its record, and how much of the rest was set aside and why."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from forecasting.models import sparse
from forecasting.series import Series
from forecasting.sifting import sift

_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A record, sifted.

    Attributes:
        series: NaN where there was no traffic to be believed.
        record: the same bins as they were measured.
        gaps: bins without a value in the record.
        outage_bins, surge_bins, absurd_bins: bins set aside, see `Sifted`.
        quiet_bins: before the launch, not in the series any more.
        held_bins: the newest bins, when they are an outage that has not ended.
        unit: the value of one request, where few whole ones come; else 0.
    """

    series: Series
    record: Series
    gaps: int = 0
    outage_bins: float = 0.0
    surge_bins: float = 0.0
    absurd_bins: float = 0.0
    quiet_bins: float = 0.0
    held_bins: int = 0
    unit: float = 0.0

    @classmethod
    def of(cls, series: Series) -> Self:
        """Return what is to be believed of a series."""
        sifted = sift(series.values, series.step_s)
        begun_s = series.start_s + sifted.begun * series.step_s
        believed = replace(series, values=sifted.values).between(begun_s, series.end_s)
        return cls(
            believed,
            series.between(begun_s, series.end_s),
            outage_bins=float(sifted.outages.sum()),
            surge_bins=float(sifted.surges.sum()),
            absurd_bins=float(sifted.beyond_belief.sum()),
            quiet_bins=float(sifted.begun),
            held_bins=sifted.held_bins,
            unit=_unit(believed),
        )

    def in_hours(self) -> Self:
        """Return the same in bins of an hour."""
        share = self.series.step_s / _HOUR_S
        return replace(
            self,
            series=self.series.resample(_HOUR_S),
            record=self.record.resample(_HOUR_S),
            outage_bins=self.outage_bins * share,
            surge_bins=self.surge_bins * share,
            absurd_bins=self.absurd_bins * share,
            quiet_bins=self.quiet_bins * share,
            held_bins=int(self.held_bins * share),
        )

    def lived(self) -> Self | None:
        """Return it from the first believed to the last measured bin; None if there is none."""
        believed, measured = np.flatnonzero(self.series.known), np.flatnonzero(self.record.known)
        if not len(believed):
            return None
        step = self.series.step_s
        from_s, to_s = (self.series.start_s + at * step for at in (believed[0], measured[-1] + 1))
        record = self.record.between(from_s, to_s)
        return replace(self, series=self.series.between(from_s, to_s), record=record, gaps=int((~record.known).sum()))


def _unit(series: Series) -> float:
    """Return the value of one request in the series' bins, where few whole ones come in an hour; else 0."""
    if series.step_s < _HOUR_S and not sparse.unit(series.resample(_HOUR_S).values):
        return 0.0
    return sparse.unit(series.values)
