"""The evening whose peak a demo is about, and the recorded load that leads up to it."""

from datetime import UTC, datetime, timedelta

from scheduler.config.schema import Config, ReplayTraffic
from scheduler.demo.programme import EVENING_FROM, STARTS_AT
from scheduler.demo.report import Evening
from scheduler.telemetry import replay


def evening_of(config: Config, ends_at: datetime) -> Evening:
    """Return when the load is highest in the evening, how high, and how far ahead that had to be known."""
    within = [p for p in load_until(config, ends_at) if EVENING_FROM.timestamp() <= p[0] <= ends_at.timestamp()]
    at_s, rps = max(within, key=lambda point: point[1])
    control = config.control
    lead_s = max(model.warm_up for model in config.models) + control.preemption_grace + control.period
    share = sum(model.share for model in config.models)
    return Evening(datetime.fromtimestamp(at_s, UTC), rps * share, timedelta(seconds=lead_s))


def load_until(config: Config, ends_at: datetime) -> list[tuple[float, float]]:
    """Return the recorded traffic of a demo as (epoch second, requests per second) at the centres of its bins."""
    section = next(each for each in config.traffic.values() if isinstance(each, ReplayTraffic))
    source = replay.ReplayTraffic.described(section)
    step_s = source.series.step_s
    first_s = STARTS_AT.timestamp() - step_s / 2
    count = int((ends_at.timestamp() - first_s) // step_s) + 2
    return [(at_s, source.rate_at(at_s)) for at_s in (first_s + i * step_s for i in range(count))]
