"""The other clusters that the repository ships, on a real Ray: each does what its own comments say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
RUN_HERE = {"three-teams.yaml", "liftwing-eqiad.yaml"}
RUN_ELSEWHERE = {
    "laptop.yaml": "tests/docs/test_readme_on_ray.py",
    "kubernetes.yaml": "tests/docs/test_configs_on_kubernetes.py",
}
"""Clusters, and the test that runs them."""
FIRST_PLAN_S = 15.0
"""Within which there is a plan once Ray is up, whatever traffic sources do."""


def test_every_cluster_that_ships_is_run() -> None:
    """A cluster is a file with a backend; others hold jobs and scenarios."""
    clusters = {path.name for path in CONFIGS.glob("*.yaml") if "\nbackend:" in path.read_text(encoding="utf-8")}
    assert clusters == RUN_HERE | set(RUN_ELSEWHERE)


def comments_of(name: str) -> Iterator[str]:
    """Yield the commands in the comment at the head of a configuration, but for the one that starts it."""
    for line in (CONFIGS / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        if (found := re.match(r"#\s+(headroom (?!run).*)", line)) is not None:
            yield found[1]


def test_three_teams_share_a_cluster(newcomer: Any) -> None:
    newcomer.runs("configs/three-teams.yaml")
    asked = list(comments_of("three-teams.yaml"))
    assert len(asked) >= 3
    for text in asked:
        words = [word for word in shlex.split(text, comments=True) if word != "--watch"]
        said = newcomer.types(shlex.join(words))
        assert said.returncode == 0, f"{text}\n{said.stdout}\n{said.stderr}"
    queues = {queue.name: queue for queue in newcomer.client.queues().items}
    assert {"product", "research", "batch"} <= set(queues)
    newcomer.waits(lambda: len([job for job in newcomer.client.jobs().items if job.state == "Running"]) == 2, 150.0)
    newcomer.leaves()


def test_a_fleet_is_planned_whose_sources_do_not_answer_and_whose_replicas_others_run(newcomer: Any) -> None:
    """No name of its Prometheus is known here: what a site sees on the day its telemetry is down."""
    (newcomer.folder / "log").unlink(missing_ok=True)
    newcomer.runs("configs/liftwing-eqiad.yaml", wall_s=300.0)
    up = re.search(r"Ray is up after (\d+) s", newcomer.log())
    assert up is not None
    models = newcomer.client.models().items
    assert len(models) == 137
    assert all(model.served_elsewhere and model.ready == 0 and model.wanted >= 1 for model in models)
    assert not [e for e in newcomer.client.events(limit=500).items if e.kind == "failure" and "application" in e.title]
    said = newcomer.types("headroom status")
    assert said.returncode == 0
    assert re.search(r"\d+ of \d+ sources", said.stdout + said.stderr), said.stdout
    newcomer.leaves()
