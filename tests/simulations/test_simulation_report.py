"""Promises of the report: the document for programs and the lines for people."""

import json
import math
from dataclasses import replace

from simulations.outcome import NUMBERS, Outcome
from simulations.report import Result, document, lines
from simulations.serving import ModelService

NOON_S = 12 * 3600.0


def outcome(**values: float) -> Outcome:
    usual = {"jobs": 50, "jobs_succeeded": 48, "jobs_unfinished": 2, "min_headroom_ratio": 1.2, "requests": 1e6}
    numbers = {name: {**usual, **values}.get(name, 0.0) for name in NUMBERS}
    model = ModelService(1e6, 10.0, 0.0, 60.0, numbers["min_headroom_ratio"], 0.0)
    return Outcome(**numbers, models=(("wide", replace(model, min_headroom_ratio=9.0)), ("tight", model)))


def result(*outcomes: Outcome) -> Result:
    return Result("winter", 61.0, 15, 38, tuple(enumerate(outcomes, start=1)), 9.84)


def moment(at_s: float) -> str:
    return f"at {at_s:g}"


def test_the_document_has_the_layout_it_promises() -> None:
    written = document(result(outcome(late_requests_share=0.25), outcome(late_requests_share=0.75)))
    assert {key: written[key] for key in ("scenario", "seeds", "days", "hosts", "gpus", "jobs")} == {
        "scenario": "winter",
        "seeds": 2,
        "days": 61.0,
        "hosts": 15,
        "gpus": 38,
        "jobs": 50,
    }
    assert written["outcome"]["late_requests_share"] == 0.5
    assert written["intervals"]["late_requests_share"] > 0.0
    assert written["intervals"]["jobs"] == 0.0
    assert [run["seed"] for run in written["runs"]] == [1, 2]
    assert set(written["outcome"]) == set(written["intervals"]) == set(NUMBERS)


def test_the_document_is_json_even_where_numbers_do_not_exist() -> None:
    written = document(result(outcome(wait_mean_s=math.nan, min_headroom_ratio=math.inf)))
    again = json.loads(json.dumps(written, allow_nan=False))
    assert again["outcome"]["wait_mean_s"] is None
    assert again["runs"][0]["min_headroom_ratio"] is None
    assert again["runs"][0]["models"]["tight"] == {
        "requests": 1e6,
        "late": 10.0,
        "failed": 0.0,
        "violation_s": 60.0,
        "min_headroom_ratio": None,
        "min_headroom_at_s": 0.0,
    }


def test_the_lines_say_what_came_out() -> None:
    text = "\n".join(
        lines(
            result(
                outcome(
                    late_requests_share=0.000021,
                    violation_s=120,
                    min_headroom_ratio=0.98,
                    min_headroom_at_s=NOON_S,
                    wait_mean_s=4320,
                    wait_p95_s=24000,
                    preemptions=212,
                    lost_gpu_s=31 * 3600,
                    trained_gpu_s=38_900 * 3600,
                )
            ),
            moment,
        )
    )
    assert text.splitlines()[0] == "winter · 61 days · 15 hosts, 38 GPUs · 50 jobs · 1 seed · 9.8 s"
    for part in (
        "late requests  0.0021 %",
        "violation    2m",
        "headroom min 0.98 (tight, at 43200)",
        "wait mean/p95  1h12m / 6h40m",
        "preemptions  212",
        "31 GPU-hours lost of 38 900 trained",
        "48 of 50",
    ):
        assert part in text


def test_several_seeds_show_their_spread_and_the_worst_headroom() -> None:
    text = "\n".join(
        lines(
            result(
                outcome(late_requests_share=0.01, min_headroom_ratio=0.7, min_headroom_at_s=5.0),
                outcome(late_requests_share=0.03, min_headroom_ratio=0.9),
            ),
            moment,
        )
    )
    assert "2.0000 % ± " in text
    assert "0.70 (tight, at 5)" in text
    assert "2 seeds" in text


def test_what_does_not_exist_is_a_dash() -> None:
    text = "\n".join(
        lines(result(outcome(late_requests_share=math.nan, wait_mean_s=math.nan, min_headroom_ratio=math.nan)), moment)
    )
    assert "late requests  -" in text
    assert "headroom min -" in text
    assert "nan" not in text


def test_what_the_end_cut_off_is_said_and_counted() -> None:
    left = outcome(jobs_unfinished=2, jobs_never_started=1, drained_s=7 * 86400.0)
    text = "\n".join(lines(result(left), moment))
    assert "unfinished   2" in text
    assert "cut off        2 jobs were open 7d after the last day (drain)" in text
    assert "of the 1 never started the wait up to then" in text
    whole = "\n".join(lines(result(outcome(jobs_unfinished=0, drained_s=5400.0)), moment))
    assert "drained in   1h30m" in whole
    assert "cut off" not in whole
    assert document(result(left))["outcome"]["jobs_never_started"] == 1.0
