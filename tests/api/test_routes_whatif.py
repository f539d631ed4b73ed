"""Questions over the API: checked, taken, looked at while they are answered, by whom it concerns."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import pytest

from scheduler.api.site import Questions
from scheduler.config.loading import load_config
from scheduler.config.otherwise import rules_of
from scheduler.config.schema import Token
from scheduler.control.reports.board import Report
from scheduler.control.settings import Settings
from scheduler.control.whatif.answer import Answer, JobAnswer, JobSide, ShortTime, Side, Spread
from scheduler.control.whatif.desk import WhatIfDesk
from scheduler.control.whatif.question import NewHosts, Question, Rules, Spike
from tests.api.test_all_weather import TONE

NOW_S = 1_795_000_000.0
ASKED = "/api/v1/whatif"
LAPTOP = Path(__file__).parents[2] / "configs" / "laptop.yaml"
TRAIN = {"name": "train", "entrypoint": "python train.py", "resources": {"gpus": 1}}


class Canned:
    """Says what it was asked, and answers at once."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def play(self, report: Report, _rules: Rules, question: Question) -> Iterator[Answer]:
        self.asked.append(question)
        side = Side(inf, "", 0.0, (), 0.0, 0.0, 0.0, 1.0, 3600.0, 2.0)
        short = (ShortTime("m", NOW_S, NOW_S + 60, 3, lacks_room=False),)
        after = replace(side, lowest_ratio=0.9, lowest_model="m", lowest_at_s=NOW_S, short=short)
        job = JobSide(Spread(NOW_S, inf), Spread(inf, inf), 0.5, Spread(NOW_S, NOW_S), "edit-check")
        jobs = (JobAnswer("401", "wikitext", runs_now=False, as_is=job, what_if=job, end_moves_s=inf),)
        yield Answer(report.cycle.number, NOW_S, NOW_S + 3600, question.runs, side, after, jobs, "more hosts")

    def close(self) -> None:
        pass


@pytest.fixture
def player() -> Canned:
    """Return what answers."""
    return Canned()


@pytest.fixture
def asking(world: Any, player: Canned) -> Any:
    """Return a function that makes a client; its keywords go to the application."""
    config = load_config(LAPTOP)
    desk = WhatIfDesk(player, world.board, lambda: Rules(world.site.policy, Settings()))
    questions = Questions(desk, lambda mapping: rules_of(config, mapping))
    return lambda token="", **changes: world.http(token, questions=questions, **changes)


def settled(http: Any, name: str) -> dict[str, Any]:
    for _ in range(1000):
        item: dict[str, Any] = http.get(f"{ASKED}/{name}").json()["item"]
        if item["phase"] in {"done", "failed"}:
            return item
    raise AssertionError(item)


def test_a_question_is_taken_and_answered(asking: Any, player: Canned) -> None:
    http = asking()
    order = {
        "traffic": 1.5,
        "spikes": [{"at": "2026-11-23T20:00:00Z", "lasts_s": 7200, "factor": 3}],
        "lost_hosts": ["ml-serve1012", "ml-serve1012"],
        "new_hosts": [{"like": "ml-serve1013", "count": 2}],
        "rules": {"policy": {"bookings": 8}},
        "job": TRAIN,
        "model": TONE,
        "until_s": 7200,
        "runs": 3,
        "seed": 9,
    }
    taken = http.post(ASKED, json=order)
    assert taken.status_code == 202, taken.text
    item = settled(http, taken.json()["item"]["name"])
    assert (item["phase"], item["runs_wanted"], item["failure"]) == ("done", 3, "")
    question = player.asked[0]
    assert (question.traffic, question.horizon_s, question.runs, question.seed) == (1.5, 7200, 3, 9)
    assert question.spikes == (Spike(datetime(2026, 11, 23, 20, tzinfo=UTC).timestamp(), 7200, 3),)
    assert (question.lost_hosts, question.new_hosts) == (("ml-serve1012",), (NewHosts("ml-serve1013", 2),))
    assert question.rules is not None
    assert question.rules.policy.bookings == 8
    assert question.job is not None
    assert question.job.name == "train"
    assert question.model is not None
    assert question.model.model.name == TONE["name"]


def test_what_never_happens_is_null(asking: Any) -> None:
    http = asking()
    answer = settled(http, http.post(ASKED, json={}).json()["item"]["name"])["answer"]
    assert (answer["as_is"]["lowest_ratio"], answer["as_is"]["lowest_at"]) == (None, None)
    assert answer["what_if"]["lowest_ratio"] == 0.9
    (job,) = answer["jobs"]
    assert job["as_is"]["start"]["p50"] is not None
    assert job["as_is"]["end"] == {"p50": None, "p90": None}
    assert (job["start_later_s"], job["end_later_s"]) == (0.0, None)
    assert [one["name"] for one in http.get(ASKED).json()["items"]] == ["w1"]


@pytest.mark.parametrize(
    ("order", "status", "said"),
    [
        ({"lost_hosts": ["nope"]}, 404, "no host nope"),
        ({"new_hosts": [{"like": "nope", "count": 1}]}, 404, "no host nope"),
        ({"job": {"name": "x", "entrypoint": "y", "resorces": {}}}, 422, "resorces"),
        ({"job": TRAIN | {"resources": {"gpus": 4000}}}, 422, "4000"),
        ({"model": {"name": "x"}}, 422, "capacity is missing"),
        ({"rules": {"policy": {"bookings": "many"}}}, 422, "bookings"),
        ({"runs": 0}, 422, "greater"),
        ({"traffic": -1}, 422, "greater"),
        ({"until_s": 1}, 422, "greater"),
    ],
)
def test_a_wrong_question_is_refused(
    asking: Any, player: Canned, order: dict[str, Any], status: int, said: str
) -> None:
    refused = asking().post(ASKED, json=order)
    assert refused.status_code == status, refused.text
    assert said in refused.text
    assert player.asked == []


def test_submitters_ask_operators_ask_of_models_too_and_viewers_look(asking: Any) -> None:
    tokens = [
        Token(name=role, role=role, sha256=hashlib.sha256(role.encode()).hexdigest())
        for role in ("viewer", "submitter", "operator")
    ]
    by = {token.name: asking(token.name, bind_host="0.0.0.0", tokens=tokens) for token in tokens}  # noqa: S104  # with tokens
    assert by["viewer"].post(ASKED, json={}).status_code == 403
    assert by["submitter"].post(ASKED, json={"model": TONE}).status_code == 403
    name = by["submitter"].post(ASKED, json={"job": TRAIN}).json()["item"]["name"]
    assert settled(by["viewer"], name)["asked_by"] == "submitter"
    assert by["operator"].post(ASKED, json={"model": TONE}).status_code == 202


def test_one_that_waits_to_lead_answers_no_questions(world: Any) -> None:
    assert world.http().post(ASKED, json={}).status_code == 409


def test_nothing_is_asked_before_the_first_plan(world_to_be: Any, player: Canned) -> None:
    questions = Questions(WhatIfDesk(player, world_to_be.board, lambda: None), lambda _: None)  # type: ignore[arg-type,return-value]  # never asked
    assert world_to_be.http(questions=questions).post(ASKED, json={}).status_code == 503
