"""Days of big gangs in a stream of small jobs: with bookings gangs get their turn, and small jobs fill the gaps."""

from dataclasses import dataclass

from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.settings import Settings
from scheduler.model.hosts import Host, devices_offered
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup, Simulation

HOUR_S = 3600.0
START_S = 20 * DAY_S
SEED = 2


@dataclass(frozen=True)
class Seen:
    """What came out of a run: mean waits in seconds, and how many started in the shadow of a booking."""

    gangs_wait_s: float
    small_wait_s: float
    gangs_started: int
    backfilled: int
    failed_starts: int


def days_with(bookings: int, days: float = 2.0) -> Seen:
    small = JobStream(
        name="small",
        per_day=85,
        duration=3 * HOUR_S,
        durations="exponential",
        resources=Resources(memory=1, gpus=1),
        grace=60,
    )
    gang = JobStream(
        name="gang", per_day=2, duration=HOUR_S, resources=Resources(memory=1, gpus=4), workers=3, grace=60
    )
    end_s = START_S + days * DAY_S
    arrivals = [a for each in (small, gang) for a in from_stream(each, {"normal": 50}, START_S, end_s, SEED)]
    setup = Setup(
        start_s=START_S,
        end_s=end_s,
        hosts=[Host(name, 64_000, 10_000, devices_offered(4, 65536), "MI210") for name in "abcd"],
        policy=policy_from_names(placement_score="best-fit", bookings=bookings),
        settings=Settings(period_s=60.0),
        arrivals=sorted(arrivals, key=lambda arrival: arrival.at_s),
    )
    simulation = Simulation(setup)
    simulation.run()
    jobs = simulation.world.store.jobs(open_only=False)
    waits: dict[str, list[float]] = {"small": [], "gang": []}
    for job in jobs:
        started_s = job.attempts[0].decided_at_s if job.attempts else end_s
        waits[job.spec.name.partition("-")[0]].append(started_s - job.submitted_at_s)
    events = simulation.world.store.events(limit=100_000)
    return Seen(
        sum(waits["gang"]) / len(waits["gang"]),
        sum(waits["small"]) / len(waits["small"]),
        sum(bool(job.attempts) for job in jobs if job.spec.name.startswith("gang")),
        sum("before its turn" in event.detail for event in events),
        simulation.world.cluster.refused,
    )


def test_gangs_get_their_turn_and_small_jobs_fill_the_gaps() -> None:
    without, with_bookings = days_with(0), days_with(4)
    assert with_bookings.gangs_wait_s < without.gangs_wait_s / 2
    assert with_bookings.gangs_started > without.gangs_started
    assert (without.backfilled, with_bookings.backfilled > 0) == (0, True)
    assert without.failed_starts == with_bookings.failed_starts == 0
