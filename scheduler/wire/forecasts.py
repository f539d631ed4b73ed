"""Forecasts on the wire: of one model, hour by hour, with peaks and how they held."""

from datetime import datetime

from pydantic import ConfigDict

from scheduler.wire.base import Resource


class ForecastPoint(Resource):
    """Requests per second at one step; quantiles that were asked for come beside these, as p95 or p99.9."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: datetime
    p10: float
    p50: float
    p90: float
    p99: float


class Peak(Resource):
    """The highest load of a window; quantiles that were asked for come beside these, as p95 or p99.9."""

    model_config = ConfigDict(frozen=True, extra="allow")

    window_s: float
    at: datetime
    """When it is most likely."""
    at_p10: datetime | None = None
    at_p90: datetime | None = None
    p50: float
    p90: float
    p99: float


class TrackRecord(Resource):
    """How the forecasts of a model's traffic did lately, in windows of six hours."""

    windows: int
    p99_held: float
    """The share of windows whose peak the p99 was not below."""
    bias: float | None
    """By which part the p50 of the peak was usually above the peak that came; below 0: under it."""
    skill: float | None
    """By which part its error was below that of the same hours a week before."""
    skill_over_reactive: float | None
    """By which part its error was below that of the load just before the window."""
    widened: float
    """What the forecast's errors are multiplied by until the p99 holds again; 1 for nothing."""
    gives_way: bool
    """Whether no less is planned for than the load now with the margin."""
    says: str
    """All of it in a sentence."""


class Forecast(Resource):
    """The forecast of one model's traffic."""

    model: str
    source: str
    basis: str
    history_s: float
    source_age_s: float | None
    """Of the last value; None: nothing was heard of it yet."""
    points: tuple[ForecastPoint, ...]
    peaks: tuple[Peak, ...]
    rests_on: str = ""
    """What the forecast rests on, in a sentence."""
    share: float = 1.0
    """Requests to the model per request of the source."""
    share_spread: float = 0.0
    """Standard deviation of the share's logarithm; 0 for one that is declared, not learned."""
    record: TrackRecord | None = None
    """None before the first window is over."""
