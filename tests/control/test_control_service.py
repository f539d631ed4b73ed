"""What people ask is stored or refused with a reason, asking twice changes nothing, and nothing else happens."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.control.records import DesiredState
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.service import ControlService
from scheduler.model.errors import ConfigError, Conflict, NotFound
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState

GPU = Shape(1000, 1024, 1)


@dataclass
class Office:
    """A service on a lab."""

    lab: Any
    service: ControlService
    poke: threading.Event

    def spec(self, workers: int = 1, shape: Shape = GPU, **more: Any) -> JobSpec:
        """Return a job of this size."""
        return JobSpec("lm", "python train.py", Gang(workers, shape), **{"grace_period_s": 10.0, **more})

    def turns(self, count: int = 1) -> None:
        """Let the loop work, without a word of the lab's own."""
        self.lab.turns(count)
        self.poke.clear()


@pytest.fixture
def office(lab: Any, tmp_path: Path) -> Office:
    """Return a service on two hosts of two devices that were observed once."""
    poke = threading.Event()
    service = ControlService(
        store=lab.store,
        board=lab.board,
        clock=lab.clock,
        policy=policy_from_names(min_runtime_s=0.0),
        site_limits=SiteLimits({"urgent": 100, "high": 75, "normal": 50}, ("default", "research"), 60.0),
        packages=PackageShelf(tmp_path / "packages", most_bytes=1000),
        gate=lab.cycle.gate,
        poke=poke,
    )
    made = Office(lab, service, poke)
    made.turns()
    return made


def test_a_submission_is_stored_told_and_wakes_the_loop(office: Office) -> None:
    job = office.service.submit(office.spec(queue="research"))
    assert office.lab.store.job(job.job_id) == job == office.service.job(job.job_id)
    assert office.poke.is_set()
    assert office.service.events(subject=job.job_id)[0].title == "1 lm accepted"
    assert [found.job_id for found in office.service.jobs()] == ["1"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"workers": 5}, "ImpossibleGang", "can never run"),
        ({"shape": Shape(1000, 1024, 3)}, "ImpossibleGang", "can never run"),
        ({"shape": Shape(1000, 1024, 1, gpu_models=frozenset({"H100"}))}, "NoHostMatches", "H100"),
        ({"queue": "nobody"}, "UnknownQueue", 'unknown queue "nobody"'),
        ({"grace_period_s": 61.0}, "BadValue", "longer than the site allows"),
        ({"working_dir": "sha256:" + "0" * 64}, "UnknownPackage", "no package"),
    ],
)
def test_what_can_never_run_is_refused_and_changes_nothing(
    office: Office, more: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        office.service.submit(office.spec(**more))
    assert [fault.code for fault in caught.value.faults] == [code]
    assert office.service.jobs() == ()
    assert not office.poke.is_set()


def test_all_faults_are_named_at_once(office: Office) -> None:
    with pytest.raises(ConfigError) as caught:
        office.service.submit(office.spec(workers=99, queue="nobody", grace_period_s=99.0))
    assert len(caught.value.faults) == 3


def test_a_gang_that_only_waits_for_a_drained_host_is_accepted(office: Office) -> None:
    office.service.cordon("a")
    office.turns()
    assert office.service.submit(office.spec(workers=4)).state is JobState.PENDING


def test_stopping_a_running_job_gives_it_its_grace_and_ends_it(office: Office) -> None:
    job = office.service.submit(office.spec())
    office.turns(3)
    assert office.service.stop(job.job_id).desired is DesiredState.STOP
    assert office.poke.is_set()
    office.turns()
    assert office.service.job(job.job_id).state is JobState.PREEMPTING
    office.turns()
    stopped = office.service.job(job.job_id)
    assert (stopped.state, stopped.attempt.cause) == (JobState.STOPPED, "asked for by its owner")
    assert office.service.stop(job.job_id) == stopped


def test_a_held_job_gives_up_its_room_and_resumes_where_it_was(office: Office) -> None:
    job = office.service.submit(office.spec())
    office.turns(4)
    office.service.hold(job.job_id, "wait for labels")
    office.turns(2)
    held = office.service.job(job.job_id)
    assert (held.state, held.hold_reason) == (JobState.HELD, "wait for labels")
    assert office.lab.cluster.holding == []
    office.service.resume(job.job_id)
    office.turns(2)
    resumed = office.service.job(job.job_id)
    assert resumed.state.holds_room
    assert resumed.attempt.resumed_from_step == held.attempt.checkpoint_step > 0


def test_asking_twice_is_asking_once(office: Office) -> None:
    job = office.service.submit(office.spec())
    for ask in (office.service.hold, office.service.resume, office.service.stop):
        first = ask(job.job_id)
        told = len(office.service.events())
        assert ask(job.job_id) == first
        assert len(office.service.events()) == told


def test_a_new_priority_puts_a_job_first(office: Office) -> None:
    blocker, waiting, urgent = (office.service.submit(office.spec(workers=4, preemptible=n > 0)) for n in range(3))
    office.turns()
    assert office.service.set_priority(urgent.job_id, "high").spec.priority == 75
    office.service.stop(blocker.job_id)
    office.turns(4)
    assert office.service.job(urgent.job_id).state.holds_room
    assert office.service.job(waiting.job_id).state is JobState.PENDING
    with pytest.raises(ConfigError, match='unknown priority "hgih"'):
        office.service.set_priority(urgent.job_id, "hgih")


def test_what_is_final_stays_so(office: Office) -> None:
    job = office.service.submit(office.spec())
    office.turns(12)
    assert office.service.job(job.job_id).state is JobState.SUCCEEDED
    asks: list[Callable[[JobId], object]] = [
        office.service.stop,
        office.service.hold,
        office.service.resume,
        lambda job_id: office.service.set_priority(job_id, "high"),
    ]
    for ask in asks:
        with pytest.raises(Conflict, match="has succeeded already"):
            ask(job.job_id)


def test_a_job_that_is_being_stopped_is_neither_held_nor_resumed(office: Office) -> None:
    job = office.service.submit(office.spec())
    office.service.stop(job.job_id)
    for ask in (office.service.hold, office.service.resume):
        with pytest.raises(Conflict, match="is being stopped"):
            ask(job.job_id)


def test_nobody_is_not_found(office: Office) -> None:
    for ask in (office.service.job, office.service.stop, office.service.hold, office.service.resume):
        with pytest.raises(NotFound, match="no job 471"):
            ask(JobId("471"))
    for ask_host in (office.service.cordon, office.service.uncordon, office.service.drain):
        with pytest.raises(NotFound, match="no host z"):
            ask_host("z")


def test_a_host_that_the_cluster_itself_cordons_keeps_its_work_and_is_uncordoned_there(office: Office) -> None:
    hosts = office.lab.cluster.hosts
    hosts["a"] = replace(hosts["a"], state=HostState.CORDONED, reason="kubectl cordon")
    office.turns()
    for _ in range(9):
        office.service.submit(office.spec())
    office.turns(2)
    running = [slot.host for job in office.service.jobs() for tried in job.attempts for slot in tried.slots]
    assert running
    assert "a" not in running
    with pytest.raises(Conflict, match="a is cordoned in the cluster itself: kubectl cordon"):
        office.service.uncordon("a")
    office.service.drain("a", force=True)
    office.service.uncordon("a")
    hosts["a"] = replace(hosts["a"], state=HostState.READY, reason="")
    office.turns(2)
    assert any(slot.host == "a" for job in office.service.jobs() for tried in job.attempts for slot in tried.slots)


def test_a_cordoned_host_keeps_its_work_and_takes_no_more(office: Office) -> None:
    office.service.submit(office.spec(workers=2, shape=Shape(1000, 1024, 1)))
    office.turns(2)
    for name in ("a", "b"):
        office.service.cordon(name, "disk")
    late = office.service.submit(office.spec())
    office.turns(2)
    assert len(office.lab.cluster.holding) == 1
    assert office.service.job(late.job_id).attempts == ()
    office.service.uncordon("a")
    office.service.uncordon("b")
    office.service.uncordon("b")
    office.turns()
    assert office.service.job(late.job_id).state.holds_room
    assert office.service.host_marks() == ()


def test_marking_a_host_again_is_told_only_when_it_says_something_new(office: Office) -> None:
    first = office.service.cordon("a", "disk")
    office.lab.clock.at_s += 5
    assert office.service.cordon("a", "disk") == first
    assert office.service.cordon("a", "fan").reason == "fan"
    assert [event.title for event in office.service.events(subject="a")] == ["a cordoned", "a cordoned"]


def test_draining_moves_the_work_and_a_dry_run_only_says_so(office: Office) -> None:
    job = office.service.submit(office.spec(workers=2))
    office.turns(4)
    host = office.lab.store.job(job.job_id).attempt.slots[0].host
    tried = office.service.drain(host, reason="power", dry_run=True)
    assert (tried.applied, tried.covered, office.service.host_marks()) == (False, True, ())
    assert tried.steps == ("1 lm: saves a checkpoint within 10s and waits for other room",)
    done = office.service.drain(host, reason="power")
    assert done.applied
    assert done.steps == tried.steps
    office.turns(3)
    moved = office.service.job(job.job_id)
    assert moved.attempts[0].cause == "its host is being drained"
    assert host not in {slot.host for slot in moved.attempt.slots}


def test_a_job_that_ends_before_the_deadline_is_left_alone(office: Office) -> None:
    job = office.service.submit(office.spec(workers=2, max_runtime_s=60.0))
    office.turns(2)
    host = office.service.job(job.job_id).attempt.slots[0].host
    outlook = office.service.drain(host, deadline_s=3600.0)
    assert outlook.steps[0].startswith("1 lm: ends by itself until 00:01, within the deadline")
    assert outlook.empty_at_s == office.service.job(job.job_id).attempt.started_at_s + 60.0
    office.turns(12)
    assert office.service.job(job.job_id).state is JobState.SUCCEEDED
    assert len(office.service.job(job.job_id).attempts) == 1
    assert office.lab.board.report.cycle.snapshot.hosts[0 if host == "a" else 1].state is HostState.DRAINING


def test_a_drain_that_leaves_serving_short_is_refused_unless_forced(office: Office) -> None:
    office.lab.serve("edit-check", lambda _: 35.0)
    office.service.board = office.lab.board
    office.turns(8)
    refused = office.service.drain("a")
    assert (refused.applied, refused.covered, refused.short) == (False, False, ("edit-check",))
    assert office.service.host_marks() == ()
    assert office.service.drain("a", force=True).applied


def test_a_drain_is_covered_when_training_makes_room_for_the_replicas(office: Office) -> None:
    office.lab.serve("edit-check", lambda _: 15.0)
    office.service.board = office.lab.board
    office.turns(8)
    office.service.submit(office.spec(workers=2))
    office.turns(2)
    host = next(iter(office.lab.cluster.replicas.values())).slot.host
    assert office.service.drain(host, dry_run=True).covered


def test_a_drain_that_serving_survives_says_where_replicas_go_first(office: Office) -> None:
    office.lab.serve("edit-check", lambda _: 5.0)
    office.service.board = office.lab.board
    office.turns(8)
    host = next(iter(office.lab.cluster.replicas.values())).slot.host
    outlook = office.service.drain(host)
    other = "b" if host == "a" else "a"
    assert outlook.applied
    assert outlook.steps == (f"edit-check: 1 replica starts on {other}:0 first, 20s",)
    ready = []
    for _ in range(12):
        office.turns()
        ready.append(sum(r.state.value == "ready" for r in office.lab.cluster.replicas.values()))
    assert min(ready) >= 1
    assert {r.slot.host for r in office.lab.cluster.replicas.values()} == {other}


def test_before_the_first_turn_a_drain_cannot_be_judged(lab: Any, office: Office) -> None:
    lab.restart()
    office.service.board = lab.board
    for ask in (office.service.drain, office.service.cordon, office.service.uncordon):
        with pytest.raises(Conflict, match="no plan yet"):
            ask("a")
    assert office.service.host_marks() == ()


def test_before_the_first_turn_jobs_are_taken_and_what_can_never_run_shows_later(lab: Any, office: Office) -> None:
    lab.restart()
    office.service.board = lab.board
    assert office.service.submit(office.spec(workers=99)).state is JobState.PENDING


def test_the_longest_grace_a_site_allows_is_allowed(office: Office) -> None:
    assert office.service.submit(office.spec(grace_period_s=60.0)).spec.grace_period_s == 60.0


def test_a_mark_and_its_end_wake_the_loop(office: Office) -> None:
    for change in (office.service.cordon, office.service.uncordon, office.service.drain):
        office.poke.clear()
        change("a")
        assert office.poke.is_set()
