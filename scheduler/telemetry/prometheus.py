"""Traffic measured by a Prometheus server."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from forecasting.series import Series
from scheduler.control.ports import Traffic
from scheduler.model.errors import Unreachable

MOST_SAMPLES = 11_000
"""Prometheus refuses a range of more points in one answer."""
LATEST_WITHIN_S = 3600
LATEST_STEP_S = 15
SAMPLES_A_BIN = 12
"""How often the query is evaluated inside a bin to get the mean over it."""


@dataclass(frozen=True, slots=True)
class Answering:
    """How patient we are with the server.

    Attributes:
        timeout_s: of one request.
        retries: further tries after errors that may pass.
        backoff_s: before the second further try; doubles.
    """

    timeout_s: float = 10.0
    retries: int = 3
    backoff_s: float = 0.5


class PrometheusTraffic:
    """One series of requests per second, in closed bins; bins once read are kept and never asked for again."""

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
        self._server = PrometheusConnect(url=url, retry=retry, timeout=patience.timeout_s, method="POST")
        self._url, self._query, self._step_s, self._history_s, self._zone = url, query, step_s, history_s, zone
        self._holidays = holidays
        self._bins: dict[int, float] = {}

    def read(self, now_s: float) -> Traffic:
        """Return the closed bins up to `now_s`, and the last rate seen within the last hour with its time.

        Raises:
            Unreachable: the server does not answer, refuses the query, or answers with several series.
        """
        end_s = int(now_s // self._step_s) * self._step_s
        start_s = end_s - int(self._history_s // self._step_s) * self._step_s
        self._fill(start_s, end_s)
        values = [self._bins.get(at_s, math.nan) for at_s in range(start_s, end_s, self._step_s)]
        latest_at_s, latest = self._latest(now_s)
        return Traffic(Series(start_s, self._step_s, np.array(values), self._zone), latest, latest_at_s, self._holidays)

    def _fill(self, start_s: int, end_s: int) -> None:
        """Read the bins not read yet; a bin is stamped by its start, and asked for at its end."""
        self._bins = {at_s: rate for at_s, rate in self._bins.items() if at_s >= start_s}
        first_s = max(self._bins, default=start_s - self._step_s) + self._step_s
        inner_s = max(1, self._step_s // SAMPLES_A_BIN)
        mean = f"avg_over_time(({self._query})[{self._step_s}s:{inner_s}s])"
        read: dict[int, float] = {}
        for from_s, to_s in ranges(first_s + self._step_s, end_s, self._step_s):
            read.update((at_s - self._step_s, rate) for at_s, rate in self._ask(mean, from_s, to_s, self._step_s))
        for at_s in range(first_s, end_s, self._step_s):
            self._bins[at_s] = read.get(at_s, math.nan)

    def _latest(self, now_s: float) -> tuple[float, float]:
        """Return when the query last had a value, and the value: a series that has gone stale ends."""
        end_s = int(now_s)
        points = [
            (at_s, rate)
            for at_s, rate in self._ask(self._query, end_s - LATEST_WITHIN_S, end_s, LATEST_STEP_S)
            if not math.isnan(rate)
        ]
        return points[-1] if points else (now_s - LATEST_WITHIN_S, math.nan)

    def _ask(self, query: str, from_s: int, to_s: int, step_s: int) -> list[tuple[int, float]]:
        start, end = datetime.fromtimestamp(from_s, UTC), datetime.fromtimestamp(to_s, UTC)
        try:
            found = self._server.custom_query_range(query, start, end, str(step_s))
        except (requests.RequestException, PrometheusApiClientException, ValueError, KeyError) as error:
            raise Unreachable(f"Prometheus at {self._url}: {error}", help="is it up, is the query right?") from error
        return _only(found, self._query)


def ranges(from_s: int, to_s: int, step_s: int, most: int = MOST_SAMPLES) -> Iterator[tuple[int, int]]:
    """Yield (first, last) moments of consecutive ranges of at most `most` samples, both ends included."""
    for begin_s in range(from_s, to_s + 1, most * step_s):
        yield begin_s, min(to_s, begin_s + (most - 1) * step_s)


def _only(found: list[Mapping[str, Any]], query: str) -> list[tuple[int, float]]:
    if len(found) > 1:
        raise Unreachable(f"{query} yields {len(found)} series, not one", help="put sum(…) around it")
    return [(int(at_s), _rate(rate)) for series in found for at_s, rate in series["values"]]


def _rate(text: str) -> float:
    """Return a rate; NaN for what is none (a division by zero in the query)."""
    rate = float(text)
    return max(0.0, rate) if math.isfinite(rate) else math.nan
