"""From training to serving on real Ray: a job publishes what it has trained, and the model's replicas read it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.integration.conftest import Plane
from tests.integration.test_models_on_ray import CLUSTER, JOB, MODEL, SERVED, serves

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]
TRAIN: Final = """
import os, pathlib, sys
folder = pathlib.Path(os.environ["HEADROOM_CHECKPOINT_DIR"]) / "model"
folder.mkdir()
(folder / "version").write_text(sys.argv[1])
"""


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plane]:
    """A control plane with a model that was deployed, and a job that trains a better one."""
    hours = "".join(f"2026-01-01T{hour:02}:00:00Z,5\n" for hour in range(24))
    (tmp_path / "wiki.csv").write_text(f"at,rps\n{hours}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SERVED), os.environ.get("PYTHONPATH", "")]))
    one = Plane(tmp_path, CLUSTER.format(folder=tmp_path))
    (one.job_dir / "fit.py").write_text(TRAIN)
    try:
        one.start()
        one.client.deploy(written(tmp_path))
        one.until(lambda: serves(one, 1), 180.0)
        yield one
    finally:
        one.clean_up()


def written(folder: Path) -> Path:
    file = folder / "tone.yaml"
    file.write_text(MODEL.format(version="v1").replace("steps: [0.5]", "steps: []"))
    return file


def trained(plane: Plane, version: str, **publishes: str) -> str:
    command = f"{sys.executable} fit.py {version}"
    publishes = {"model": "tone", **publishes}
    return plane.client.submit(entrypoint=command, working_dir=plane.job_dir, publishes=publishes, **JOB).id


def is_answered_by(plane: Plane, version: str) -> bool:
    """Whether a version answers; the router comes up shortly after the first replica."""
    try:
        answer = httpx.post(f"http://127.0.0.1:{plane.router_port}/models/tone/", content=b"x")
    except httpx.ConnectError:
        return False
    return bool(answer.raise_for_status().json()["version"] == version)


def test_what_a_job_has_trained_serves_and_what_it_left_out_is_said(plane: Plane) -> None:
    plane.until(lambda: is_answered_by(plane, "v1"))
    job = trained(plane, "trained", data_version="2026-11")
    plane.until(lambda: bool(plane.client.job(job).publishes.digest), 120.0)
    made = plane.client.deploy("tone", from_job=job).item
    assert (made.revision, made.is_rolled_out) == (2, True)
    plane.until(lambda: serves(plane, 2), 180.0)
    plane.until(lambda: is_answered_by(plane, "trained"))
    newest = plane.client.model_history("tone").item.revisions[-1]
    assert (newest.artifact, newest.source) == (plane.client.job(job).publishes.digest, f"job {job} attempt 1")

    broken = trained(plane, "x", path="elsewhere")
    plane.until(lambda: bool(plane.client.job(broken).publishes.fault), 120.0)
    assert plane.state(broken) == "Succeeded"

    better = trained(plane, "better", deploy="automatically")
    plane.kill()
    plane.start()
    plane.until(lambda: serves(plane, 3), 240.0)
    plane.until(lambda: is_answered_by(plane, "better"))
    assert plane.client.job(better).publishes.followed == "is revision 3 of tone"
