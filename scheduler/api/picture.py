"""The chart as numbers, as a sentence and as a table, for those who see it and those who do not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from scheduler.api.answers import check_model
from scheduler.api.formatting import clock, number, ratio
from scheduler.api.past import past_of
from scheduler.api.presenting.capacity import capacity_view
from scheduler.api.presenting.points import Window
from scheduler.api.presenting.times import moment
from scheduler.api.series import Chart, chart_of
from scheduler.api.site import Parts
from scheduler.wire.serving import Capacity, CapacityPoint

RangeName = Literal["6h", "24h", "48h", "7d"]
RANGES: Final[dict[RangeName, float]] = {"6h": 6.0, "24h": 24.0, "48h": 48.0, "7d": 168.0}
"""Hours ahead by name."""
MOST_ROWS: Final = 40


@dataclass(frozen=True, slots=True)
class Picture:
    """What the chart shows.

    Attributes:
        capacity: its numbers.
        now: the moment that parts past and future.
        version: changes when the picture may have.
    """

    capacity: Capacity
    now: datetime
    version: str

    @property
    def chart(self) -> Chart:
        """The picture's tables and axes."""
        return chart_of(self.capacity, self.now)

    @property
    def text(self) -> str:
        """The picture in two sentences."""
        seen = [p for p in self.capacity.points if p.at <= self.now and p.actual is not None]
        said = [f"Serving demand, forecast and capacity in {self.capacity.unit}."]
        if seen:
            said.append(f"Demand is {number(seen[-1].actual, 1)} now{_against(seen[-1])}.")
        if self.capacity.lowest_at is not None and self.capacity.unit == "GPUs":
            when = clock(self.capacity.lowest_at, self.now)
            said.append(f"The lowest headroom ahead is {ratio(self.capacity.lowest_ratio)} at {when}.")
        return " ".join(said)

    @property
    def rows(self) -> tuple[CapacityPoint, ...]:
        """As many points as can be read as a table."""
        points = self.capacity.points
        return points[:: max(1, -(-len(points) // MOST_ROWS))]


def picture_of(parts: Parts, range_name: RangeName, model: str = "") -> Picture | None:
    """Return the picture of the last report; None before the first cycle.

    Raises:
        NotFound: there is no such model.
    """
    report = parts.board.report
    if report is None:
        return None
    check_model(report, model)
    window = Window.around(report.cycle.at_s, RANGES[range_name] * 3600.0, model=model)
    view = parts.shown(capacity_view(report, past_of(parts), window, parts.site.policy))
    return Picture(view, moment(report.cycle.at_s), str(report.cycle.number))


def _against(point: CapacityPoint) -> str:
    return "" if point.ready is None else f" against {number(point.ready, 1)} ready"
