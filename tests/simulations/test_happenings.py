"""What a scenario adds to the world: spikes, failovers, silence, bad starts, bad forecasts and restarts."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scheduler.config.scenario import ForecastFaults, Scenario, Starts
from scheduler.control.demand.traffic import ForecastRequest, Task
from scheduler.control.ports import Traffic
from scheduler.model.errors import Unreachable
from scheduler.model.plan import StartReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobState, ReplicaId, ReplicaState
from simulations.bad_forecasts import BadFitters
from simulations.faults import Restart, StartFaults, restarts
from simulations.run import Setup, Simulation
from simulations.wiring import setup_of
from simulations.world import World

HOUR_S = 3600.0


@pytest.fixture
def traffic(tmp_path: Path) -> Callable[..., Setup]:
    """Return a builder of a scenario with two steady traffics, of 10 and 4 requests per second."""
    for name, rate in (("a", 10), ("b", 4)):
        rows = [f"2012-06-0{day}T{hour:02}:00:00Z,{3600 * rate}" for day in (4, 5) for hour in range(24)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["timestamp,requests", *rows]) + "\n")

    def build(**more: object) -> Setup:
        plain = {
            "scenario": "small",
            "start": "2012-06-04T12:00:00Z",
            "days": 0.5,
            "noise": {"poisson": False},
            "hosts": [{"name": "g", "cpus": 8, "memory": "16Gi", "gpus": 4}],
            "traffic": {name: {"kind": "replay", "file": tmp_path / f"{name}.csv"} for name in ("a", "b")},
        }
        return setup_of(Scenario.model_validate({**plain, **more}), seed=1)

    return build


def loads(setup: Setup, name: str, *hours: float) -> list[float]:
    return setup.loads[name](setup.start_s + np.array(hours) * HOUR_S).round(6).tolist()


def test_spikes_multiply_what_was_recorded_while_they_last(traffic: Callable[..., Setup]) -> None:
    spikes = [{"traffic": "a", "after": "1h", "lasts": "2h", "times": 3}]
    setup = traffic(spikes=spikes)
    assert loads(setup, "a", 0.9, 1, 2.9, 3) == [10, 30, 30, 10]
    assert loads(setup, "b", 2) == [4]
    setup = traffic(spikes=[*spikes, {"traffic": "a", "after": "2h", "lasts": "2h", "times": 0.5}])
    assert loads(setup, "a", 1.5, 2.5, 3.5) == [30, 15, 5]


def test_the_loop_sees_a_spike_when_it_has_come_and_never_before(traffic: Callable[..., Setup]) -> None:
    setup = traffic(spikes=[{"traffic": "a", "after": "2h", "lasts": "2h", "times": 3}])
    source, began_s = setup.sources["a"], setup.start_s
    assert source.read(began_s + 1.9 * HOUR_S).latest_rps == 10
    seen = source.read(began_s + 3.5 * HOUR_S)
    assert (seen.latest_rps, seen.series.values[-2:].tolist()) == (30, [10, 30])


def test_another_sites_requests_come_on_top(traffic: Callable[..., Setup]) -> None:
    setup = traffic(failovers=[{"source": "b", "to": "a", "after": "1h", "lasts": "1h", "share": 0.5}])
    assert loads(setup, "a", 0.5, 1.5, 2.5) == [10, 12, 10]
    assert loads(setup, "b", 1.5) == [4]


def test_a_shift_plays_traffic_later(traffic: Callable[..., Setup], tmp_path: Path) -> None:
    rows = [f"2012-06-04T{hour:02}:00:00Z,{3600 * hour}" for hour in range(24)]
    (tmp_path / "a.csv").write_text("\n".join(["timestamp,requests", *rows]) + "\n")
    plain = traffic(traffic={"a": {"kind": "replay", "file": tmp_path / "a.csv"}})
    later = traffic(traffic={"a": {"kind": "replay", "file": tmp_path / "a.csv", "shift": "3h"}})
    assert loads(later, "a", 4, 5) == loads(plain, "a", 1, 2)


def test_a_source_is_silent_when_the_scenario_says_so(traffic: Callable[..., Setup]) -> None:
    setup = traffic(faults={"telemetry": [{"traffic": "a", "after": "1h", "lasts": "1h"}]})
    source = setup.sources["a"]
    assert source.read(setup.start_s).latest_rps == 10
    with pytest.raises(Unreachable):
        source.read(setup.start_s + 1.5 * HOUR_S)
    assert source.read(setup.start_s + 2 * HOUR_S).latest_rps == 10
    assert setup.sources["b"].read(setup.start_s + 1.5 * HOUR_S).latest_rps == 4


def test_starts_are_slow_or_fail_as_often_as_asked_whatever_else_starts() -> None:
    faults = StartFaults(Starts(slow=0.2, slow_by=5, failing=0.1, jobs_failing=0.5), seed=7)
    ids = [ReplicaId(f"m-{number}") for number in range(2000)]
    assert np.mean([faults.warm_up(one) == 5 for one in ids]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([faults.fails(one) for one in ids]) == pytest.approx(0.1, abs=0.03)
    assert faults.fails(ids[7]) == StartFaults(faults.asked, seed=7).fails(ids[7])
    none = StartFaults()
    assert {none.warm_up(one) for one in ids} == {1.0}
    assert not any(none.fails(one) for one in ids)


def test_a_slow_replica_takes_longer_and_a_failed_one_says_so(world: World) -> None:
    start = StartReplica("m", Slot("a", (0,)))
    world.cluster.replicas.faults = StartFaults(Starts(slow=1, slow_by=3))
    world.cluster.apply(start)
    world.engine.run_until(359.0)
    assert world.cluster.replicas.all[0].state is ReplicaState.STARTING
    world.engine.run_until(361.0)
    assert world.cluster.replicas.all[0].state is ReplicaState.READY
    world.cluster.replicas.faults = StartFaults(Starts(failing=1))
    world.cluster.apply(replace(start, slot=Slot("a", (1,))))
    world.engine.run_until(1000.0)
    assert [one.fault for one in world.cluster.replicas.all] == ["", "its constructor raised"]


def task(hour: int = 0) -> Task:
    series = wave_series(hour)
    return Task(
        Traffic(series, float(series.values[-1]), float(series.end_s)),
        ForecastRequest(24 * HOUR_S),
        float(series.end_s),
        (hour,),
    )


def wave_series(hour: int):  # type: ignore[no-untyped-def]  # noqa: ANN201  # a series
    from forecasting.series import Series  # noqa: PLC0415  # beside its one use

    at_h = np.arange(14 * 24 + hour)
    return Series(0, 3600, 60.0 - 50.0 * np.cos(2 * np.pi * at_h / 24))


def test_forecasts_are_wrong_by_what_is_asked_for() -> None:
    plain = task().fit()[0].quantiles(24, (0.5,))[0]
    fitters = BadFitters(ForecastFaults(bias=-0.2), 0.0, seed=1)
    assert fitters.submit(task().fit).result()[0].quantiles(24, (0.5,))[0] == pytest.approx(0.8 * plain, rel=0.01)
    noisy = BadFitters(ForecastFaults(error=0.3), 0.0, seed=1)
    factors = [noisy._factor(task(hour)) for hour in range(40)]
    assert np.std(np.log(factors)) == pytest.approx(0.3, abs=0.1)
    assert noisy._factor(task(3)) == noisy._factor(task(3))


def test_a_silent_forecaster_is_an_error_for_whoever_asks() -> None:
    at_s = task().now_s
    fitters = BadFitters(ForecastFaults.model_validate({"silent": [{"after": at_s, "lasts": "1h"}]}), 0.0, seed=1)
    with pytest.raises(Unreachable):
        fitters.submit(task(0).fit).result()
    assert fitters.submit(task(1).fit).result()


def test_a_control_plane_that_is_restarted_goes_on_and_every_job_ends(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup(1, per_day=60)
    ends = tuple(Restart(setup.start_s + hour * HOUR_S, 600.0) for hour in (1, 2, 2.1))
    until_s = setup.start_s + 3 * HOUR_S
    arrivals = [one for one in setup.arrivals if one.at_s < until_s]
    short = replace(setup, restarts=ends, arrivals=arrivals, end_s=until_s, lead_in_s=0.0, drain_s=7 * 86400.0)
    simulation = Simulation(short)
    turns = list[float]()
    simulation.cycle.board.listeners.append(lambda report: turns.append(report.cycle.at_s))
    first = simulation.cycle
    outcome = simulation.run()
    assert simulation.cycle is not first
    gaps = [after - before for before, after in pairwise(turns)]
    assert sum(gap >= 600 for gap in gaps[: len(gaps) // 2]) >= 2, "nobody turned while it was away"
    assert outcome.actions_refused == 0
    assert {job.state for job in simulation.world.store.jobs(open_only=False)} == {JobState.SUCCEEDED}


def test_restarts_come_as_listed_and_at_random_by_seed() -> None:
    faults = Scenario.model_validate(
        {
            "scenario": "s", "start": "2012-06-04T12:00:00Z", "days": 1, "hosts": [{"name": "g"}],
            "faults": {"restarts": [{"after": "5h"}], "restart_every": "2h"},
        }
    ).faults  # fmt: skip
    found = restarts(faults, 0.0, 500 * HOUR_S, 1)
    assert Restart(5 * HOUR_S, 60.0) in found
    assert len(found) == pytest.approx(251, abs=50)
    assert found == restarts(faults, 0.0, 500 * HOUR_S, 1) != restarts(faults, 0.0, 500 * HOUR_S, 2)
