"""What a run is told of is what happened in it, and telling changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from scheduler.control.records import Outcome as Ending
from scheduler.control.settings import Settings
from simulations.evidence import FREE, LOST, READY, TRAINING, Evidence, Witness
from simulations.faults import Outage
from simulations.outcome import as_json
from simulations.run import Setup, Simulation

HOUR_S = 3600.0


@pytest.fixture
def run(make_setup: Callable[..., Setup]) -> tuple[Simulation, Evidence, Simulation]:
    """A morning in which a host is lost and training makes room: told, and untold."""
    setup = make_setup(1, per_day=120, settings=Settings(period_s=120.0, reactive=True))
    end_s = setup.start_s + 10 * HOUR_S
    setup = replace(
        setup,
        end_s=end_s,
        arrivals=[one for one in setup.arrivals if one.at_s < end_s],
        outages=(Outage("b", setup.start_s + 8 * HOUR_S, setup.start_s + 9 * HOUR_S),),
        lead_in_s=HOUR_S,
    )
    simulation, untold = Simulation(setup), Simulation(setup)
    witness = Witness(simulation, 1, ["made up: jobs"])
    simulation.run()
    untold.run()
    return simulation, witness.evidence(), untold


def test_a_run_that_is_told_is_what_happened(run: tuple[Simulation, Evidence, Simulation]) -> None:
    simulation, told, untold = run
    assert as_json(simulation.outcome()) == as_json(untold.outcome()), "telling changes nothing"

    jobs = simulation.world.store.jobs(open_only=False)
    assert len(told.jobs) == len(jobs)
    preempted = [one for job in jobs for one in job.attempts if one.outcome is Ending.PREEMPTED]
    assert len(told.stops) == len(preempted) > 0
    assert {one.beneficiary for one in told.stops} == {"m"}
    assert all(one.needed is not None and "were there" in one.why for one in told.stops)

    assert told.violations, "the host that was lost had replicas"
    assert sum(one.until_s - one.from_s for one in told.violations) == pytest.approx(simulation.outcome().violation_s)
    assert "host b was lost" in told.violations[-1].why
    assert min(one.lowest for one in told.violations) == pytest.approx(simulation.outcome().min_headroom_ratio)

    assert len(told.points) <= 481
    assert [len(marks) for devices in told.occupancy for marks in devices] == [len(told.points)] * 8
    for place, point in enumerate(told.points):
        marks = [device[place] for devices in told.occupancy for device in devices]
        assert marks.count(READY) == point.ready
        assert marks.count(TRAINING) == point.training
        lost = simulation.setup.start_s + 8 * HOUR_S <= point.at_s < simulation.setup.start_s + 9 * HOUR_S
        assert (marks.count(LOST) == 4) == lost
        assert marks.count(FREE) == pytest.approx(point.free)
