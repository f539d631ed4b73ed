"""Traffic from a real Prometheus server: the bins are the truth, ranges stay allowed, silence is seen."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from scheduler.model.errors import Unreachable
from scheduler.telemetry.prometheus import Answering, PrometheusTraffic, ranges

QUERY = "sum(rate(requests_total[5m]))"
HOUR_S = 3600
IMPATIENT = Answering(timeout_s=2.0, retries=1, backoff_s=0.0)


@pytest.mark.prometheus
def test_closed_bins_are_the_mean_rate_of_their_hour(recorded: Any, true_rate: Callable[[float], float]) -> None:
    traffic = PrometheusTraffic(recorded.url, QUERY, history_s=48 * HOUR_S).read(recorded.end_s - 600.0)
    series = traffic.series
    assert (series.step_s, series.end_s) == (HOUR_S, recorded.end_s - HOUR_S)
    assert len(series) == 48
    truth = [true_rate(series.start_s + (i + 0.5) * HOUR_S) for i in range(48)]
    np.testing.assert_allclose(series.values, truth, rtol=0.02)


@pytest.mark.prometheus
def test_the_latest_rate_is_of_now(recorded: Any, true_rate: Callable[[float], float]) -> None:
    now_s = recorded.end_s - 600.0
    traffic = PrometheusTraffic(recorded.url, QUERY, history_s=6 * HOUR_S).read(now_s)
    assert now_s - traffic.latest_at_s < 60
    assert traffic.latest_rps == pytest.approx(true_rate(now_s), rel=0.03)


@pytest.mark.prometheus
def test_a_series_that_ended_grows_old(recorded: Any) -> None:
    traffic = PrometheusTraffic(recorded.url, QUERY, history_s=6 * HOUR_S).read(recorded.end_s + 1800.0)
    assert recorded.end_s <= traffic.latest_at_s <= recorded.end_s + 300
    gone = PrometheusTraffic(recorded.url, QUERY, history_s=6 * HOUR_S).read(recorded.end_s + 3 * HOUR_S)
    assert np.isnan(gone.latest_rps)
    assert gone.latest_at_s == recorded.end_s + 2 * HOUR_S


@pytest.mark.prometheus
def test_what_was_never_scraped_is_missing_not_zero(recorded: Any) -> None:
    traffic = PrometheusTraffic(recorded.url, QUERY, history_s=48 * HOUR_S).read(recorded.begin_s + 5.0 * HOUR_S)
    assert np.isnan(traffic.series.values[:43]).all()
    assert not np.isnan(traffic.series.values[43:]).any()
    nothing = PrometheusTraffic(recorded.url, "sum(rate(nobody_total[5m]))", history_s=6 * HOUR_S)
    assert np.isnan(nothing.read(recorded.end_s).series.values).all()


@pytest.mark.prometheus
def test_a_range_of_more_samples_than_the_server_allows_is_split(recorded: Any) -> None:
    now_s = recorded.end_s + 0.0
    traffic = PrometheusTraffic(recorded.url, QUERY, step_s=60, history_s=12_000 * 60.0).read(now_s)
    assert len(traffic.series) == 12_000
    assert (~np.isnan(traffic.series.values)).sum() > 3500


@pytest.mark.prometheus
def test_reading_on_gives_what_reading_at_once_gives(recorded: Any) -> None:
    patient = PrometheusTraffic(recorded.url, QUERY, history_s=24 * HOUR_S)
    for hours in (30, 31, 31.5, 40):
        by_and_by = patient.read(recorded.begin_s + hours * HOUR_S)
    at_once = PrometheusTraffic(recorded.url, QUERY, history_s=24 * HOUR_S).read(recorded.begin_s + 40 * HOUR_S)
    assert by_and_by.series.start_s == at_once.series.start_s
    np.testing.assert_allclose(by_and_by.series.values, at_once.series.values)


@pytest.mark.prometheus
def test_several_series_are_refused_with_what_to_do(recorded: Any) -> None:
    with pytest.raises(Unreachable, match="yields 2 series, not one") as caught:
        PrometheusTraffic(recorded.url, "rate(requests_total[5m])", history_s=6 * HOUR_S).read(recorded.end_s)
    assert caught.value.faults[0].help == "put sum(…) around it"


@pytest.mark.prometheus
def test_a_wrong_query_is_said_in_the_servers_words(recorded: Any) -> None:
    with pytest.raises(Unreachable, match="parse error"):
        PrometheusTraffic(recorded.url, "sum(rate(", history_s=6 * HOUR_S).read(recorded.end_s)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"Prometheus at http://127\.0\.0\.1:1"):
        PrometheusTraffic("http://127.0.0.1:1", QUERY, answering=IMPATIENT).read(1e9)


@pytest.fixture
def flaky() -> Iterator[tuple[str, list[int]]]:
    """Serve an error once, then an empty answer; give the URL and the answers' codes."""
    codes: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class's name
            codes.append(503 if not codes else 200)
            body = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
            self.send_response(codes[-1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", codes
        server.shutdown()
        thread.join()


def test_an_error_that_passes_is_tried_again(flaky: tuple[str, list[int]]) -> None:
    url, codes = flaky
    traffic = PrometheusTraffic(url, QUERY, history_s=6 * HOUR_S, answering=IMPATIENT).read(1e9)
    assert codes == [503, 200, 200]
    assert np.isnan(traffic.series.values).all()


@pytest.mark.parametrize(("samples", "most"), [(1, 5), (5, 5), (6, 5), (23, 5), (10, 1)])
def test_ranges_cover_every_sample_once_and_none_is_too_long(samples: int, most: int) -> None:
    parts = list(ranges(1000, 1000 + (samples - 1) * 60, 60, most))
    covered = [at_s for begin, end in parts for at_s in range(begin, end + 1, 60)]
    assert covered == [1000 + i * 60 for i in range(samples)]
    assert all((end - begin) // 60 + 1 <= most for begin, end in parts)


def test_an_empty_range_has_no_parts() -> None:
    assert list(ranges(1060, 1000, 60)) == []
