"""What was said of starts beside what came: scored as it should be, and on a small site true."""

from math import inf, isnan

import pytest

from benchmarks.eta.foretelling import Foretold, foretold
from benchmarks.eta.scoring import ALL, LEAST, scores
from scheduler.config.scenario import Jobs, JobStream, Scenario, ScenarioHost
from scheduler.config.schema import Control, Resources
from scheduler.control.whatif.answer import Spread

HOUR_S = 3600.0


def said(kind: str, p50_s: float, p90_s: float, came_s: float) -> Foretold:
    return Foretold(kind, 0.0, Spread(p50_s, p90_s), came_s)


def test_scores_count_what_kept_and_how_far_off_the_rest_was() -> None:
    told = [
        said("normal, 1 GPU", 1000.0, 2000.0, 900.0),
        said("normal, 1 GPU", 1000.0, 2000.0, 1500.0),
        said("normal, 1 GPU", 4000.0, 9000.0, 9100.0),
        Foretold("normal, 1 GPU", 0.0, None, 50.0),
        said("normal, 1 GPU", 1000.0, 2000.0, inf),
    ]
    (score,) = scores(told).values()
    assert (score.asked, score.answered) == (5, 0.8)
    assert score.before_p50 == pytest.approx(1 / 3)
    assert score.before_p90 == pytest.approx(2 / 3)
    assert score.close == pytest.approx(2 / 3)
    assert score.close_soon == 1.0
    assert (score.off_s, score.width_s) == (500.0, 1000.0)


def test_classes_of_few_are_left_out_and_nobody_is_no_number() -> None:
    few, many = [said("a", 1.0, 2.0, 1.0)] * (LEAST - 1), [said("b", 1.0, 2.0, 1.0)] * LEAST
    assert set(scores([*few, *many])) == {ALL, "b"}
    assert isnan(scores([])[ALL].before_p90)


def test_on_a_site_of_jobs_of_one_length_everybody_is_told_about_when_it_starts() -> None:
    stream = JobStream(
        name="tune", per_day=150, duration=HOUR_S, durations="fixed", says_runtime=True,
        resources=Resources(cpus=1, memory=100, gpus=1), grace=30,
    )  # fmt: skip
    host = ScenarioHost(name="gpu", count=1, cpus=8, memory=10_000, gpus=4)
    scenario = Scenario(
        scenario="one length", start="2026-01-01T00:00:00+00:00", days=0.4, seed=1, hosts=(host,),
        jobs=Jobs(streams=(stream,)), control=Control(period=300),
    )  # fmt: skip
    found = foretold(scenario, 1, 2 * HOUR_S, 3)
    score = scores(found)[ALL]
    assert score.asked >= LEAST
    assert score.answered == 1.0
    assert score.before_p90 > 0.8
    assert score.off_s < HOUR_S
