"""What describe, capacity, forecast, hosts NAME, events and status say."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.wire.forecasts import TrackRecord
from scheduler.wire.hosts import Proposal, ProposedMove
from scheduler.wire.jobs import Published
from scheduler.wire.serving import Pool, PoolPeak, StartableSize

Headroom = Callable[..., Any]


def test_everything_about_a_running_job(headroom: Headroom) -> None:
    assert headroom("describe", "401").out == (
        "401 wikitext-lm · Running 11h32m · normal · queue research · preemptible · of ana\n"
        "Asks       4×MI300X · 4 workers with 4 CPU · 8GiB each\n"
        "Where      ml-serve1013 GPUs 3-6 · attempt 2\n"
        "Progress   step 48 200 of 100 000 (48 %) · checkpoint 17:21\n"
        "Conditions Accepted 03:24 · Admitted 05:50\n"
        "Attempts   1  04:24 – 05:24    preempted for llm-qwen3-14b, saved step 11 900, lost 2m44s of one GPU\n"
        "           2  05:52 –          from step 11 900\n"
        "Events     16:39 checkpoint 5\n"
        "           16:38 checkpoint 4\n"
        "           16:37 checkpoint 3\n"
        "           all: --events\n"
        "Runs       python train.py\n"
    )


def test_why_a_job_waits_with_numbers(headroom: Headroom) -> None:
    lines = headroom("describe", "417").out.split("\n")
    assert lines[2:4] == [
        "Waits      8 on one host, best 4 (InsufficientDevices)",
        "           asked 8, free 4 · until 22:24 · held by 405, edit-check · place 1 in the order of trying",
    ]


def test_all_events_on_request(headroom: Headroom) -> None:
    out = headroom("describe", "401", "--events").out
    assert "checkpoint 1\n" in out
    assert "all: --events" not in out


def test_a_description_as_data(headroom: Headroom) -> None:
    body = json.loads(headroom("describe", "401", "-o", "json").out)
    assert (body["kind"], body["item"]["id"], len(body["item"]["attempts"])) == ("Job", "401", 2)
    assert headroom("describe", "401", "-o", "name").out == "401\n"


def test_capacity_begins_with_the_verdict(headroom: Headroom) -> None:
    out = headroom("capacity").out
    assert out.startswith(
        "Serving is covered for the next 48 h.\n"
        "Headroom 1.16 now, lowest 1.08 Tue 19:24 (edit-check)\n"
        "Preempting 409 for edit-check at 18:15.\n"
        "ml-serve1014 is draining.\n"
        "38 GPUs: 14.5 serving, 17 training, 1.5 held for the peak, 0.5 reserved, 1.5 free, 3 drained\n\n"
        "GPUS (UTC)\tnow\t18:24\t19:24\t21:24\tTue 01:24\tTue 05:24\tTue 17:24\tTue 19:24\tWed 05:24\tWed 17:24\n"
        "p50\t10.0\t11.0\t"
    )
    assert out.rstrip().rsplit("\n", 1)[1].startswith("training\t17.0\t16.0\t15.0\t13.0\t")


def test_capacity_asks_for_what_it_is_asked(headroom: Headroom, plane: Any) -> None:
    headroom("capacity", "--gpu", "MI300X", "--model", "edit-check", "--until", "+12h")
    (asked,) = plane.of("GET", "/capacity")
    assert asked.query == {"gpu": "MI300X", "model": "edit-check", "until": "12.0"}


def test_capacity_in_red_when_short(headroom: Headroom, plane: Any, capacity: Any) -> None:
    short = capacity.model_copy(update={"covered": False, "verdict": "Short Tue 18:20 – 20:40."})
    single = plane.answers["GET", "/capacity"].model_copy(update={"item": short})
    plane.gives("GET", "/capacity", single)
    assert "\x1b[31mShort Tue 18:20 – 20:40.\x1b[0m" in headroom("capacity", width=100).out


def test_capacity_before_the_first_forecast_is_the_verdict_alone(headroom: Headroom, plane: Any, capacity: Any) -> None:
    changes = {
        "points": (),
        "lowest_at": None,
        "lowest_ratio": None,
        "headroom_ratio": None,
        "detail": "",
        "notice": "",
    }
    first = capacity.model_copy(update=changes)
    plane.gives("GET", "/capacity", plane.answers["GET", "/capacity"].model_copy(update={"item": first}))
    lines = headroom("capacity").out.split("\n")
    assert lines[:2] == [
        "Serving is covered for the next 48 h.",
        "38 GPUs: 14.5 serving, 17 training, 1.5 held for the peak, 0.5 reserved, 1.5 free, 3 drained",
    ]


def test_a_forecast_in_four_lines(headroom: Headroom) -> None:
    assert headroom("forecast", "edit-check").out == (
        "edit-check · requests/s · forecast, 182d of history\n"
        "p99 ▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇█████████\n"
        "peak next 1d: 68.0 Tue 16:24 (p50 53.0)\n"
        "source prometheus, 22s old\n"
    )


def test_every_step_of_a_forecast_on_request(headroom: Headroom) -> None:
    lines = headroom("forecast", "edit-check", "-o", "wide").out.split("\n")
    assert lines[:2] == ["AT (UTC)\tP10\tP50\tP90\tP99", "17:24\t20.0\t30.0\t40.0\t45.0"]
    assert len(lines) == 26


def test_a_forecast_as_far_as_asked(headroom: Headroom) -> None:
    assert len(headroom("forecast", "edit-check", "--horizon", "5h", "-o", "wide").out.split("\n")) == 8


def test_flags_for_files_are_refused_for_models(headroom: Headroom) -> None:
    shown = headroom("forecast", "edit-check", "--holidays", "days.txt")
    assert shown.code == 2
    assert "a traffic source has a key holidays" in shown.err


def test_quantiles_of_a_served_model_as_asked(headroom: Headroom, plane: Any, forecast: Any) -> None:
    more = [point.model_copy(update={"p95": 1.5 * point.p50}) for point in forecast.points]
    peaks = [peak.model_copy(update={"p95": 61.0, "at_p10": peak.at, "at_p90": peak.at}) for peak in forecast.peaks]
    item = forecast.model_copy(update={"points": tuple(more), "peaks": tuple(peaks), "rests_on": "rests on 182 days"})
    plane.gives(
        "GET", "/forecast/edit-check", plane.answers["GET", "/forecast/edit-check"].model_copy(update={"item": item})
    )
    lines = headroom("forecast", "edit-check", "--quantiles", "0.5,0.95", "-o", "wide").out.split("\n")
    assert lines[:2] == ["AT (UTC)\tP50\tP95", "17:24\t30.0\t45.0"]
    assert plane.asked[-1].query == {"quantiles": "0.5,0.95", "until": "48.0"}
    said = headroom("forecast", "edit-check", "--quantiles", "0.95").out
    assert "(p95 61.0)" in said
    assert "rests on 182 days" in said
    assert headroom("forecast", "edit-check", "--quantiles", "2").code == 2


def test_how_the_forecast_did_lately_is_said_beside_it(headroom: Headroom, plane: Any, forecast: Any) -> None:
    says = "p99 held in 109 of 112 windows of 6 h, widened 1.4 times until it holds again"
    record = TrackRecord(
        windows=112,
        p99_held=109 / 112,
        bias=0.1,
        skill=None,
        widened=1.4,
        skill_over_reactive=0.5,
        gives_way=False,
        says=says,
    )
    answer = plane.answers["GET", "/forecast/edit-check"]
    plane.gives(
        "GET",
        "/forecast/edit-check",
        answer.model_copy(update={"item": forecast.model_copy(update={"record": record})}),
    )
    assert f"\nlately: {says}\n" in headroom("forecast", "edit-check").out
    shown = json.loads(headroom("forecast", "edit-check", "-o", "json").out)
    assert shown["item"]["record"]["widened"] == 1.4


@pytest.mark.parametrize(("name", "begin"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml")])
def test_a_picture_of_a_served_model(headroom: Headroom, tmp_path: Path, name: str, begin: bytes) -> None:
    pytest.importorskip("matplotlib")
    shown = headroom("forecast", "edit-check", "--plot", str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert f"picture in {tmp_path / name}" in shown.err


def test_joint_peaks_of_pools_for_people_and_programs(headroom: Headroom, plane: Any, capacity: Any) -> None:
    day = PoolPeak(window_s=86_400, p50=30, p99=42, apart_p99=51)
    pool = Pool(
        name="MI300X", models=("a", "b"), gpus_per_replica=1, held_for_peak=3, held_apart=5,
        held_for_flash_crowd=2, held_for_rollout=1, peak_at=None, peaks=(day,),
    )  # fmt: skip
    item = capacity.model_copy(update={"pools": (pool,)})
    plane.gives("GET", "/capacity", plane.answers["GET", "/capacity"].model_copy(update={"item": item}))
    out = headroom("forecast", "--pool").out
    assert "MI300X · 2 models · next 1d: joint p99 42 GPUs, sum of p99s 51: saves 9" in out
    assert "MI300X\t2\t1d\t30\t42\t51\t9\tGPUs" in out
    found = json.loads(headroom("forecast", "--pool", "-o", "json").out)
    assert found["kind"] == "PoolList"
    assert found["item"]["pools"][0]["peaks"][0]["apart_p99"] == 51
    held = headroom("capacity").out
    assert (
        "To hold on MI300X: 3 GPUs for the joint peak of 2 models (5 if each model's p99 were added: saves 2)" in held
    )
    assert "To hold on MI300X: 2 GPUs in reserve for a flash crowd" in held
    assert "To hold on MI300X: 1 GPU for a rolling update" in held
    assert headroom("forecast", "a", "--pool").code == headroom("forecast").code == 2


def test_a_model_without_a_forecast_says_so(headroom: Headroom, plane: Any, forecast: Any) -> None:
    nothing = {"points": (), "peaks": (), "basis": "source silent", "history_s": 0.0, "source_age_s": None}
    empty = forecast.model_copy(update=nothing)
    plane.gives(
        "GET", "/forecast/edit-check", plane.answers["GET", "/forecast/edit-check"].model_copy(update={"item": empty})
    )
    assert headroom("forecast", "edit-check").out.split("\n")[:3] == [
        "edit-check · requests/s · source silent, 0s of history",
        "no forecast yet",
        "source prometheus, not heard yet",
    ]


def test_one_host_in_full(headroom: Headroom) -> None:
    out = headroom("hosts", "ml-serve1014").out
    assert out.startswith(
        "ml-serve1014 · draining since 17:02 (power supply swap)\n"
        "CPU      63 of 128 cores\n"
        "Memory   532GiB of 1TiB\n"
        "Labels   rack=a\n"
        "GPU 0    MI300X 192GiB  edit-check (serving) 50 %\n"
        "GPU 1    MI300X 192GiB  free\n"
    )


def test_events_with_cause(headroom: Headroom, plane: Any) -> None:
    assert headroom("events", "409", "-n", "5").out == (
        "AT (UTC)\tCYCLE\tKIND\tWHAT\n"
        "16:24\t18400\thost\tml-serve1014 draining: power supply swap\n"
        "17:24\t18422\tpreemption\t409 embed-wiki-large preempted for edit-check\n"
    )
    (asked,) = plane.of("GET", "/events")
    assert asked.query == {"limit": "5", "subject": "409"}


def test_the_state_of_the_control_plane(headroom: Headroom, plane: Any) -> None:
    assert headroom("status").out == (
        "eqiad · live\n"
        "Plan       18422, made 17:24 (4s ago) in 14 ms; one every 30s\n"
        "Clock      23 Nov 2026 17:24:00 UTC\n"
        "Backend    ray\n"
        "Version    0.1.0\n"
        "You        ana, operator\n"
        f"API        {plane.url}\n"
    )


def test_a_degraded_replaying_control_plane_says_why_and_how_fast(headroom: Headroom, plane: Any, status: Any) -> None:
    changes = {"state": "degraded", "message": "Ray does not answer, try 3", "speed": 540.0, "last_plan_at": None}
    worse = plane.answers["GET", "/status"].model_copy(update={"item": status.model_copy(update=changes)})
    plane.gives("GET", "/status", worse)
    lines = headroom("status").out.split("\n")
    assert lines[0] == "eqiad · degraded: Ray does not answer, try 3"
    assert lines[1] == "Plan       18422, none yet; one every 30s"
    assert lines[2].endswith("UTC, 540 times as fast as the wall's")


def test_the_status_says_which_traffic_was_not_heard_yet(headroom: Headroom, plane: Any, status: Any) -> None:
    assert "Traffic" not in headroom("status").out
    deaf = status.model_copy(update={"waiting": "waits for traffic of 130 of 137 sources"})
    plane.gives("GET", "/status", plane.answers["GET", "/status"].model_copy(update={"item": deaf}))
    assert "Traffic    waits for traffic of 130 of 137 sources" in headroom("status").out.split("\n")


def test_times_are_of_the_local_zone_unless_asked_otherwise(
    headroom: Headroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time  # noqa: PLC0415  # the zone of this process is changed and put back

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert headroom("events").out.startswith("AT (UTC)\t")
        local = headroom("events", local=True).out.split("\n")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert local[0].startswith("AT (JST)\t")
    assert local[2].startswith("02:24\t")
    assert local[1].startswith("01:24\t")


def test_keys_are_explained_from_a_place_down(headroom: Headroom) -> None:
    shown = headroom("explain", "job", "resources.gpu")
    assert [line.split("\t")[0] for line in shown.out.rstrip().split("\n")] == [
        "KEY", "resources.gpus", "resources.gpu_model", "resources.gpu_memory",
    ]  # fmt: skip
    assert "8Gi (8 × 2^30 bytes)" in shown.err


def test_a_key_that_is_none_gets_its_nearest_neighbour(headroom: Headroom) -> None:
    shown = headroom("explain", "job", "resorces")
    assert shown.code == 5
    assert shown.err == 'error: no key resorces in job\nhelp: did you mean "resources"? headroom explain job\n'


@pytest.mark.parametrize("topic", ["job", "cluster", "scenario"])
def test_every_kind_of_file_is_explained(topic: str, headroom: Headroom) -> None:
    shown = headroom("explain", topic)
    assert shown.code == 0
    assert "(needed)" in shown.out


def test_capacity_says_what_could_be_moved_for_whom(headroom: Headroom, plane: Any, capacity: Any) -> None:
    move = ProposedMove(job_id="401", hosts=("gpu2", "gpu3"))
    proposal = Proposal(job_id="9", moves=(move,), lost_gpu_s=340, waits_s=7200)
    item = capacity.model_copy(update={"proposals": (proposal,)})
    plane.gives("GET", "/capacity", plane.answers["GET", "/capacity"].model_copy(update={"item": item}))
    out = headroom("capacity").out
    assert (
        "Job 9 would fit if these moved: 401 to gpu2 and gpu3 (loses 5m40s of one GPU, saves a wait of about 2h)" in out
    )
    found = json.loads(headroom("capacity", "-o", "json").out)
    assert found["item"]["proposals"][0]["moves"] == [{"job_id": "401", "hosts": ["gpu2", "gpu3"]}]


def test_queues_are_listed_with_what_they_use_borrow_and_lend(headroom: Headroom) -> None:
    shown = headroom("queues")
    head, first, second = shown.out.strip("\n").split("\n")
    assert head.split("\t")[:6] == ["QUEUE", "WEIGHT", "GUARANTEE", "USED", "BORROWED", "LENT"]
    assert first.split("\t")[:10] == ["product", "1", "16 GPUs", "12 GPUs", "0", "4", "30%", "41%", "5", "0"]
    assert second.split("\t")[9] == "3 (12 GPUs)"
    assert "2 queues, 3 jobs waiting" in shown.err
    wide = headroom("queues", "-o", "wide").out.strip("\n").split("\n")
    assert wide[2].split("\t")[10:] == ["16", "4×MI300X", "56", "ana, ci"]
    found = json.loads(headroom("queues", "-o", "json").out)
    assert [item["borrowed_gpus"] for item in found["items"]] == [0.0, 6.0]


def test_when_a_waiting_job_is_expected_to_start_in_quantiles_and_not_as_one_time_beside_them(
    headroom: Headroom,
) -> None:
    said = headroom("describe", "420").out
    assert "\nStarts     18:04 (p50), 20:24 (p90), as the queue is now\n" in said
    assert "until" not in said
    start = json.loads(headroom("describe", "420", "-o", "json").out)["item"]["expected_start"]
    assert set(start) == {"p50", "p90"}


@pytest.mark.parametrize(
    ("known", "lines"),
    [
        ({"deploys": True, "data_version": "11"}, ["model for tone when it succeeds, deployed by itself, data 11"]),
        ({"at": "2026-11-23T17:20:00Z", "fault": "it is no folder"}, ["nothing for tone: it is no folder"]),
        (
            {"at": "2026-11-23T17:20:00Z", "attempt": 2, "digest": "sha256:0", "files": 2, "size_bytes": 1234},
            [
                "for tone 17:20, attempt 2: 2 files, 1 234 bytes",
                "sha256:0",
                "headroom models deploy tone --from-job 401",
            ],
        ),
        (
            {"at": "2026-11-23T17:20:00Z", "attempt": 1, "digest": "sha256:0", "followed": "is revision 3 of tone"},
            ["for tone 17:20, attempt 1: 0 files, 0 bytes", "sha256:0", "is revision 3 of tone"],
        ),
    ],
)
def test_what_a_job_publishes_and_what_became_of_it(
    headroom: Headroom, plane: Any, known: dict[str, Any], lines: list[str]
) -> None:
    found = plane.answers["GET", "/jobs/401"]
    publishes = Published.model_validate({"model": "tone", "path": "model", **known})
    plane.gives(
        "GET", "/jobs/401", found.model_copy(update={"item": found.item.model_copy(update={"publishes": publishes})})
    )
    assert "\nPublishes  " + "\n           ".join(lines) in headroom("describe", "401").out


def test_capacity_says_which_sizes_could_start(headroom: Headroom, plane: Any) -> None:
    found = plane.answers["GET", "/capacity"]
    sizes = (
        StartableSize(hosts=1, gpus=8, at=found.observed_at),
        StartableSize(hosts=2, gpus=8, at=found.observed_at + timedelta(hours=5, minutes=1)),
    )
    plane.gives("GET", "/capacity", found.model_copy(update={"item": found.item.model_copy(update={"sizes": sizes})}))
    said = "Could start, stopping nobody: 8 GPUs on one host now; 2 × 8 GPUs from 22:25\n"
    assert said in headroom("--utc", "capacity").out
