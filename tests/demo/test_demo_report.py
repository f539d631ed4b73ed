"""What the demo reports, and how it is shown."""

import io
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.backends.ray import machine
from scheduler.cli.demo_screen import DemoScreen
from scheduler.cli.screen import Screen
from scheduler.client import Client
from scheduler.demo import preflight
from scheduler.demo.load import Count
from scheduler.demo.play import Ports, Progress
from scheduler.demo.report import Evening, Report, report_of
from scheduler.demo.versions import Version
from scheduler.demo.watch import ModelHistory, Sighting, Watcher
from scheduler.model.errors import ConfigError
from scheduler.wire.jobs import Attempt, Event, Job
from scheduler.wire.serving import Capacity

PEAK_AT = datetime(2012, 10, 21, 19, 30, tzinfo=UTC)


def attempt(number: int, ended_at: datetime, outcome: str, resumed_from: int = 0) -> Attempt:
    started = ended_at - timedelta(hours=2)
    return Attempt(
        number=number, started_at=started, ended_at=ended_at, outcome=outcome, resumed_from_step=resumed_from
    )


def job(name: str, attempts: list[Attempt]) -> Job:
    return Job(
        id="1",
        name=name,
        owner="",
        queue="research",
        priority_class="low",
        priority=25,
        preemptible=True,
        state="Succeeded",
        workers=2,
        gpus_per_worker=1,
        gpus=2,
        cpus_per_worker=1,
        memory_bytes_per_worker=1,
        submitted_at=PEAK_AT - timedelta(hours=9),
        age_s=1,
        wait_s=100.04,
        run_s=200.0,
        lost_gpu_s=12.0,
        step=90,
        total_steps=90,
        attempts=tuple(attempts),
    )


@pytest.fixture
def watcher() -> Watcher:
    seen = Watcher(client=Client())
    seen.models = {"edit-check": ModelHistory(1, 4, 1.2345, PEAK_AT), "cope-a-9b": ModelHistory(1, 1, 1.05, PEAK_AT)}
    seen.foreseen_rps = [(PEAK_AT - timedelta(hours=h), 30.0 + h) for h in (6, 3, 2, 1)]
    return seen


@pytest.fixture
def report(watcher: Watcher) -> Report:
    preempted = attempt(1, PEAK_AT - timedelta(hours=1), "Preempted")
    after = attempt(2, PEAK_AT + timedelta(hours=6), "Succeeded", resumed_from=40)
    return report_of(
        mode="forecast",
        speed=540.0,
        wall_s=300.0,
        counts={"edit-check": Count(100, 2, 1), "cope-a-9b": Count(50)},
        jobs=[job("wikitext-lm", [preempted, after]), job("once", [after])],
        watcher=watcher,
        versions=[
            Version("better", 2, "done", "2012-10-01T12:00:00+00:00", 12),
            Version("broken", 3, "rolled back", "2012-10-01T20:00:00+00:00", 9, 9, "9 of 9 failed"),
            Version("never", 4),
        ],
        evening=Evening(PEAK_AT, 33.333, timedelta(hours=2)),
    )


def test_requests_are_summed_over_models(report: Report) -> None:
    assert (report.requests_total, report.requests_late, report.requests_failed) == (150, 2, 1)


def test_the_lowest_headroom_is_that_of_the_worst_model(report: Report) -> None:
    assert report.min_headroom_ratio == 1.05


def test_a_preempted_job_tells_from_which_step_it_went_on(report: Report) -> None:
    again, once = report.jobs
    assert (again.attempts, again.resumed_from_step) == (2, 40)
    assert (once.attempts, once.resumed_from_step) == (1, None)


def test_preemptions_before_the_peak_are_told_from_those_after_it(report: Report) -> None:
    assert (report.preemptions, report.preemptions_before_peak) == (1, 1)


def test_the_peak_is_compared_with_what_was_planned_one_lead_time_before(report: Report) -> None:
    assert (report.peak.actual, report.peak.forecast_p99) == (33.33, 32.0)


def test_the_document_has_all_that_is_promised(report: Report) -> None:
    document = report.as_json()
    promised = {
        "requests_total",
        "requests_failed",
        "requests_late",
        "min_headroom_ratio",
        "preemptions",
        "gpu_seconds_lost",
        "jobs",
        "peak",
        "serving",
        "versions",
    }
    assert promised <= set(document)
    assert {"name", "priority", "state", "attempts", "resumed_from_step", "wait_s", "run_s"} <= set(document["jobs"][0])
    assert {"forecast_p99", "actual"} <= set(document["peak"])


def screen() -> Any:
    return Screen(io.StringIO(), io.StringIO(), is_terminal=False, width=120, colored=False, header=True, zone=UTC)


def test_the_outcome_stands_beside_that_of_the_other_mode(report: Report) -> None:
    printed = screen()
    document = report.as_json()
    DemoScreen(printed).outcome(document, document | {"mode": "reactive", "requests_late": 700})
    text = printed.out.getvalue()
    assert "OUTCOME\tFORECAST\tREACTIVE" in text
    assert "late\t2\t700" in text
    assert "wikitext-lm\tlow\tSucceeded\t2\t2\tstep 40\t90 of 90" in text
    assert "better\t2\ttook over\t12 requests\t0\t-" in text
    assert "broken\t3\trolled back\t9 requests\t9\t9 of 9 failed" in text
    assert "never\t4\tnot begun" in text


def sighting(*events: Event) -> Sighting:
    capacity = Capacity(
        verdict="",
        detail="",
        notice="",
        covered=True,
        headroom_ratio=1.14,
        headroom_model="edit-check",
        lowest_ratio=None,
        lowest_at=None,
        lowest_model="",
        horizon_s=0,
        lead_time_s=0,
        gpus=12,
        gpus_serving=9,
        gpus_training=2,
        gpus_held=0,
        gpus_free=1,
        gpus_drained=0,
        serving_gpus_ready=9,
        serving_gpus_p99_now=8,
        waiting=1,
        oldest_wait_s=0,
        requests_24h=0,
        late_24h=0,
        failed_24h=0,
        gpu_s_lost_24h=0,
        gpu_s_trained_24h=0,
        preemptions_24h=0,
    )
    return Sighting(PEAK_AT, (), capacity, (), events)


def event(kind: str, title: str, detail: str = "") -> Event:
    return Event(id=1, at=PEAK_AT, cycle=1, kind=kind, subject="1", title=title, detail=detail)


def test_on_a_pipe_events_and_now_and_then_the_state_are_lines() -> None:
    printed = screen()
    shown = DemoScreen(printed)
    seen = sighting(event("preemption", "2 wikitext-lm preempting", "2 GPUs for edit-check"), event("serving", "quiet"))
    for _ in range(3):
        shown.show(seen, Progress(0.5, 100, 1, 0))
    lines = printed.err.getvalue().splitlines()
    assert lines[0] == "Sun 19:30  2 wikitext-lm preempting · 2 GPUs for edit-check"
    assert sum("headroom 1.14" in line and "9/12 GPUs serving" in line for line in lines) == 1
    assert not any("quiet" in line for line in lines)


def test_of_a_stack_trace_the_last_line_is_shown() -> None:
    printed = screen()
    trace = "Traceback\n  File x\nFileNotFoundError: data.csv"
    DemoScreen(printed).show(sighting(event("failure", "1 failed", trace)), Progress(0.0, 0, 0, 0))
    assert printed.err.getvalue().splitlines()[0] == "Sun 19:30  1 failed · FileNotFoundError: data.csv"


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as raised:
            preflight.check(Ports(port, 0))
    (fault,) = raised.value.faults
    assert str(port) in fault.message
    assert fault.help.startswith("--port 0")


def test_too_little_memory_is_said_with_numbers_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mib", lambda: 700)
    with pytest.raises(ConfigError, match="needs 4000 MiB of memory, 700 MiB are free"):
        preflight.check(Ports(0, 0))


def test_free_ports_are_found_for_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mib", lambda: 50_000)
    ports = preflight.check(Ports(0, 0))
    assert ports.api != ports.router
    assert min(ports.api, ports.router) > 0
