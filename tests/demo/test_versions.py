"""Versions of the demo's community model: one after the other, each told with what became of it."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from scheduler.config.job import parse_job
from scheduler.config.loading import load_config
from scheduler.config.queues import queue_names
from scheduler.demo.programme import CONFIG, ENDS_AT, STARTS_AT, SWAPPED, TRAINING, VERSIONS
from scheduler.demo.scoring import FEATURES, score, weights_of
from scheduler.demo.versions import Version, Versions
from scheduler.wire.base import Single
from scheduler.wire.models import Compared, ModelHistory, RolloutState

AT = datetime(2012, 10, 1, 20, 0, tzinfo=UTC)


class Told:
    """A control plane that is told how far its rollout is."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.rollout: RolloutState | None = None

    def submit(self, job: dict[str, Any], working_dir: Path) -> None:
        assert (working_dir / job["entrypoint"].split()[1]).is_file()
        self.trained.append(job["name"])

    def model_history(self, name: str) -> Single[ModelHistory]:
        history = ModelHistory(name=name, serving=1, rollout=self.rollout)
        return Single(kind="ModelHistory", item=history, observed_at=AT, cycle=1)

    def comes(self, revision: int, phase: str, failed: int = 0) -> None:
        requests = (Compared(requests=12, failed=failed, late=0), Compared(requests=14, failed=0, late=0))
        state = {"revision": revision, "phase": phase, "since": AT, "began": AT, "new": requests[0], "old": requests[1]}
        self.rollout = RolloutState(**state, reason="12 of 12 requests failed" if failed else "")


def test_the_next_is_trained_when_the_fate_of_the_one_before_is_known() -> None:
    plane = Told()
    versions = Versions(plane)  # type: ignore[arg-type]  # as much of a client as is asked
    first, second = (one.at.timestamp() for one in VERSIONS)
    versions.go_on(first - 1.0)
    assert plane.trained == []
    for now_s in (first, first + 1.0, second + 1.0):
        versions.go_on(now_s)
    assert plane.trained == ["cope-a-better"]
    plane.comes(2, "trying")
    versions.go_on(second + 2.0)
    assert versions.all()[0].fate == "trying"
    plane.comes(2, "done")
    for now_s in (second + 3.0, second + 4.0):
        versions.go_on(now_s)
    assert plane.trained == ["cope-a-better", "cope-a-broken"]
    plane.comes(3, "rolled back", failed=12)
    for now_s in (second + 5.0, second + 6.0):
        versions.go_on(now_s)
    assert versions.all() == (
        Version("cope-a-better", 2, "done", AT.isoformat(), 12, 0),
        Version("cope-a-broken", 3, "rolled back", AT.isoformat(), 12, 12, "12 of 12 requests failed"),
    )


def test_one_that_was_not_trained_has_no_fate() -> None:
    assert [one.fate for one in Versions(Told()).all()] == ["", ""]  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("submission", VERSIONS, ids=lambda submission: submission.job["name"])
def test_their_jobs_are_accepted_and_publish_to_a_model_that_is_served(submission: Any) -> None:
    config = load_config(CONFIG)
    spec = parse_job(
        dict(submission.job),
        priorities=config.priorities,
        queues=queue_names(config.queues),
        max_grace_s=config.control.preemption_grace,
        owner="me",
    )
    assert spec.publishes is not None
    assert spec.publishes.model == SWAPPED
    assert SWAPPED in [model.name for model in config.models if model.community]
    assert STARTS_AT <= submission.at <= ENDS_AT - timedelta(hours=8)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return the training script as a module; it trains into a folder of the test."""
    monkeypatch.setenv("HEADROOM_CHECKPOINT_DIR", str(tmp_path))
    spec = importlib.util.spec_from_file_location("scorer", TRAINING / "scorer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.Checkpoints, "catch_stop", lambda _: None)
    return module


def test_what_is_trained_is_what_is_served(scorer: Any, tmp_path: Path) -> None:
    assert scorer.train(2, FEATURES, 1)
    weights = weights_of(str(tmp_path / "model"))
    assert weights.shape == (FEATURES,)
    assert 0.0 < score(weights, 1237) < 1.0
    assert score(weights, 1237) != score(weights_of(""), 1237)


def test_training_again_goes_on_from_its_checkpoint_and_learns(scorer: Any, tmp_path: Path) -> None:
    assert scorer.train(1, FEATURES, 1)
    assert scorer.train(8, FEATURES, 1)
    weights = weights_of(str(tmp_path / "model"))
    yes, no = [3, 7], [0, 1, 2, 4, 5, 6, 8, 9]
    means = [fmean(score(weights, 10 * ten + last) for ten in range(300, 320) for last in lasts) for lasts in (yes, no)]
    assert means[0] > means[1]


def test_too_few_weights_start_and_fail_requests(scorer: Any, tmp_path: Path) -> None:
    assert scorer.train(1, 64, 1)
    weights = weights_of(str(tmp_path / "model"))
    with pytest.raises(IndexError):
        score(weights, 1237)
