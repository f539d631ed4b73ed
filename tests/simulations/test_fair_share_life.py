"""Half a day of three queues that all want more than there is: what each gets follows the weights."""

from collections import Counter
from pathlib import Path

import pytest

from scheduler.config.scenario_loading import load_scenario
from scheduler.control.snapshots.usage import Meter
from simulations.run import Simulation
from simulations.wiring import setup_of

SCENARIO = Path(__file__).parents[2] / "configs" / "scenarios" / "fair-share.yaml"
SETTLED_S = 3 * 3600.0


@pytest.fixture(scope="module")
def day() -> Simulation:
    scenario = load_scenario(SCENARIO).model_copy(update={"days": 0.5, "drain": 0.0})
    simulation = Simulation(setup_of(scenario, seed=5))
    simulation.run()
    return simulation


def gpu_seconds(simulation: Simulation) -> Counter[str]:
    """Return what the queues held after the first hours, in GPU-seconds."""
    held: Counter[str] = Counter()
    begins_s, ends_s = simulation.setup.start_s + SETTLED_S, simulation.setup.end_s
    for job in simulation.world.store.jobs(open_only=False):
        for attempt in job.attempts:
            began_s = max(begins_s, attempt.started_at_s or ends_s)
            ended_s = min(ends_s, attempt.ended_at_s or ends_s)
            held[job.spec.queue] += round(max(0.0, ended_s - began_s) * job.spec.gang.gpus)
    return held


def test_what_each_queue_gets_follows_its_weight(day: Simulation) -> None:
    held = gpu_seconds(day)
    whole = sum(held.values())
    for queue, weight in (("product", 4), ("research", 2), ("batch", 1)):
        assert held[queue] / whole == pytest.approx(weight / 7, rel=0.15)
    assert whole > 0.9 * 16 * (day.setup.end_s - day.setup.start_s - SETTLED_S)


def test_the_loop_remembers_what_owners_used_as_their_records_say(day: Simulation) -> None:
    (report,) = day.world.store.cycles(limit=1)
    kept = {use.queue: use.gpu_milli for use in report.snapshot.usage}
    assert kept["product"] > kept["research"] > kept["batch"] > 0
    records = day.world.store.jobs(open_only=False)
    derived = {use.queue: use.gpu_milli for use in Meter(43_200.0, report.at_s, records).usage(report.at_s)}
    assert kept == pytest.approx(derived, rel=0.05)
