"""The README's commands in their order, on the real Ray of its first step, until each has done what the text says."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
FIRST = "headroom run -c configs/laptop.yaml"
ELSEWHERE = {
    "make demo": "begun and ended by tests/docs/test_demo_on_ray.py; whole it takes five minutes",
    "make test": "what runs this",
    "make install": "what `make test` begins with",
    "export PATH": "the newcomer of these tests has it so",
    FIRST: "what everything else here is asked of",
    "ray start": "tests/docs/test_a_cluster_of_your_own.py joins hosts to a cluster that Headroom did not start",
    "headroom run --standby": "tests/integration starts one beside another",
    "headroom simulate": "tests/docs/test_commands_of_files.py asks no control plane",
}
"""Commands of the README that are carried out by another test, and where."""


@pytest.fixture(scope="module")
def laptop(newcomer: Any) -> Any:
    """The README's first step, taken."""
    newcomer.runs("configs/laptop.yaml")
    return newcomer


def readme(commands_in: Any) -> list[str]:
    """Return the README's commands for the control plane and for files, in their order."""
    given = [re.sub(r"\s+#.*", "", one.text) for one in commands_in(ROOT / "README.md")]
    assert FIRST in given
    return [text for text in given if not text.startswith(tuple(ELSEWHERE))]


def test_every_model_of_the_first_step_gets_ready_and_answers(laptop: Any) -> None:
    laptop.waits(lambda: all(m.ready >= m.wanted >= 1 for m in laptop.client.models().items), 150.0)
    names = [model.name for model in laptop.client.models().items]
    assert names == ["edit-check", "readability"]
    router = re.search(r"--router-port (\d+)", " ".join(laptop.running[0].args))
    assert router is not None
    for name in names:
        answer = httpx.post(f"http://127.0.0.1:{router[1]}/models/{name}/", json={"rev_id": 5}, timeout=30.0)
        assert 0 < answer.json()["score"] < 1, answer.text


def test_every_command_does_what_it_should(laptop: Any, commands_in: Any) -> None:
    asked = readme(commands_in)
    assert len(asked) > 10
    for text in asked:
        if " -f " in text:
            _follow(laptop, text)
            continue
        said = laptop.types(text, wall_s=240.0)
        assert said.returncode == 0, f"{text}\n{said.stdout}\n{said.stderr}"
        assert said.stdout.strip() or said.stderr.strip(), text


def _follow(laptop: Any, text: str) -> None:
    """Follow a job's output until it says something, as somebody does who then presses Ctrl-C."""
    process = laptop.starts(text)
    laptop.waits(lambda: re.search(r"step|epoch|loss", laptop.log()), 120.0)
    process.send_signal(signal.SIGINT)
    process.wait(30.0)


def test_pictures_that_commands_draw_are_there(laptop: Any) -> None:
    assert (laptop.folder / "edit-check.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


@pytest.mark.parametrize("file", ["cpu-only", "share-of-a-gpu"])
def test_jobs_of_the_examples_run_until_they_are_done(laptop: Any, file: str) -> None:
    said = laptop.types(f"headroom submit configs/jobs/{file}.yaml --wait", wall_s=280.0)
    assert said.returncode == 0, said.stdout + said.stderr


def test_an_example_for_other_hosts_is_refused_with_what_would_fit(laptop: Any) -> None:
    said = laptop.types("headroom submit configs/jobs/whole-host.yaml")
    assert said.returncode == 2
    assert "MI300X" in said.stderr


def test_the_elastic_example_starts_with_at_least_its_fewest_workers(laptop: Any) -> None:
    said = laptop.types("headroom submit configs/jobs/elastic.yaml -o json")
    job_id = json.loads(said.stdout)["item"]["id"]
    laptop.waits(lambda: laptop.client.job(job_id).state == "Running", 120.0)
    assert laptop.types(f"headroom stop {job_id}").returncode == 0
    laptop.waits(lambda: laptop.client.job(job_id).state == "Stopped", 120.0)


def test_ctrl_c_leaves_nothing_running(laptop: Any) -> None:
    """Last: it ends what the others ask."""
    laptop.leaves()
    assert not list((laptop.folder / "state").glob("local-ray.json"))
