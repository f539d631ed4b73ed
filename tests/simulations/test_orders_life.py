"""Jobs given to the cluster itself live as others do: the loop stores, starts, holds, stops and forgets them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event

import pytest

from policies.registry import policy_from_names
from scheduler.control.cycle import Cycle
from scheduler.control.records import JobRecord
from scheduler.control.reports.board import Board
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.service import ControlService
from scheduler.control.settings import Settings
from scheduler.model.errors import Conflict, Unreachable
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Order
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobState
from simulations.memory_store import MemoryStore
from simulations.work import Work
from simulations.world import World

PERIOD_S = 30.0
LIMITS = SiteLimits({"low": 25, "normal": 50, "high": 75})
SPEC = JobSpec("lm", "train", Gang(2, Shape(1000, 100, 1)), checkpoint_interval_s=60.0, owner="ada")


@dataclass
class Life:
    """A world with two devices, and a control plane over it that may be killed."""

    world: World = field(
        default_factory=lambda: World(0.0, [Host("a", 8000, 10_000, devices_offered(2, 1024), "MI210")])
    )
    cycle: Cycle = field(init=False)
    service: ControlService = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new process."""
        board, policy = Board(), policy_from_names()
        self.cycle = Cycle(
            cluster=self.world.cluster,
            store=self.world.store,
            clock=self.world.engine,
            served=(),
            sources={},
            policy=policy,
            settings=Settings(period_s=PERIOD_S),
            board=board,
            limits=LIMITS,
        )
        self.service = ControlService(
            store=self.world.store,
            board=board,
            clock=self.world.engine,
            policy=policy,
            site_limits=LIMITS,
            packages=None,
            gate=self.cycle.gate,
            poke=Event(),
        )

    def give(self, origin: str, *, takes_s: float = 600.0, held: str = "", **parts: object) -> None:
        """Give a job to the cluster, or have it be there otherwise."""
        spec = replace(SPEC, origin=origin, **parts)
        self.world.order(Order(spec, self.world.engine.now_s(), held), Work(takes_s, 10.0, 5.0))

    def turns(self, for_s: float) -> None:
        """Take turns."""
        ends_s = self.world.engine.now_s() + for_s
        while self.world.engine.now_s() < ends_s:
            self.cycle.turn()
            self.world.engine.run_until(self.world.engine.now_s() + PERIOD_S)

    def job(self, origin: str) -> JobRecord:
        """Return the one job that came from there."""
        (found,) = [job for job in self.world.store.jobs(open_only=False) if job.spec.origin == origin]
        return found

    @property
    def told(self) -> list[str]:
        """What was told."""
        return [event.title for event in self.world.store.events(limit=1000)]


@pytest.fixture
def life() -> Life:
    return Life()


def test_it_is_one_job_however_often_it_is_seen_and_the_process_begins(life: Life) -> None:
    life.give("ray/lm")
    life.turns(60.0)
    assert (life.job("ray/lm").state, life.job("ray/lm").submitted_at_s) == (JobState.RUNNING, 0.0)
    life.restart()
    life.turns(1200.0)
    assert life.job("ray/lm").state is JobState.SUCCEEDED
    life.restart()
    life.turns(120.0)
    assert len(life.world.store.jobs(open_only=False)) == 1, "it is there still, and not begun anew"
    assert life.told[0] == "1 lm accepted from the cluster"


def test_one_that_is_held_there_from_the_first_does_not_start_until_it_is_let_go(life: Life) -> None:
    life.give("ray/lm", held="label")
    life.turns(300.0)
    job = life.job("ray/lm")
    assert (job.state, job.attempts) == (JobState.HELD, ())
    with pytest.raises(Conflict, match="job 1 is held on the cluster itself: label"):
        life.service.resume(job.job_id)
    life.give("ray/lm")
    life.turns(60.0)
    assert life.job("ray/lm").state is JobState.RUNNING


def test_hold_resume_and_stop_are_ours_and_its_priority_is_not(life: Life) -> None:
    life.give("ray/lm")
    life.turns(60.0)
    job_id = life.job("ray/lm").job_id
    with pytest.raises(Conflict, match="given to the cluster itself") as caught:
        life.service.set_priority(job_id, "high")
    assert "change it there: ray/lm" in str(caught.value.faults[0].help)
    life.service.hold(job_id, "exam")
    life.turns(120.0)
    assert life.job("ray/lm").state is JobState.HELD
    life.service.resume(job_id)
    life.give("ray/lm", priority_class="high")
    life.turns(60.0)
    assert (life.job("ray/lm").state, life.job("ray/lm").spec.priority) == (JobState.RUNNING, 75)
    life.service.stop(job_id)
    life.turns(120.0)
    assert life.job("ray/lm").state is JobState.STOPPED
    life.restart()
    life.turns(120.0)
    assert life.job("ray/lm").state is JobState.STOPPED


@pytest.mark.parametrize("wait_s", [0.0, 120.0])
def test_one_that_is_deleted_is_over_whether_it_waits_or_runs(life: Life, wait_s: float) -> None:
    if not wait_s:
        life.world.submit(replace(SPEC, priority=99), Work(9000.0, 1.0))
    life.give("ray/lm")
    life.turns(max(wait_s, 60.0))
    assert life.job("ray/lm").state is (JobState.RUNNING if wait_s else JobState.PENDING)
    life.world.cluster.withdraw("ray/lm")
    life.turns(120.0)
    assert life.job("ray/lm").state is JobState.STOPPED
    assert any(title.endswith("lm deleted on the cluster") for title in life.told)
    life.give("ray/lm-2")
    life.turns(60.0)
    assert life.job("ray/lm-2").spec.name == "lm", "one of the same name is another one"


def test_one_that_is_refused_is_told_of_once_and_taken_when_it_is_mended(life: Life) -> None:
    life.give("ray/lm", gang=Gang(9, SPEC.gang.shape))
    life.turns(300.0)
    assert life.world.store.jobs(open_only=False) == ()
    assert life.told == ["ray/lm cannot be taken as it is"]
    life.give("ray/lm", gang=Gang(1, SPEC.gang.shape))
    life.turns(60.0)
    assert life.job("ray/lm").state is JobState.RUNNING


def test_a_look_that_fails_deletes_nothing(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    life.give("ray/lm")
    life.turns(60.0)

    def unsure() -> Observation:
        raise Unreachable("the list of jobs is not complete yet")

    monkeypatch.setattr(life.world.cluster, "observe", unsure)
    with pytest.raises(Unreachable):
        life.cycle.turn()
    monkeypatch.undo()
    life.turns(60.0)
    assert life.job("ray/lm").state is JobState.RUNNING


@pytest.mark.parametrize("call", ["accept", "save", "save_all"])
def test_a_process_that_dies_between_any_two_writes_takes_each_once(
    life: Life, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for number in range(3):
        life.give(f"ray/{number}", held="label" if number == 1 else "", gang=Gang(1, SPEC.gang.shape))
    real: Callable[..., object] = getattr(MemoryStore, call)

    def dies_after(store: MemoryStore, *args: object, **more: object) -> object:
        real(store, *args, **more)
        raise SystemExit

    monkeypatch.setattr(MemoryStore, call, dies_after)
    with pytest.raises(SystemExit):
        life.cycle.turn()
    monkeypatch.undo()
    life.restart()
    life.turns(90.0)
    assert sorted(job.spec.origin for job in life.world.store.jobs(open_only=False)) == ["ray/0", "ray/1", "ray/2"]
    assert {life.job(f"ray/{number}").state for number in (0, 2)} == {JobState.RUNNING}
    assert (life.job("ray/1").state, life.job("ray/1").attempts) == (JobState.HELD, ())
