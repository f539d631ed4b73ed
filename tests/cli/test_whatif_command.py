"""`headroom whatif`: what is asked, what is shown of the answer, and what is wrong with a question."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.wire.base import Single
from scheduler.wire.control import Status
from scheduler.wire.whatif import WhatIf
from tests.cli.whatif_answers import a_job, a_question, a_side

Headroom = Callable[..., Any]


@pytest.fixture
def at(plane: Any) -> Any:
    """Return the moment of the canned answers."""
    return plane.answers["GET", "/jobs"].observed_at


def answers(plane: Any, at: Any, phase: str = "done", **changes: Any) -> None:
    plane.gives("POST", "/whatif", a_question(at, phase, **changes))


def test_the_answer_in_words_and_the_jobs_that_fare_otherwise(headroom: Headroom, plane: Any, at: Any) -> None:
    answers(plane, at)
    shown = headroom("--utc", "whatif", "--traffic", "x1.5")
    lines = shown.out.splitlines()
    assert lines[:9] == [
        "As is → what if, from state 18422 (nothing is touched) · 20 runs to Wed 17:24, 41 s",
        "lowest headroom   1.16 (edit-check, 19:24) → 0.93 (edit-check, 19:24)",
        "late requests     0 → 1 920 (0.21 %)",
        "short what if     19:24 – 21:24 edit-check, no room for its replicas (14 of 20 runs)",
        "preemptions       4.0 → 9.0 a run",
        "training          700 → 700 GPU-hours",
        "jobs that end     11.0 → 11.0",
        "Would cover it: 1 more host like ml-serve1013 (for edit-check), tried on the worst run.",
        "JOB\tNAME\tSTART AS IS\tSTART WHAT IF\tEND AS IS\tEND WHAT IF\tLATER\tPREEMPTED",
    ]
    assert [line.split("\t")[0] for line in lines[9:]] == ["417", "398"]
    assert lines[9].split("\t")[6:] == ["+2h40m", "0% → 40% at 18:24 (4 GPUs for edit-check)"]
    assert lines[10].split("\t")[2:4] == ["running", "running"]
    assert "401" in headroom("whatif", "-o", "wide").out


def test_nobody_fares_otherwise(headroom: Headroom, plane: Any, at: Any) -> None:
    answers(plane, at, jobs=(a_job(at, "401", 0.0),), what_if=a_side(at), cover="Serving stays covered in every run.")
    shown = headroom("whatif")
    assert shown.out.splitlines()[-1] == "Serving stays covered in every run."
    assert "no job fares otherwise" in shown.err


def test_all_that_is_asked_goes_along(headroom: Headroom, plane: Any, at: Any, tmp_path: Path) -> None:
    answers(plane, at)
    plane.gives("GET", "/status", Single(kind="Status", observed_at=at, cycle=18422, item=_status()))
    for name, text in (("job", "name: train\nentrypoint: x"), ("rules", "policy: {bookings: 8}"), ("model", "name: m")):
        (tmp_path / f"{name}.yaml").write_text(text)
    headroom(
        "--utc", "whatif", "--traffic", "1.5", "--spike", "20:00+2h:x3", "--spike", "now+30m:x2",
        "--lose-host", "gpu-1", "--lose-host", "gpu-2", "--add-hosts", "2", "--like", "gpu-3",
        "--submit", str(tmp_path / "job.yaml"), "--policy", str(tmp_path / "rules.yaml"),
        "--deploy", str(tmp_path / "model.yaml"), "--until", "+24h", "--runs", "5", "--seed", "7",
    )  # fmt: skip
    asked = plane.of("POST", "/whatif")[0].json
    spikes = [(one["at"], one["lasts_s"], one["factor"]) for one in asked.pop("spikes")]
    assert spikes == [("2026-11-23T20:00:00Z", 7200.0, 3.0), ("2026-11-23T17:24:00Z", 1800.0, 2.0)]
    assert asked == {
        "traffic": 1.5,
        "lost_hosts": ["gpu-1", "gpu-2"],
        "new_hosts": [{"like": "gpu-3", "count": 2}],
        "rules": {"policy": {"bookings": 8}},
        "job": {"name": "train", "entrypoint": "x"},
        "model": {"name": "m"},
        "until_s": 86400.0,
        "runs": 5,
        "seed": 7,
    }


def _status() -> Status:
    return Status(
        version="1", cluster="c", backend="ray", state="live", message="", period_s=30.0, speed=1.0, last_plan_at=None,
        last_plan_age_s=None, plan_duration_s=0.0, role="operator",
    )  # fmt: skip


def test_the_answer_grows_until_it_is_whole(headroom: Headroom, plane: Any, at: Any) -> None:
    answers(plane, at, phase="playing", runs=1)
    playing = plane.answers["POST", "/whatif"]
    answers(plane, at)
    plane.gives("GET", "/whatif/w1", plane.answers["POST", "/whatif"])
    plane.gives("POST", "/whatif", playing)
    shown = headroom("whatif", "-o", "json")
    assert "run 1 of 20" in shown.err
    assert json.loads(shown.out)["item"]["answer"]["runs"] == 20


def test_what_failed_is_told(headroom: Headroom, plane: Any, at: Any) -> None:
    item = WhatIf(name="w1", asked_by="", phase="failed", runs_wanted=20, took_s=1.0, failure="it died", answer=None)
    plane.gives("POST", "/whatif", Single(kind="WhatIf", observed_at=at, cycle=18422, item=item))
    shown = headroom("whatif")
    assert shown.code == 3
    assert "the question could not be answered: it died" in shown.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--traffic", "much"), 'error: --traffic: "much" is not a factor'),
        (("--spike", "20:00"), 'error: --spike: "20:00" is not TIME+LENGTH:xFACTOR'),
        (("--spike", "later+1h:x2"), 'error: --spike: "later" is not a date'),
        (("--spike", "now+1h:xx"), 'error: --spike: "xx" is not a factor'),
        (("--add-hosts", "2"), "error: --add-hosts and --like go together"),
        (("--until", "soon"), "error: --until:"),
        (("--until", "1m"), "error: --until:"),
        (("--submit", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(
    headroom: Headroom, plane: Any, at: Any, flags: tuple[str, ...], said: str
) -> None:
    answers(plane, at)
    plane.gives("GET", "/status", Single(kind="Status", observed_at=at, cycle=18422, item=_status()))
    shown = headroom("whatif", *flags)
    assert shown.code == 2
    assert said in shown.err
    assert plane.of("POST", "/whatif") == []
