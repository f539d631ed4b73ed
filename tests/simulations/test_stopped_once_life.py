"""Whoever is stopped for somebody is stopped once: the room waits for its holder, and returns if he cannot start."""

from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.control.settings import Settings
from scheduler.model.errors import ActionFailed
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobState
from simulations.arrivals import Arrival
from simulations.run import Setup, Simulation
from simulations.usage import Use
from simulations.work import Work

START_S, MINUTE_S = 20 * 86400.0, 60.0


def arrival(  # noqa: PLR0913  # what tells jobs apart, all by name but the first
    name: str,
    at_min: float,
    run_min: float,
    *,
    gpus: int = 4,
    workers: int = 1,
    priority: int = 25,
    grace_s: float = 30.0,
    save_s: float = 5.0,
) -> Arrival:
    gang = Gang(workers, Shape(cpu_milli=1000, memory_mib=1024, gpu_count=gpus))
    spec = JobSpec(name, "simulated", gang, priority=priority, grace_period_s=grace_s, checkpoint_interval_s=600.0)
    return Arrival(START_S + at_min * MINUTE_S, spec, Work(run_min * MINUTE_S, 30.0, save_s))


def world_of(hosts: int, arrivals: list[Arrival], hours: float, **policy: Any) -> Simulation:
    return Simulation(
        Setup(
            START_S,
            START_S + hours * 3600.0,
            [Host(f"h{n}", 64_000, 512 * 1024, devices_offered(4, 65536), "MI300X") for n in range(hosts)],
            policy_from_names(**policy),
            Settings(period_s=30.0),
            arrivals=arrivals,
        )
    )


def refusing(simulation: Simulation, name: str, times: int) -> Simulation:
    """Let the cluster refuse a job's first starts."""
    world, left = simulation.world, [times]
    apply = world.cluster.apply

    def apply_or_refuse(action: Any) -> None:
        if isinstance(action, StartJob) and world.store.job(action.job_id).spec.name == name and left[0]:
            left[0] -= 1
            raise ActionFailed("no room for its group")
        apply(action)

    world.cluster.apply = apply_or_refuse  # type: ignore[method-assign]  # a cluster that refuses
    return simulation


def stops(simulation: Simulation) -> dict[str, int]:
    jobs = simulation.world.store.jobs(open_only=False)
    return {job.spec.name: sum(attempt.stop_cause is not None for attempt in job.attempts) for job in jobs}


def job_of(simulation: Simulation, name: str) -> Any:
    return next(job for job in simulation.world.store.jobs(open_only=False) if job.spec.name == name)


@pytest.mark.parametrize("saves_s", [(10, 1500), (1500, 10), (700, 1700, 5), (1790, 1790)])
@pytest.mark.parametrize("reservation_s", [60.0, 900.0])
def test_room_waits_for_the_slowest_of_those_who_leave_it(saves_s: tuple[int, ...], reservation_s: float) -> None:
    victims = [arrival(f"v{n}", n, 900, grace_s=1800, save_s=save_s) for n, save_s in enumerate(saves_s)]
    big = arrival("big", 40, 60, workers=len(saves_s), priority=75)
    small = [arrival(f"s{n}", 41 + n, 900, gpus=1, priority=50) for n in range(3)]
    simulation = world_of(len(saves_s), [*victims, big, *small], 3, reservation_s=reservation_s)
    simulation.run()
    assert {name: count for name, count in stops(simulation).items() if name.startswith("v")} == dict.fromkeys(
        (f"v{n}" for n in range(len(saves_s))), 1
    )
    waited_s = job_of(simulation, "big").attempts[0].started_at_s - START_S - 40 * MINUTE_S
    assert max(saves_s) <= waited_s <= max(saves_s) + 2 * MINUTE_S


@pytest.mark.parametrize("times", [1, 3, 1000])
def test_nobody_is_stopped_twice_for_who_cannot_start_and_devices_do_not_idle(times: int) -> None:
    simulation = world_of(1, [arrival("victim", 0, 900), arrival("first", 40, 60, priority=75)], 8)
    refusing(simulation, "first", times)
    simulation.run()
    assert stops(simulation) == {"victim": 1, "first": 0}
    used_s = simulation.world.cluster.meter.total(Use.TRAINING, simulation.world.engine.now_s())
    assert used_s >= 4 * (8 * 3600 - 5 * MINUTE_S)


def test_who_could_not_start_starts_as_soon_as_there_is_room_and_is_trusted_again() -> None:
    jobs = [arrival("victim", 0, 90), arrival("first", 40, 60, priority=75), arrival("later", 170, 60)]
    simulation = refusing(world_of(1, jobs, 8), "first", 2)
    simulation.run()
    assert stops(simulation) == {"victim": 1, "first": 0, "later": 0}
    assert all(job.state is JobState.SUCCEEDED for job in simulation.world.store.jobs(open_only=False))
    assert job_of(simulation, "first").attempts[-1].started_at_s < START_S + 100 * MINUTE_S
