"""The scenarios that are shipped, each run for some hours of real traffic."""

from pathlib import Path

import pytest

from scheduler.config.scenario import Scenario
from scheduler.config.scenario_loading import load_scenario
from simulations.outcome import Outcome
from simulations.run import Simulation
from simulations.wiring import setup_of

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"


def scenario(name: str, **changes: object) -> Scenario:
    return load_scenario(SCENARIOS / f"{name}.yaml").model_copy(update={"drain": 0.0, **changes})


def run(scenario: Scenario, *, reactive: bool = False) -> Outcome:
    control = scenario.control.model_copy(update={"reactive": reactive or scenario.control.reactive})
    asked = scenario.model_copy(update={"control": control})
    return Simulation(setup_of(asked, seed=asked.seed)).run()


def test_the_forecast_beats_the_load_of_the_moment_on_a_german_morning() -> None:
    """Until 9 UTC the traffic grows sevenfold; the slowest model takes 21 minutes to warm up."""
    morning = {"start": "2012-06-06T03:30:00Z", "days": 5 / 24}
    ahead, behind = run(scenario("evening-peak", **morning)), run(scenario("evening-peak-reactive", **morning))
    assert ahead.requests == behind.requests > 1e5
    assert ahead.late_requests_share < 1e-5, "no queue is ever without waits"
    assert ahead.min_headroom_ratio >= 1.0
    assert behind.late_requests_share > 1e-4
    assert behind.min_headroom_ratio < 1.0
    assert behind.violation_s > 600.0
    assert ahead.preemptions > 0, "training made room for it"


def test_the_flag_and_the_reactive_file_are_the_same_world() -> None:
    hours = {"days": 2 / 24}
    assert run(scenario("evening-peak", **hours), reactive=True) == run(scenario("evening-peak-reactive", **hours))


def test_a_lost_host_is_made_good_within_the_warm_up() -> None:
    outcome = run(
        scenario("host-loss", start="2012-06-04T17:00:00Z", days=3 / 24).model_copy(update=loss_after("1h30m"))
    )
    assert outcome.down_gpu_s == pytest.approx(8 * 1.5 * 3600.0)
    assert outcome.min_headroom_ratio < 1.0, "eight devices are gone at once"
    assert 0.0 < outcome.violation_s <= 25 * 60.0, "21 minutes of warm-up and the time to notice"
    assert outcome.failed_requests_share == 0.0


def loss_after(after: str) -> dict[str, object]:
    """Return the shipped outage, begun `after` the start, without random ones."""
    faults = scenario("host-loss").faults
    outage = faults.outages[0].model_validate({**faults.outages[0].model_dump(), "after": after})
    return {"faults": faults.model_copy(update={"outages": (outage,), "mean_time_between": None})}


def test_growth_takes_from_training_and_not_from_serving() -> None:
    hours = {"start": "2012-06-04T18:00:00Z", "days": 3 / 24}
    usual, grown = run(scenario("evening-peak", **hours)), run(scenario("growth", **hours))
    assert grown.requests == pytest.approx(1.5 * usual.requests)
    assert grown.late_requests_share < 1e-4, (
        "40 devices are wanted of 38, so the least important model is a little short"
    )
    assert grown.serving_gpu_s > 1.2 * usual.serving_gpu_s
    assert grown.training_gpu_s < usual.training_gpu_s


def test_other_seeds_bring_other_jobs_and_the_same_traffic() -> None:
    short = scenario("evening-peak", days=1 / 24)
    one, two = (setup_of(short, seed=seed) for seed in (1, 2))
    assert one.arrivals != two.arrivals
    assert one.arrivals == setup_of(short, seed=1).arrivals
    assert one.loads["dewiki"](one.start_s) == two.loads["dewiki"](two.start_s)


def test_joint_peaks_leave_more_to_training_and_serving_as_well_off() -> None:
    """An evening of two Wikipedias; room is held for four hours."""
    evening = {"start": "2012-06-04T13:00:00Z", "days": 4 / 24}
    joint = scenario("two-wikis", **evening)
    apart = joint.model_copy(update={"control": joint.control.model_copy(update={"joint_peak": False})})
    together, alone = run(joint), run(apart)
    assert max(together.late_requests_share, alone.late_requests_share) < 1e-5
    assert together.training_gpu_s >= alone.training_gpu_s
