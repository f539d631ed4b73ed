"""The page as the server renders it: complete without a script, small, safe, and honest about every state."""

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from scheduler.api.rendering import STATIC_FOLDER, render
from scheduler.control.isolation.bulkheads import Part, Trouble
from scheduler.control.reports.board import Report
from scheduler.control.reports.unheard import Unheard
from scheduler.model.demand import Basis
from scheduler.model.hosts import Device, Host, devices_offered
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState
from scheduler.wire.serving import ServedModel

KIB = 1024


def text_of(page: str) -> str:
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", page))


def page_of(world: Any) -> str:
    return world.http().get("/").text


def changed(report: Report, number: int = 1, **parts: Any) -> Report:
    """Return the next report, with parts of its snapshot or of itself replaced."""
    cycle = replace(report.cycle, number=report.cycle.number + number)
    snapshot = parts.pop("snapshot", None)
    return replace(report, cycle=replace(cycle, snapshot=snapshot or cycle.snapshot), **parts)


def test_the_page_says_everything_without_a_script(http: httpx.Client) -> None:
    said = text_of(http.get("/").text)
    for words in ("Serving is covered for the next 48", "409 embed-wiki-large", "417 talkpage-tone"):
        assert words in said
    for words in ("needs 8 on one host; best host has 1 free", "ml-serve1014", "power supply swap", "edit-check"):
        assert words in said
    assert "ml-serve1008 unreachable" in said
    assert "48 %" in said


def test_the_page_names_its_cells_for_those_who_do_not_see_colours(http: httpx.Client) -> None:
    page = http.get("/").text
    for label in (
        "ml-serve1013 GPU 3: 401 wikitext-lm, training",
        "ml-serve1013 GPU 1: 25\u202f% embeddings, serving; 25\u202f% embeddings, serving; 50\u202f% free",
        "ml-serve1010 GPU 1: edit-check, held for the peak",
        "ml-serve1015 GPU 4: 409 embed-wiki-large, saving a checkpoint",
        "ml-serve1014 GPU 7: drained",
    ):
        assert f'aria-label="{label}"' in page


def test_a_host_of_many_partitions_says_so_and_has_small_cells(world: Any) -> None:
    snapshot = world.board.report.cycle.snapshot
    parts = Host("parts", 64_000, 1024, devices_offered(8, 192 * 1024, 8), "MI300X")
    world.publish(changed(world.board.report, snapshot=replace(snapshot, hosts=(*snapshot.hosts, parts))))
    row = page_of(world).split('id="host-parts"')[1].split("</ol>")[0]
    assert "MI300X/8" in row
    assert 'class="cells parts"' in row
    assert row.count("<li") == 64


def test_the_page_stays_within_its_budget_at_forty_hosts(world: Any) -> None:
    snapshot = world.board.report.cycle.snapshot
    devices = tuple(Device(index) for index in range(8))
    more = [Host(f"ml-serve{number}", 128_000, 1_500_000, devices, "MI300X") for number in range(1016, 1041)]
    wide = Snapshot.of(
        version=1,
        taken_at_s=snapshot.taken_at_s,
        hosts=(*snapshot.hosts, *more),
        jobs=snapshot.jobs,
        models=snapshot.models,
        replicas=snapshot.replicas,
    )
    world.publish(changed(world.board.report, snapshot=wide))
    page = page_of(world)
    assert page.count('class="cells"') == 32
    assert len(gzip.compress(page.encode(), 9)) <= 35 * KIB
    assert len(gzip.compress((STATIC_FOLDER / "headroom.css").read_bytes(), 9)) <= 6 * KIB
    scripts = b"".join((STATIC_FOLDER / name).read_bytes() for name in ("early.js", "headroom.js"))
    assert len(gzip.compress(scripts, 9)) <= 10 * KIB


def test_more_than_forty_gpu_hosts_are_grouped_by_their_model(world: Any) -> None:
    snapshot = world.board.report.cycle.snapshot
    devices = tuple(Device(index) for index in range(8))
    many = [Host(f"gpu{number:03}", 1000, 1000, devices, f"M{number % 2}") for number in range(60)]
    world.publish(changed(world.board.report, snapshot=Snapshot.of(taken_at_s=snapshot.taken_at_s, hosts=many)))
    page = page_of(world)
    assert 'class="dense"' in page
    heads = re.findall(r'class="pool">(M\d)<small>(\d+) hosts · (\d+) GPUs · (\d+) in use', page)
    assert heads == [("M0", "30", "240", "0"), ("M1", "30", "240", "0")]


def test_nothing_on_the_page_comes_from_elsewhere_and_nothing_is_inline(http: httpx.Client) -> None:
    answer = http.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    addresses = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
    assert addresses
    assert all(address.startswith(("/", "#", "?")) for address in addresses)
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+=", answer.text)
    nonces = {re.search(r"nonce-([\w-]+)", http.get("/").headers["content-security-policy"]) for _ in range(2)}
    assert len(nonces) == 2


def test_what_people_write_is_shown_as_text(world: Any) -> None:
    order = {"entrypoint": "python train.py <b>x</b>", "name": "train"}
    http = world.http()
    job_id = http.post("/api/v1/jobs", json=order).json()["item"]["id"]
    http.post(f"/api/v1/jobs/{job_id}/hold", json={"reason": '"><script>alert(1)</script>'})
    for path in ("/", f"/jobs/{job_id}", "/events"):
        assert "<script>alert" not in http.get(path).text
    assert "&lt;b&gt;x&lt;/b&gt;" in http.get(f"/jobs/{job_id}").text


def test_static_files_are_kept_for_ever_under_the_digest_of_their_content(http: httpx.Client) -> None:
    page = http.get("/").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = http.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    style = re.search(r'href="/static/(\w+)/headroom.css"', page)
    assert style is not None
    assert http.get("/static/000000000000/headroom.css").status_code == 404
    assert http.get(f"/static/{style[1]}/..%2Fapp.py").status_code == 404


def test_before_the_first_cycle_the_page_says_how_to_begin(empty_world: Any) -> None:
    page = page_of(empty_world)
    said = text_of(page)
    assert "No plan yet: starting." in said
    assert "headroom submit job.yaml" in said
    for panel in ("capacity", "hosts", "queue", "serving"):
        assert f'id="{panel}"' in page


def test_jobs_that_go_on_are_shown_before_the_first_cycle(world_to_be: Any) -> None:
    said = text_of(page_of(world_to_be))
    assert "5 jobs" in said
    assert "401 wikitext-lm" in said
    assert "No job runs" not in said
    assert "No model is served" not in said


def test_without_history_the_page_says_when_it_does_not_know(world: Any) -> None:
    outlooks = tuple(
        replace(one, points=(), peaks=(), replicas=(), history_s=90_000.0, basis=Basis.COLD_START)
        for one in world.board.report.outlooks
    )
    world.publish(changed(world.board.report, outlooks=outlooks))
    said = text_of(page_of(world))
    assert "there is no forecast yet" in said
    assert "Cold start: no forecast yet; reactive with 15\u202f% margin. 25\u202fh of history so far." in said


def test_when_serving_is_short_that_is_the_first_word_and_the_tab_says_so(world: Any) -> None:
    outlooks = tuple(replace(one, rps_now=one.rps_now * 1.4) for one in world.board.report.outlooks)
    world.publish(changed(world.board.report, outlooks=outlooks))
    page = page_of(world)
    assert re.search(r'class="verdict short"[^>]*><p><b>Short now', page)
    assert "<title>0.92 · Headroom · ml-serve-eqiad</title>" in page


def test_when_nothing_waits_the_page_says_what_is_free(world: Any) -> None:
    for job in world.store.jobs():
        if job.state.is_waiting or job.state is JobState.HELD:
            world.store.save(replace(job, state=JobState.STOPPED, finished_at_s=1.0))
    world.publish(changed(world.board.report))
    assert "Nothing waits. 1.5 of 38 GPUs are free." in text_of(page_of(world))


def test_of_very_many_jobs_the_first_are_shown_and_old_ones_are_not_forgotten(world: Any) -> None:
    like = world.store.job("420")
    for number in range(1200):
        job = replace(like, job_id=world.store.accept(like.spec, like.submitted_at_s).job_id)
        world.store.save(replace(job, state=JobState.STOPPED, finished_at_s=1.0) if number > 60 else job)
    world.publish(changed(world.board.report))
    page = page_of(world)
    assert "417</a> talkpage-tone" in page
    assert "18 more: headroom list" in text_of(page)
    assert page.count("</a> addlink-pt") < 60


def test_after_three_missed_cycles_the_page_says_that_it_is_old(world: Any) -> None:
    assert "last plan" not in text_of(page_of(world))
    world.clock.at_s += 120.0
    page = page_of(world)
    assert 'class="stale"' in page
    assert "last plan 2\u202fmin ago" in page
    assert "no plan was made since" in text_of(page)
    assert page.count('id="gone"') == 1


def test_a_loop_that_is_held_up_gives_its_reason(world: Any) -> None:
    world.board.degrade("Ray does not answer, try 3")
    assert "The control loop is held up: Ray does not answer, try 3." in text_of(page_of(world))


def test_range_and_model_are_in_the_address_and_nonsense_is_refused(http: httpx.Client) -> None:
    page = http.get("/", params={"range": "24h", "model": "edit-check"}).text
    assert re.search(r'data-range="24h" aria-current="true"', page)
    assert "<option selected>edit-check</option>" in page
    assert 'id="unit">requests/s<' in page
    assert http.get("/", params={"range": "5y"}).status_code == 422
    assert "<option selected>" not in http.get("/", params={"model": "<b>"}).text


def test_the_page_of_a_job_says_why_it_waits_and_what_it_did(http: httpx.Client) -> None:
    waiting = text_of(http.get("/jobs/417").text)
    assert "(asked 8, free 1)" in waiting
    assert re.search(r"Expected start ?\d\d:\d\d \(p50\), \d\d:\d\d \(p90\)", waiting)
    tried = text_of(http.get("/jobs/399").text)
    assert "step 18\u202f400 of 60\u202f000" in tried
    assert "preempted for the peak of edit-check" in tried.replace("  ", " ")


@pytest.mark.parametrize("path", ["/page/chart", "/page/chart/data"])
def test_the_chart_comes_with_words_for_those_who_do_not_see_it(http: httpx.Client, path: str) -> None:
    answer = http.get(path).json()
    assert answer["text"].startswith("Serving demand, forecast and capacity in GPUs. Demand is ")
    assert "lowest headroom ahead is 1.00" in answer["text"]
    rows = http.get("/page/chart/table").text
    assert 10 < rows.count("<tr>") <= 42


def test_before_the_first_cycle_there_is_no_chart(empty_world: Any) -> None:
    http = empty_world.http()
    assert http.get("/page/chart").json() == http.get("/page/chart/data").json() == {}


def test_queues_are_shown_with_what_they_hold_borrow_and_wait_for(world: Any) -> None:
    page = page_of(world)
    said = text_of(page[page.index('<div id="queues">') : page.index("</table>", page.index('<div id="queues">'))])
    assert "product 1 9 GPUs 8 1 -" in said
    assert "research 2 8 GPUs 12 -" in said
    assert 'aria-label="product: 9 GPUs of 38, 8 guaranteed"' in page


def test_a_site_with_one_queue_is_not_told_of_queues(world: Any) -> None:
    report = world.board.report
    only = report.cycle.snapshot.queues[:1]
    world.publish(changed(report, snapshot=replace(report.cycle.snapshot, queues=only)))
    assert '<div id="queues"></div>' in page_of(world)


def test_traffic_that_was_not_heard_yet_is_said_on_the_page_and_in_the_status(world: Any) -> None:
    http = world.http()
    assert "waits for traffic" not in http.get("/").text
    assert http.get("/api/v1/status").json()["item"]["waiting"] == ""
    world.board.wait_for(Unheard(("enwiki", "dewiki"), 3))
    assert "waits for traffic of 2 of 3 sources" in http.get("/").text
    assert http.get("/api/v1/status").json()["item"]["waiting"] == "waits for traffic of 2 of 3 sources: enwiki, dewiki"


def test_what_the_cluster_says_of_a_model_stands_in_its_resource(world: Any) -> None:
    report = world.board.report
    faults = ("edit-check: pod p finds no host", "edit-checker: no", "host gpu-1 is odd")
    world.board.publish(changed(report, observation=replace(report.observation, faults=faults)), None)
    models = {model["name"]: model["warnings"] for model in world.http().get("/api/v1/models").json()["items"]}
    assert models.pop("edit-check") == ["pod p finds no host"]
    assert not any(models.values())


def test_a_model_that_is_given_up_says_so_on_its_row_and_in_its_resource(world: Any) -> None:
    part = Part("starting replicas of edit-check", "edit-check", "none is started for a while")
    world.board.publish(changed(world.board.report, troubles=(Trouble(part, "no such image", 0.0),)), None)
    said = "starting replicas of edit-check failed: no such image; none is started for a while"
    assert re.search(rf'<tr class="said"><td colspan="9" class="bad">{re.escape(said)}</td></tr>', page_of(world))
    models = {model["name"]: model["trouble"] for model in world.http().get("/api/v1/models").json()["items"]}
    assert models.pop("edit-check") == said
    assert not any(models.values())


def test_a_model_is_shown_with_the_artifact_that_it_serves(http: httpx.Client) -> None:
    model = ServedModel.model_validate(http.get("/api/v1/models").json()["items"][0])
    digest = f"sha256:{'5' * 64}"
    view = SimpleNamespace(now=datetime(2026, 11, 23, tzinfo=UTC))
    with_one = model.model_copy(update={"revision": 7, "artifact": digest})
    shown = render("serving_row.html", model=with_one, view=view)
    assert "revision 7 serves sha256:55555555…" in text_of(shown)
    assert f'title="{digest}"' in shown
    assert "sha256" not in render("serving_row.html", model=model, view=view)
