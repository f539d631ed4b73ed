"""Lives with hosts that fall silent, starts that fail and people who go past the control plane: nothing runs twice."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from policies.registry import policy_from_names
from scheduler.control.cycle import Cycle
from scheduler.control.patience import Patience
from scheduler.control.records import DesiredState, JobRecord, Outcome
from scheduler.control.reports.board import Board
from scheduler.control.settings import Settings
from scheduler.model.hosts import Host, HostState, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import RunState
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState
from simulations.work import Work
from simulations.world import World

PERIOD_S = 10.0
LOST_S = 120.0
PATIENCE = Patience(backoff_s=30.0, starts=4, lost_s=LOST_S)


@dataclass
class Life:
    """A job of one device on one of two hosts, and the loop that looks after it."""

    world: World
    cycle: Cycle
    job_id: JobId

    def turns(self, duration_s: float) -> None:
        """Let time pass, with a turn every period; no job may ever run twice among hosts that are heard."""
        for _ in range(int(duration_s / PERIOD_S)):
            self.cycle.turn()
            self.world.engine.run_until(self.world.engine.now_s() + PERIOD_S)
            seen = self.world.cluster.observe()
            heard = {host.name for host in seen.hosts if host.state is HostState.READY}
            held = [run for run in seen.runs if run.state.holds_room and run.slots[0].host in heard]
            assert len([run for run in held if run.state is not RunState.STOPPING]) <= 1 + self.just_back

    just_back: bool = False

    @property
    def job(self) -> JobRecord:
        """The job as it is recorded now."""
        return self.world.store.job(self.job_id)

    @property
    def host(self) -> str:
        """Where its latest attempt runs."""
        assert self.job.attempt is not None
        return self.job.attempt.slots[0].host


@pytest.fixture
def life() -> Life:
    world = World(0.0, [Host(name, 8000, 10_000, devices_offered(1, 65536), "MI210") for name in "ab"])
    spec = JobSpec("lm", "train", Gang(1, Shape(1000, 100, 1)), checkpoint_interval_s=60.0)
    job_id = world.submit(spec, Work(7200.0, 10.0))
    cycle = Cycle(
        cluster=world.cluster,
        store=world.store,
        clock=world.engine,
        served=(),
        sources={},
        policy=policy_from_names(),
        settings=Settings(period_s=PERIOD_S, patience=PATIENCE),
        board=Board(),
    )
    return Life(world, cycle, job_id)


def test_a_host_that_is_silent_for_seconds_and_returns_has_kept_its_job(life: Life) -> None:
    life.turns(60.0)
    host = life.host
    life.world.cluster.silence_host(host)
    life.turns(LOST_S - 2 * PERIOD_S)
    life.world.cluster.hear_host(host)
    life.turns(60.0)
    assert (len(life.job.attempts), life.job.state, life.host) == (1, JobState.RUNNING, host)


def test_a_host_that_is_silent_for_long_is_given_up_once_and_what_returns_with_it_is_ended(life: Life) -> None:
    life.turns(60.0)
    host = life.host
    life.world.cluster.silence_host(host)
    life.turns(LOST_S + 120.0)
    first, second = life.job.attempts
    assert (first.outcome, second.is_open, life.host != host) == (Outcome.LOST, True, True)
    assert first.ended_at_s is not None
    assert first.ended_at_s >= 60.0 + LOST_S
    life.just_back = True
    life.world.cluster.hear_host(host)
    life.turns(3 * PERIOD_S)
    life.just_back = False
    life.turns(600.0)
    assert (len(life.job.attempts), life.job.state) == (2, JobState.RUNNING)
    assert [run.attempt for run in life.world.cluster.observe().runs] == [2]


def test_a_host_that_is_known_to_be_dead_is_not_waited_for(life: Life) -> None:
    life.turns(60.0)
    host = life.host
    life.world.cluster.silence_host(host)
    life.turns(20.0)
    life.world.cluster.lose_host(host)
    life.turns(20.0)
    assert (len(life.job.attempts), life.job.attempts[0].outcome) == (2, Outcome.LOST)


def test_a_job_that_finished_in_the_silence_has_succeeded(life: Life) -> None:
    life.turns(7150.0)
    host = life.host
    life.world.cluster.silence_host(host)
    life.turns(100.0)
    assert life.job.attempts[0].is_open, "nobody knows yet"
    life.world.cluster.hear_host(host)
    life.turns(20.0)
    assert (len(life.job.attempts), life.job.state) == (1, JobState.SUCCEEDED)


def test_a_start_that_fails_is_tried_with_pauses_and_given_up_by_name(life: Life) -> None:
    life.world.cluster.spoil(life.job_id)
    life.turns(600.0)
    attempts = life.job.attempts
    assert (life.job.state, len(attempts)) == (JobState.FAILED, PATIENCE.starts)
    assert {attempt.outcome for attempt in attempts} == {Outcome.NEVER_STARTED}
    pauses = [b.decided_at_s - a.decided_at_s for a, b in pairwise(attempts)]
    assert all(later > earlier for earlier, later in pairwise(pauses))
    assert any("did not come up" in event.detail for event in life.world.store.events(subject=life.job_id))


def test_a_job_stopped_by_hand_waits_for_its_owner_and_one_removed_by_hand_comes_back_later(life: Life) -> None:
    life.turns(60.0)
    life.world.cluster.stop_by_hand(life.job_id)
    life.turns(300.0)
    held = life.job
    assert (held.state, held.desired, len(held.attempts)) == (JobState.HELD, DesiredState.HOLD, 1)
    life.world.store.save(replace(held, desired=DesiredState.RUN))
    life.turns(60.0)
    assert (life.job.state, len(life.job.attempts)) == (JobState.RUNNING, 2)
    life.world.cluster.remove_by_hand(life.job_id)
    life.turns(20.0)
    assert (life.job.state, len(life.job.attempts)) == (JobState.PENDING, 2), "not at once: somebody removed it"
    life.turns(60.0)
    assert (life.job.state, len(life.job.attempts)) == (JobState.RUNNING, 3)
