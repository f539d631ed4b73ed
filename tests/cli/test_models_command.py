"""What `headroom models` says of deployments and rollouts, to people and to programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.wire.base import Single
from scheduler.wire.models import Deployment, DeploymentOutlook
from tests.cli.model_answers import NOW, a_history, a_rollout
from tests.cli.test_every_command import TONE

Headroom = Callable[..., Any]


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tone.yaml").write_text(TONE)
    monkeypatch.setattr("scheduler.cli.models.POLL_S", 0.0)


def single(item: Any) -> Any:
    return Single(kind=type(item).__name__, observed_at=NOW, cycle=7, item=item)


def deploys(plane: Any, **more: Any) -> None:
    made = {"name": "tone", "revision": 2, "is_new": True, "is_rolled_out": True, "changed": ("warm_up: 30.0 → 60.0",)}
    plane.gives("POST", "/models", single(Deployment(**{**made, **more})))


def test_a_file_is_sent_as_it_stands_there_with_its_name(headroom: Headroom, plane: Any) -> None:
    deploys(plane)
    shown = headroom("models", "deploy", "tone.yaml", "--take-over")
    (asked,) = plane.of("POST", "/models")
    assert (asked.json["model"]["traffic"], asked.json["source"], asked.json["take_over"]) == (
        "enwiki",
        "tone.yaml",
        True,
    )
    assert shown.out.splitlines()[:2] == ["Deployed tone · revision 2", "Changes   warm_up: 30.0 → 60.0"]
    assert "headroom models rollout tone --undo" in shown.out


def test_what_a_job_has_published_is_deployed_by_the_models_name(headroom: Headroom, plane: Any) -> None:
    deploys(plane, changed=("application.args.artifact: /state/artifacts/0",))
    shown = headroom("models", "deploy", "tone", "--from-job", "417")
    (asked,) = plane.of("POST", "/models")
    assert (asked.json["model"], asked.json["from_job"]) == ({"name": "tone"}, "417")
    assert shown.out.splitlines()[0] == "Deployed tone · revision 2"
    assert headroom("models", "deploy", "tone", "--from-job", "417", "--take-over").code == 2
    found = DeploymentOutlook(name="tone", revision=2, is_new=True, is_rolled_out=True, where=("gpu-1:3",))
    plane.gives("POST", "/models/outlook", single(found))
    assert "Starts" in headroom("models", "deploy", "tone", "--from-job", "417", "--dry-run").out


def test_what_is_the_same_is_said(headroom: Headroom, plane: Any) -> None:
    deploys(plane, is_new=False, is_rolled_out=False)
    assert headroom("models", "deploy", "tone.yaml").out == "Unchanged tone: revision 2 is just that\n"
    deploys(plane, is_rolled_out=False)
    assert "Serves    at once: its replicas are the same" in headroom("models", "deploy", "tone.yaml").out


def test_faults_bear_file_and_line_wherever_they_are_found(headroom: Headroom, plane: Any) -> None:
    Path("tone.yaml").write_text(TONE.replace("rps_per_replica: 15", "rps_per_replica: many"))
    shown = headroom("models", "deploy", "tone.yaml")
    assert (shown.code, plane.asked) == (2, [])
    assert shown.err.startswith("error: tone.yaml:3: capacity.rps_per_replica")
    Path("tone.yaml").write_text(TONE)
    plane.fails("POST", "/models", 422, 'unknown traffic source "enwiki"', field="traffic", help="sources: dewiki")
    assert headroom("models", "deploy", "tone.yaml").err.splitlines() == [
        'error: tone.yaml:4: unknown traffic source "enwiki"',
        "help: sources: dewiki",
    ]


def test_a_dry_run_says_what_would_come_of_it(headroom: Headroom, plane: Any) -> None:
    found = DeploymentOutlook(
        name="tone", revision=2, is_new=True, is_rolled_out=True, changed=("warm_up: 30.0 → 60.0",),
        where=("gpu-1:3",), preempts=("4 lm: for tone@2",), delays=("5 lm",),
    )  # fmt: skip
    plane.gives("POST", "/models/outlook", single(found))
    shown = headroom("models", "deploy", "tone.yaml", "--dry-run")
    assert shown.out.splitlines() == [
        "tone · would be revision 2",
        "Changes   warm_up: 30.0 → 60.0",
        "Starts    1 replica on gpu-1:3 beside the old ones",
        "Preempts  4 lm: for tone@2",
        "Delays    5 lm",
    ]
    assert "asked of plan 7; nothing was changed" in shown.err


@pytest.mark.parametrize(
    ("flags", "order"),
    [(["--pause"], ("pause", 0)), (["--resume"], ("resume", 0)), (["--undo"], ("undo", 0)), (["--to", "3"], ("to", 3))],
)
def test_a_rollout_is_steered(flags: list[str], order: tuple[str, int], headroom: Headroom, plane: Any) -> None:
    plane.gives("POST", "/models/edit-check/rollout", single(a_history()))
    assert headroom("models", "rollout", "edit-check", *flags).code == 0
    (asked,) = plane.of("POST", "/models/edit-check/rollout")
    assert (asked.json["action"], asked.json["revision"]) == order


def test_how_far_it_is_comes_with_the_figures(headroom: Headroom, plane: Any) -> None:
    plane.gives("GET", "/models/edit-check/revisions", single(a_history()))
    assert headroom("models", "rollout", "edit-check").out == (
        "edit-check · revision 3 is tried with 10%; 120 requests 1 failed 2 late, "
        "the one before 1080 requests 3 failed 11 late; revision 2 serves\n"
    )


@pytest.mark.parametrize(("phase", "serving", "code"), [("done", 3, 0), ("rolled back", 2, 1)])
def test_waiting_for_it_ends_with_what_came_of_it(
    phase: str, serving: int, code: int, headroom: Headroom, plane: Any
) -> None:
    answers = [a_history(), a_history(), a_history(a_rollout(phase, reason="it fails" * (code > 0)), serving=serving)]
    plane.gives("GET", "/models/edit-check/revisions", lambda _: single(answers.pop(0)))
    shown = headroom("models", "rollout", "edit-check", "--wait")
    assert (shown.code, answers) == (code, [])
    assert len(shown.err.splitlines()) == 2, "one line a change"


def test_the_history_lists_the_newest_first(headroom: Headroom, plane: Any) -> None:
    plane.gives("GET", "/models/edit-check/revisions", single(a_history()))
    lines = headroom("models", "history", "edit-check", "--no-header").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["3", "2", "1"]
    assert "application.args.weights: another one; max_replicas: 4 → 6" in lines[0]
    shown = json.loads(headroom("models", "history", "edit-check", "-o", "json").out)
    assert [one["number"] for one in shown["item"]["revisions"]] == [1, 2, 3]


def test_the_history_says_which_job_made_what_serves(headroom: Headroom, plane: Any) -> None:
    past = a_history()
    made = {"source": "job 417 attempt 1", "artifact": f"sha256:{'0123' * 16}"}
    newest = past.revisions[-1].model_copy(update=made)
    plane.gives("GET", "/models/edit-check/revisions", single(past.model_copy(update={"revisions": (newest,)})))
    assert "\tjob 417 attempt 1 · sha256:012301230123\t" in headroom("models", "history", "edit-check").out


def test_the_list_shows_revisions_and_rollouts(headroom: Headroom, plane: Any, models: Any) -> None:
    rollouts = [(2, a_rollout()), (2, a_rollout("rolled back")), (2, a_rollout("done")), (0, None)]
    items = tuple(models[0].model_copy(update={"revision": n, "rollout": rollout}) for n, rollout in rollouts)
    plane.gives("GET", "/models", plane.answers["GET", "/models"].model_copy(update={"items": items}))
    head, *rows = (line.split("\t") for line in headroom("models").out.splitlines())
    assert [row[head.index("REVISION")] for row in rows] == ["2 → 3 at 10%", "2 (3 rolled back)", "2", "-"]
    assert json.loads(headroom("models", "-o", "json").out)["items"][0]["rollout"]["phase"] == "trying"


def test_removing_one_waits_until_it_is_gone(headroom: Headroom, plane: Any) -> None:
    answers = [a_history(removing=True), a_history(removed=NOW)]
    plane.gives("DELETE", "/models/edit-check", single(a_history(removing=True)))
    plane.gives("GET", "/models/edit-check/revisions", lambda _: single(answers.pop(0)))
    shown = headroom("models", "remove", "edit-check", "--wait")
    assert (shown.code, answers) == (0, [])
    assert shown.out.startswith("Removing edit-check")
