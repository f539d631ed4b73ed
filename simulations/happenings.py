"""Recorded traffic with what a scenario adds to it: spikes, another site's requests, and times without an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scheduler.config.scenario import Scenario, Silence
from scheduler.control.ports import Traffic, TrafficSource
from scheduler.model.errors import Unreachable
from scheduler.telemetry.replay import ReplayTraffic

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extra:
    """More (or less) load from one moment to another.

    Attributes:
        from_s, until_s: epoch seconds.
        times: what the traffic's own load is multiplied by.
        other: traffic that comes on top; None for none.
        share: of it.
    """

    from_s: float
    until_s: float
    times: float = 1.0
    other: ReplayTraffic | None = None
    share: float = 0.0


class EventfulTraffic(ReplayTraffic):
    """Recorded traffic with extra load; what was recorded before stays as it was."""

    @classmethod
    def of(cls, recorded: ReplayTraffic, extras: Sequence[Extra]) -> Self:
        """Return a record with extras; where several hold at a time they multiply, or add up."""
        found = cls(recorded.series, recorded.holidays)
        found._extras = tuple(extras)
        return found

    _extras: tuple[Extra, ...] = ()

    def rate_at(self, at_s: float) -> float:
        """Return requests per second at a moment."""
        return float(self.rates_at(np.array(at_s)))

    def rates_at(self, at_s: Floats) -> Floats:
        """Return the same for many moments, in their shape."""
        at_s = np.asarray(at_s, dtype=np.float64)
        own, more = super().rates_at(at_s), np.zeros(at_s.shape)
        for extra in self._extras:
            holds = (at_s >= extra.from_s) & (at_s < extra.until_s)
            own = np.where(holds, own * extra.times, own)
            if extra.other is not None:
                more += np.where(holds, extra.share * extra.other.rates_at(at_s), 0.0)
        return own + more


class FalteringSource:
    """A `scheduler.control.ports.TrafficSource` that does not answer at some times."""

    def __init__(self, source: TrafficSource, silences: Sequence[tuple[float, float]]) -> None:
        """Let a source be silent from one epoch second to another, several times."""
        self._source, self._silences = source, tuple(silences)

    def read(self, now_s: float) -> Traffic:
        """Return what the source says.

        Raises:
            Unreachable: this is a time of silence.
        """
        if any(from_s <= now_s < until_s for from_s, until_s in self._silences):
            raise Unreachable("the traffic source does not answer", help="it will when the scenario says so")
        return self._source.read(now_s)


def eventful(recorded: Mapping[str, ReplayTraffic], scenario: Scenario, start_s: float) -> dict[str, ReplayTraffic]:
    """Return all traffic of a scenario that starts at an epoch second, shifted, with its spikes and failovers."""
    shifted = {name: _shifted(one, scenario.traffic[name].shift) for name, one in recorded.items()}
    extras: dict[str, list[Extra]] = {name: [] for name in recorded}
    for spike in scenario.spikes:
        begins_s = start_s + spike.after
        extras[spike.traffic].append(Extra(begins_s, begins_s + spike.lasts, times=spike.times))
    for one in scenario.failovers:
        begins_s = start_s + one.after
        extras[one.to].append(Extra(begins_s, begins_s + one.lasts, other=shifted[one.source], share=one.share))
    return {name: EventfulTraffic.of(one, extras[name]) if extras[name] else one for name, one in shifted.items()}


def faltering(source: TrafficSource, name: str, silences: Sequence[Silence], start_s: float) -> TrafficSource:
    """Return a source with the silences of its name, in a scenario that starts at an epoch second."""
    found = [(start_s + one.after, start_s + one.after + one.lasts) for one in silences if one.traffic == name]
    return FalteringSource(source, found) if found else source


def _shifted(recorded: ReplayTraffic, shift_s: float) -> ReplayTraffic:
    if not shift_s:
        return recorded
    series = replace(recorded.series, start_s=recorded.series.start_s + round(shift_s))
    return ReplayTraffic(series, recorded.holidays)
