"""What `describe` says of models, hosts and queues, and how it tells them from jobs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Headroom = Callable[..., Any]


def test_everything_about_a_model(headroom: Headroom) -> None:
    assert headroom("describe", "edit-check").out == (
        "edit-check · of editing\n"
        "Replicas   3 ready, 3 wanted, 5 at the peak, 19:00\n"
        "Limits     1 to 6 replicas of 1 GPU, 15 requests/s each\n"
        "Load       35.1 requests/s now, up to 47.0 within the lead time\n"
        "Headroom   1.28 now, lowest in 48 h 1.08\n"
        "Warm-up    2m10s declared, none measured yet; the lead time is 26m\n"
        "Requests   90000 in 24 h: 0 late, 0 failed\n"
        "Where      ml-serve1013 GPU 0, ml-serve1014 GPU 0\n"
        "Forecast   forecast; headroom forecast edit-check\n"
    )


def test_what_a_model_lacks_and_that_it_is_short(headroom: Headroom) -> None:
    assert "Lacks      1 MI300X needed, none is free (InsufficientDevices)" in headroom("describe", "cope-a-9b").out
    assert "\x1b[31m0.93 now\x1b[0m" in headroom("describe", "model/reference-need", width=100).out


def test_what_keeps_a_model_from_being_served_stands_on_the_model_itself(headroom: Headroom, plane: Any) -> None:
    found = plane.answers["GET", "/models"]
    told = ("its next rollout would stall", "pod p finds no host")
    failed = "starting replicas of edit-check failed: no such image"
    ill = found.items[0].model_copy(update={"trouble": failed, "warnings": told})
    plane.gives("GET", "/models", found.model_copy(update={"items": (ill, *found.items[1:])}))
    shown = headroom("describe", "edit-check").out
    assert "Trouble    starting replicas of edit-check failed: no such image" in shown
    assert "Warnings   its next rollout would stall; pod p finds no host" in shown
    assert "edit-check: starting replicas of edit-check failed: no such image" in headroom("models").err


def test_how_a_models_forecast_did_lately_stands_there_and_in_the_list(headroom: Headroom, plane: Any) -> None:
    found = plane.answers["GET", "/models"]
    says = "p99 held in 109 of 112 windows of 6 h"
    known = found.items[0].model_copy(update={"p99_held": 109 / 112, "forecast_record": says})
    plane.gives("GET", "/models", found.model_copy(update={"items": (known, *found.items[1:])}))
    assert f"\nRecord     {says}\n" in headroom("describe", "edit-check").out
    head, row, other = headroom("models", "-o", "wide").out.split("\n")[:3]
    held = head.split("\t").index("P99 HELD")
    assert (row.split("\t")[held], other.split("\t")[held]) == ("97.3 %", "-")


def test_which_artifact_a_model_serves_from(headroom: Headroom, plane: Any) -> None:
    found = plane.answers["GET", "/models"]
    trained = found.items[0].model_copy(update={"artifact": "sha256:0123"})
    plane.gives("GET", "/models", found.model_copy(update={"items": (trained, *found.items[1:])}))
    assert "\nArtifact   sha256:0123; headroom models history edit-check\n" in headroom("describe", "edit-check").out


def test_everything_about_a_queue(headroom: Headroom) -> None:
    assert headroom("describe", "research").out == (
        "research · weight 2\n"
        "Guarantee  8 GPUs\n"
        "Borrows    at most 16 GPUs\n"
        "Lends      at most 4×MI300X\n"
        "Holds      56 CPU · 14 GPUs, 6 GPUs borrowed\n"
        "Share      35% of the cluster now, 28% lately\n"
        "Jobs       9 running, 3 waiting for 12 GPUs\n"
        "Open to    ana, ci\n"
        "Its jobs   headroom list --queue research\n"
    )
    assert "Lends      all that it does not use" in headroom("describe", "queue/product").out


def test_a_host_is_described_as_by_hosts(headroom: Headroom) -> None:
    assert headroom("describe", "ml-serve1014").out == headroom("hosts", "ml-serve1014").out


@pytest.mark.parametrize(
    ("word", "kind"),
    [("edit-check", "ServedModel"), ("queue/product", "Queue"), ("host/ml-serve1012", "Host"), ("401", "Job")],
)
def test_each_is_data_too(headroom: Headroom, word: str, kind: str) -> None:
    body = json.loads(headroom("describe", word, "-o", "json").out)
    assert body["kind"] == kind
    assert headroom("describe", word, "-o", "name").out.strip() == word.rpartition("/")[2]


def test_a_job_goes_before_others_of_its_name(headroom: Headroom, plane: Any, models: Any) -> None:
    listing = plane.answers["GET", "/models"]
    same = models[0].model_copy(update={"name": "wikitext-lm"})
    plane.gives("GET", "/models", listing.model_copy(update={"items": (same,)}))
    jobs = plane.answers["GET", "/jobs"]
    described = plane.answers["GET", "/jobs/401"].item
    plane.gives("GET", "/jobs", jobs.model_copy(update={"items": (*jobs.items, described)}))
    assert headroom("describe", "wikitext-lm").out.startswith("401 wikitext-lm")
    assert headroom("describe", "model/wikitext-lm").out.startswith("wikitext-lm · of editing")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nothing-like-it", "no job nothing-like-it"),
        ("model/edit-chek", "no model edit-chek"),
        ("job/edit-check", "no job edit-check"),
    ],
)
def test_what_is_not_there_is_said_with_where_to_look(headroom: Headroom, word: str, said: str) -> None:
    shown = headroom("describe", word)
    assert shown.code == 5
    assert said in shown.err
    assert "headroom list" in shown.err or "headroom models" in shown.err
