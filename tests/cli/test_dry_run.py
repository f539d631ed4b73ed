"""`submit --dry-run` says what would become of a job and submits nothing."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.wire.base import Single, Why
from scheduler.wire.jobs import JobOutlook

Headroom = Callable[..., Any]
COMMAND = ("submit", "--entrypoint", "python train.py", "--gpus", "1", "--workers", "2", "--dry-run")


def gives(plane: Any, **changes: object) -> None:
    asked = {"name": "train", "owner": "ana", "queue": "research", "priority_class": "high", "workers": 2, "gpus": 2.0}
    at = plane.answers["GET", "/jobs"].observed_at
    item = JobOutlook(**asked | changes)
    plane.gives("POST", "/jobs/outlook", Single(kind="JobOutlook", observed_at=at, cycle=18422, item=item))


def test_where_it_would_start_and_whom_it_would_stop_or_delay(headroom: Headroom, plane: Any) -> None:
    gives(
        plane,
        where=("ml-serve1013:3", "ml-serve1013:4"),
        preempts=("401 wikitext-lm: 2 GPUs for this job",),
        delays=("406 article-desc-mt5", "420 addlink-pt"),
    )
    shown = headroom(*COMMAND)
    assert shown.out == (
        "train · high · queue research · 2 workers · 2 GPUs\n"
        "Starts    in the next plan on ml-serve1013\n"
        "Preempts  401 wikitext-lm: 2 GPUs for this job\n"
        "Delays    406 article-desc-mt5, 420 addlink-pt\n"
    )
    assert "asked of plan 18422; nothing was submitted or changed" in shown.err
    assert plane.of("POST", "/jobs") == []


def test_why_and_until_when_it_would_wait(headroom: Headroom, plane: Any) -> None:
    at = plane.answers["GET", "/jobs"].observed_at
    why = Why(code="InsufficientDevices", message="needs 2; 1 is free", asked=2, free=1, until=at + timedelta(hours=5))
    gives(plane, why=why, order=3)
    lines = headroom(*COMMAND).out.splitlines()
    assert lines[1:] == [
        "Waits     needs 2; 1 is free (InsufficientDevices)",
        "          until 22:24, place 3 in the order of trying",
    ]


def test_nothing_is_uploaded(headroom: Headroom, plane: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    gives(plane, where=("a:0", "a:1"))
    assert headroom(*COMMAND, "--working-dir", str(tmp_path)).code == 0
    assert [one.method for one in plane.asked] == ["POST"]
    assert plane.asked[0].json["working_dir"] == ""


def test_the_outlook_as_data(headroom: Headroom, plane: Any) -> None:
    gives(plane, where=("a:0", "a:1"))
    assert json.loads(headroom(*COMMAND, "-o", "json").out)["item"]["where"] == ["a:0", "a:1"]
    assert headroom(*COMMAND, "-o", "name").out == "train\n"


@pytest.mark.parametrize("wrong", [("--workers", "0"), ("--memory", "8 elephants")])
def test_a_job_that_is_wrong_is_refused_as_ever(headroom: Headroom, plane: Any, wrong: tuple[str, str]) -> None:
    gives(plane)
    assert headroom(*COMMAND, *wrong).code == 2
    assert plane.asked == []
