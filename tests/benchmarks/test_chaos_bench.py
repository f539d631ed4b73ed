"""Whatever goes wrong the promises hold; one that does not is found, and shrunk to a story that people can read."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.chaos import living
from benchmarks.chaos.living import play
from benchmarks.chaos.report import failures, play_seeds, written
from benchmarks.chaos.shrinking import shrunk
from benchmarks.chaos.stories import STORY, Job, Kind, Story, Trouble, story_of
from scheduler.cli.main import run
from simulations.cluster import SimulatedCluster
from simulations.engine import Engine
from simulations.room import HostRoom

STORIES = sorted((Path(__file__).parent / "stories").glob("*.json"))
"""Stories that broke a promise once."""
LONG = Job(0.0, 2, 2, 0, 50, 2400.0, saves=True)
SOON_S = 3600.0
"""A day of peace would take long to wait for in vain."""
LOADS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def trouble(kind: Kind, at_s: float = 600.0, *, pick: int = 0, lasts_s: float = 240.0) -> Trouble:
    return Trouble(kind, at_s, lasts_s, pick, 0.5)


def test_a_seed_is_a_story_and_a_story_can_be_written_down() -> None:
    assert story_of(7) == story_of(7) != story_of(8)
    assert STORY.validate_python(written(story_of(7))) == story_of(7)
    kinds = {one.kind for seed in range(60) for one in story_of(seed).troubles}
    assert kinds == set(Kind), "everything goes wrong in some story"


def test_promises_hold_in_some_stories() -> None:
    verdicts = play_seeds(range(3), 1, lambda _: None)
    assert failures(verdicts) == []
    assert all(verdict.turns > 90 for verdict in verdicts)


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_stories_that_broke_a_promise_once_break_none(path: Path) -> None:
    verdict = play(STORY.validate_json(path.read_bytes()))
    assert verdict.broken == "", verdict.why


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_trouble_alone_breaks_no_promise(kind: Kind) -> None:
    verdict = play(Story(1, (LONG,), LOADS, (trouble(kind, pick=3),)))
    assert verdict.broken == "", verdict.why


def test_a_control_plane_that_ends_in_the_middle_of_a_turn_is_there_again() -> None:
    deaths = [play(Story(1, (LONG,), LOADS, (trouble(Kind.DEATH, 0.0, pick=pick),))).deaths for pick in (0, 7)]
    assert deaths == [1, 1]


def test_a_cluster_that_refuses_nothing_is_found_over_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostRoom, "missing", lambda *_: "")
    jobs = tuple(Job(300.0 + 60 * number, 1, 2, 0, 50, 2400.0, saves=True) for number in range(5))
    verdict = play(Story(1, jobs, LOADS, (trouble(Kind.STALE, 290.0, lasts_s=900.0),)))
    assert verdict.broken == "nothing is over-committed"


def test_pauses_that_never_end_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "PEACE_S", SOON_S)
    monkeypatch.setattr(Engine, "speed", property(lambda _: math.inf))
    assert play(STORY.validate_json(STORIES[0].read_bytes())).broken == "waiting is bounded"


def test_a_loop_that_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedCluster, "observe", lambda *_: 1 / 0)
    verdict = play(Story(1, (LONG,), LOADS, ()))
    assert (verdict.broken, verdict.why) == ("the loop goes on", "ZeroDivisionError: division by zero")


def test_what_is_not_needed_for_a_failure_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "PEACE_S", SOON_S)
    monkeypatch.setattr(living, "BUSY_S", 1200.0)
    monkeypatch.setattr(SimulatedCluster, "return_host", lambda *_: None)
    troubles = [trouble(Kind.HOST_DIES, pick=pick, lasts_s=60.0) for pick in range(3)]
    story = Story(1, (LONG, LONG), LOADS, (trouble(Kind.RELOAD), *troubles))
    first = play(story)
    assert first.broken == "waiting is bounded"
    short = shrunk(first)
    assert short.broken == first.broken
    assert {one.kind for one in short.story.troubles} == {Kind.HOST_DIES}
    assert len(short.story.jobs) == 1


def test_the_command_says_what_held_and_shows_the_shortest_story_of_what_did_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["bench", "chaos", "--seeds", "2"]) == 0
    assert capsys.readouterr().out.startswith("2 stories: every promise was kept (")
    path = tmp_path / "story.json"
    path.write_text(json.dumps(written(Story(1, (LONG,), LOADS, ()))))
    monkeypatch.setattr(SimulatedCluster, "observe", lambda *_: 1 / 0)
    assert run(["bench", "chaos", "--story", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["failures"][0]["broken"] == "the loop goes on"
    assert STORY.validate_python(found["shortest"][0]["story"])
    path.write_text("{}")
    assert run(["bench", "chaos", "--story", str(path)]) == 2
    assert "is no story" in capsys.readouterr().err
