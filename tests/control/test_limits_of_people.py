"""What one person may ask for, and what is told of who asked."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from policies.registry import policy_from_names
from scheduler.control.reports.board import Board
from scheduler.control.service.admission import PersonLimits, SiteLimits
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.people import Person
from scheduler.control.service.service import ControlService
from scheduler.model.errors import ConfigError, Conflict, NotPermitted
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobState
from simulations.memory_store import MemoryStore

ADA, BOSS = Person("ada", "submitter"), Person("boss", "operator")
SPEC = JobSpec("lm", "true", Gang(1, Shape(1000)), owner="ada")
PRIORITIES = {"urgent": 100, "high": 75, "normal": 50, "low": 25}


class FastClock:
    """A replay ten times as fast as the wall."""

    speed = 10.0
    at_s = 1000.0

    def now_s(self) -> float:
        return self.at_s

    def to_world_s(self, wall_s: float) -> float:
        return wall_s

    def sleep(self, duration_s: float) -> None:
        self.at_s += duration_s


@pytest.fixture
def service(tmp_path: Path) -> ControlService:
    """A service at a site with limits."""
    limits = PersonLimits(2, {"submitter": "high"}, {"research": "normal"})
    return ControlService(
        store=MemoryStore(),
        board=Board(),
        clock=FastClock(),
        policy=policy_from_names(),
        site_limits=SiteLimits(PRIORITIES, ("default", "research"), 60.0, {"research": ("ada", "eve")}, limits),
        packages=PackageShelf(tmp_path),
        gate=threading.RLock(),
        poke=threading.Event(),
    )


def with_priority(name: str, **changes: str) -> JobSpec:
    return replace(SPEC, priority_class=name, priority=PRIORITIES[name], **changes)


def test_an_owner_has_so_many_jobs_waiting_and_no_more(service: ControlService) -> None:
    first = service.submit(SPEC, by=ADA)
    service.hold(service.submit(SPEC, by=ADA).job_id, by=ADA)
    with pytest.raises(Conflict, match="2 jobs of ada wait already, and one owner may have 2"):
        service.submit(SPEC, by=ADA)
    service.submit(replace(SPEC, owner="bob"), by=Person("bob", "submitter"))
    service.store.save(replace(first, state=JobState.RUNNING))
    service.submit(SPEC, by=ADA)


def test_a_repeated_submission_does_not_count_against_its_owner(service: ControlService) -> None:
    jobs = [service.submit(SPEC, by=ADA, key=key, digest="d") for key in ("one", "two", "one", "two", "two")]
    assert [job.job_id for job in jobs] == ["1", "2", "1", "2", "2"]
    assert len(service.events()) == 2


def test_a_key_is_kept_for_a_day_of_the_wall(service: ControlService) -> None:
    clock = service._clock
    service.submit(SPEC, key="one", digest="d")
    clock.sleep(9.9 * 86_400)
    service.submit(SPEC)
    assert service.submit(SPEC, key="one", digest="d").job_id == "1"
    clock.sleep(0.2 * 86_400)
    service._site_limits = SiteLimits(PRIORITIES)
    service.submit(SPEC)
    assert service.submit(SPEC, key="one", digest="d").job_id == "4"


def test_many_who_send_the_same_at_once_get_one_job(service: ControlService) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(service.submit(SPEC, key="one", digest="d").job_id))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["1"] * 16
    assert len(service.store.jobs()) == len(service.events()) == 1


@pytest.mark.parametrize(
    ("name", "queue", "by", "refused"),
    [
        ("high", "default", ADA, ""),
        ("urgent", "default", ADA, "role submitter"),
        ("urgent", "default", BOSS, ""),
        ("high", "research", ADA, "queue research"),
        ("high", "research", BOSS, "queue research"),
        ("normal", "research", ADA, ""),
        ("low", "research", ADA, ""),
    ],
)
def test_the_highest_priority_is_that_of_the_role_and_of_the_queue(
    service: ControlService, name: str, queue: str, by: Person, refused: str
) -> None:
    job = service.submit(with_priority("low", queue=queue), by=by)
    asked = (
        lambda: service.submit(with_priority(name, queue=queue), by=by),
        lambda: service.set_priority(job.job_id, name, by=by),
    )
    for ask in asked:
        if refused:
            with pytest.raises(NotPermitted, match=f"priority {name} is above what {refused} allows"):
                ask()
        else:
            ask()
    assert service.job(job.job_id).spec.priority_class == ("low" if refused else name)


def test_what_is_wrong_is_said_before_what_is_not_allowed(service: ControlService) -> None:
    with pytest.raises(ConfigError, match="unknown queue"):
        service.submit(with_priority("urgent", queue="nowhere"), by=ADA)


def test_output_is_for_the_owner_the_queue_and_operators(service: ControlService) -> None:
    mine, queued = service.submit(SPEC), service.submit(replace(SPEC, owner="eve", queue="research"), by=BOSS)
    for by, job, allowed in (
        (ADA, mine, True),
        (BOSS, mine, True),
        (Person("eve", "submitter"), mine, False),
        (Person("ada", "viewer"), mine, True),
        (Person("", "viewer"), mine, False),
        (Person("ada", "viewer"), queued, True),
        (Person("mallory", "submitter"), queued, False),
    ):
        if allowed:
            assert service.printed_by(job.job_id, by=by) == job
        else:
            with pytest.raises(NotPermitted, match="the output of this job is for"):
                service.printed_by(job.job_id, by=by)


def test_every_act_of_a_person_says_who_it_was(service: ControlService) -> None:
    job = service.submit(SPEC, by=ADA)
    acts = (
        lambda: service.hold(job.job_id, "labels", by=BOSS),
        lambda: service.resume(job.job_id, by=ADA),
        lambda: service.set_priority(job.job_id, "low", by=BOSS),
        lambda: service.stop(job.job_id, by=ADA),
    )
    for act in acts:
        act()
    assert [event.actor for event in service.events()] == ["ada", "boss", "ada", "boss", "ada"]
