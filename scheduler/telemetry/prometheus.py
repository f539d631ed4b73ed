"""Traffic measured by a Prometheus server."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import requests
from numpy.typing import NDArray
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from forecasting.series import Series
from scheduler.control.ports import Traffic
from scheduler.model.errors import Unreachable
from scheduler.telemetry.answers import Point, points_of
from scheduler.telemetry.counters import asks_for_a_counter, is_rated, looks_counted, rated

MOST_SAMPLES = 11_000
"""Prometheus refuses a range of more points in one answer."""
LATEST_WITHIN_S = 3600
LATEST_STEP_S = 15
SETTLED_S: Final = 7200.0
"""A bin that has not changed for so long is not asked for again: samples may arrive late."""
MISSING_FOR_S: Final = 7 * 86400.0
"""Bins without a value are asked for again for so long,"""
MISSING_EVERY_S: Final = 3600.0
"""so often."""
JOINED: Final = 48
"""Bins that may lie between two that are asked for in one request."""
SLACK: Final = 0.05
LEAST_SLACK_S: Final = 60.0
"""A bin counts as whole when no more than this share of it (or so many seconds) is later than the newest sample."""
SAMPLES_A_BIN = 12
"""How often the query is evaluated inside a bin to get the mean over it."""


@dataclass(frozen=True, slots=True)
class Answering:
    """How patient we are with the server.

    Attributes:
        timeout_s: until an answer is.
        retries: further tries after errors that may pass.
        backoff_s: before the second further try; doubles.
        connect_s: until a connection is there.
    """

    timeout_s: float = 10.0
    retries: int = 3
    backoff_s: float = 0.5
    connect_s: float = 3.0


class PrometheusTraffic:
    """One series of requests per second, in closed bins; bins are asked for again until they have settled."""

    def __init__(  # noqa: PLR0913  # the fields of the configuration, all by name
        self,
        url: str,
        query: str,
        *,
        step_s: int = 3600,
        history_s: float = 42 * 86400.0,
        zone: str = "UTC",
        holidays: frozenset[date] = frozenset(),
        answering: Answering | None = None,
    ) -> None:
        """Read a query.

        Args:
            url: of the server, for instance http://127.0.0.1:9090.
            query: PromQL that yields one series in requests per second, for instance
                `sum(rate(http_requests_total{job="edit-check"}[5m]))`.
            step_s: length of a bin, seconds.
            history_s: how far back to read.
            zone: IANA zone whose days the traffic follows.
            holidays: local dates on which the traffic goes like on a Sunday.
            answering: see `Answering`.
        """
        patience = answering or Answering()
        retry = Retry(
            total=patience.retries,
            backoff_factor=patience.backoff_s,
            status_forcelist=(408, 429, 500, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        )
        self._server = PrometheusConnect(
            url=url, retry=retry, timeout=(patience.connect_s, patience.timeout_s), method="POST"
        )
        self._url, self._query, self._step_s, self._history_s, self._zone = url, query, step_s, history_s, zone
        self._holidays = holidays
        self._bins: dict[int, float] = {}
        self._open: dict[int, float] = {}
        """Bins that are asked for again, and when they were last seen to change."""
        self._missed_at_s = -math.inf

    def read(self, now_s: float) -> Traffic:
        """Return the closed bins up to `now_s`, and the last rate seen within the last hour with its time.

        A closed bin that has not all its samples yet, as the newest is older than its end, is not known yet.

        Raises:
            Unreachable: the server does not answer, refuses the query, answers with several series or with none of
                numbers, or the query asks for a counter.
        """
        end_s = int(now_s // self._step_s) * self._step_s
        start_s = end_s - int(self._history_s // self._step_s) * self._step_s
        points = self._ask(self._query, int(now_s) - LATEST_WITHIN_S, int(now_s), LATEST_STEP_S)
        newest = _last(points)
        latest_at_s, latest = newest or (now_s - LATEST_WITHIN_S, math.nan)
        self._fill(start_s, end_s, now_s)
        newest_s = newest[0] if newest else now_s - SETTLED_S
        whole_s = newest_s + max(LEAST_SLACK_S, SLACK * self._step_s)
        values = np.array(
            [
                self._bins.get(at_s, math.nan) if at_s + self._step_s <= whole_s else math.nan
                for at_s in range(start_s, end_s, self._step_s)
            ]
        )
        self._refuse_counter(values, np.array([rate for _, rate in points]))
        return Traffic(Series(start_s, self._step_s, values, self._zone), latest, latest_at_s, self._holidays)

    def _fill(self, start_s: int, end_s: int, now_s: float) -> None:
        """Read the bins that are new, that have changed lately, and, once an hour, those that are missing."""
        self._bins = {at_s: rate for at_s, rate in self._bins.items() if start_s <= at_s < end_s}
        self._open = {at_s: since_s for at_s, since_s in self._open.items() if at_s in self._bins}
        first_s = max(self._bins, default=start_s - self._step_s) + self._step_s
        wanted = [*range(first_s, end_s, self._step_s), *self._open]
        if not 0 <= now_s - self._missed_at_s < MISSING_EVERY_S:
            self._missed_at_s = now_s
            wanted += self._missing(end_s - MISSING_FOR_S, end_s)
        for from_s, to_s in _stretches(wanted, self._step_s):
            self._read(from_s, to_s, now_s)

    def _missing(self, from_s: float, end_s: int) -> list[int]:
        """Return the bins without a value, and those beside them, which may have been cut."""
        step_s = self._step_s
        gaps = [at_s for at_s, rate in self._bins.items() if math.isnan(rate) and at_s >= from_s]
        around = {near_s for at_s in gaps for near_s in (at_s - step_s, at_s, at_s + step_s)}
        return sorted(at_s for at_s in around if at_s in self._bins and at_s < end_s)

    def _read(self, first_s: int, last_s: int, now_s: float) -> None:
        """Read bins by their starts; a bin is asked for at its end. One that is new or changes is read again later."""
        step_s, inner_s = self._step_s, max(1, self._step_s // SAMPLES_A_BIN)
        mean = f"avg_over_time(({self._query})[{step_s}s:{inner_s}s])"
        read: dict[int, float] = {}
        for from_s, to_s in ranges(first_s + step_s, last_s + step_s, step_s):
            read.update((at_s - step_s, rate) for at_s, rate in self._ask(mean, from_s, to_s, step_s))
        for at_s in range(first_s, last_s + 1, step_s):
            rate, known = read.get(at_s, math.nan), self._bins.get(at_s)
            self._bins[at_s] = rate
            is_young = known is None and now_s - at_s - step_s < SETTLED_S
            if is_young or (known is not None and not _alike(known, rate)):
                self._open[at_s] = now_s
            elif now_s - self._open.get(at_s, -math.inf) >= SETTLED_S:
                self._open.pop(at_s, None)

    def _refuse_counter(self, values: NDArray[np.float64], lately: NDArray[np.float64]) -> None:
        if is_rated(self._query):
            return
        named = any(asks_for_a_counter(self._query, some) for some in (values, lately) if not np.isnan(some).all())
        if named or looks_counted(values, self._step_s):
            raise Unreachable(
                f"{self._query} is a counter, not a rate: it only grows, but for resets",
                help=f"write {rated(self._query)}",
            )

    def _ask(self, query: str, from_s: int, to_s: int, step_s: int) -> list[Point]:
        start, end = datetime.fromtimestamp(from_s, UTC), datetime.fromtimestamp(to_s, UTC)
        try:
            found = self._server.custom_query_range(query, start, end, str(step_s))
        except (requests.RequestException, PrometheusApiClientException) as error:
            raise Unreachable(f"{at(self._url)}: {error}", help="is it up, is the query right?") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"{at(self._url)} answers with something else than a result"
            raise Unreachable(said, help="is the address that of a Prometheus server?") from error
        return points_of(found, self._query)


def at(url: str) -> str:
    """Return the name of a server for people; what it demands of us is no part of it."""
    parts = urlsplit(url)
    return f"Prometheus at {urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))}"


def _stretches(wanted: Iterable[int], step_s: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of stretches of bins, joined where little lies between them."""
    bins = sorted(set(wanted))
    cuts = [0, *(i for i in range(1, len(bins)) if bins[i] - bins[i - 1] > JOINED * step_s), len(bins)]
    yield from ((bins[i], bins[k - 1]) for i, k in itertools.pairwise(cuts) if i < k)


def _alike(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-6)


def _last(points: Iterable[Point]) -> Point | None:
    """Return the last point that has a value: a series that has gone stale ends."""
    known = [point for point in points if not math.isnan(point[1])]
    return known[-1] if known else None


def ranges(from_s: int, to_s: int, step_s: int, most: int = MOST_SAMPLES) -> Iterator[tuple[int, int]]:
    """Yield (first, last) moments of consecutive ranges of at most `most` samples, both ends included."""
    for begin_s in range(from_s, to_s + 1, most * step_s):
        yield begin_s, min(to_s, begin_s + (most - 1) * step_s)
