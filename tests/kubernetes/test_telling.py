"""What people read with kubectl: one annotation, and an event when the reason is another."""

from typing import Any

import pytest

from scheduler.backends.kubernetes.kinds import BY_NAME
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.telling import Said, due, event_of, said_before, sayings
from scheduler.model.plan import Plan, Reason, Unplaced
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

NOW_S = 1_796_000_000.25


def thing(uid: str, status: str = "") -> TrainingObject:
    said: dict[str, Any] = {"annotations": {"headroom/status": status}} if status else {}
    return TrainingObject(f"ml/{uid}", 1, BY_NAME["RayJob"], uid, "ml", uid, 1, is_suspended=True, **said)


def job(job_id: str, state: JobState, *slots: Slot) -> TrainingJob:
    return TrainingJob(JobId(job_id), "train", Gang(1, Shape()), state=state, slots=slots)


def test_of_each_open_job_is_said_why_it_waits_or_where_it_is() -> None:
    jobs = [
        job("1", JobState.PENDING),
        job("2", JobState.RUNNING, Slot("gpu-1", (0, 1))),
        job("3", JobState.HELD),
        job("4", JobState.PENDING),
    ]
    unplaced = [
        Unplaced("1", Reason.INSUFFICIENT_DEVICES, "needs 8 GPUs; 3 are free"),
        Unplaced("3", Reason.HELD_BY_OWNER, "held: until Monday"),
    ]
    assert list(sayings(jobs, Plan(1, unplaced=unplaced))) == [
        ("1", Said("InsufficientDevices", "job 1: needs 8 GPUs; 3 are free")),
        ("2", Said("Running", "job 2 on gpu-1:0,1")),
        ("3", Said("HeldByOwner", "job 3: held: until Monday")),
    ]


@pytest.mark.parametrize(
    ("before", "told_s", "written"),
    [
        ("", 0.0, (True,)),
        ("Running: job 1 on a", NOW_S, (True,)),
        ("Waits: needs 8; 3 are free", 0.0, ()),
        ("Waits: needs 8; 2 are free", NOW_S - 59, ()),
        ("Waits: needs 8; 2 are free", NOW_S - 60, (False,)),
    ],
)
def test_another_code_is_written_at_once_with_an_event_and_another_sentence_now_and_then(
    before: str, told_s: float, written: tuple[bool, ...]
) -> None:
    seen = thing("a", before)
    now = {seen.origin: Said("Waits", "needs 8; 3 are free")}
    found = due(now, [seen, thing("b")], {seen.origin: told_s}, NOW_S, 60.0)
    assert tuple(is_event for _, _, is_event in found) == written


def test_other_codes_go_first() -> None:
    same, other = thing("a", "Waits: so"), thing("b", "Runs: so")
    now = {each.origin: Said("Waits", "otherwise") for each in (same, other)}
    assert [seen.uid for seen, _, _ in due(now, [same, other], {}, NOW_S, 60.0)] == ["b", "a"]


def test_what_is_written_is_read_back() -> None:
    said = Said("InsufficientDevices", "job 1: needs 8 GPUs")
    assert said_before(thing("a", said.text)) == said
    assert said_before(thing("a", Said("Refused", "").text)) == Said("Refused", "")


def test_an_event_is_as_kubernetes_wants_it() -> None:
    event = event_of(thing("a"), Said("Refused", "x" * 2000), NOW_S, "host-1")
    assert (event["eventTime"], len(event["note"]), event["type"]) == ("2026-11-30T00:53:20.250000Z", 1024, "Warning")
    assert event["regarding"] == {
        "apiVersion": "ray.io/v1", "kind": "RayJob", "namespace": "ml", "name": "a", "uid": "a",
    }  # fmt: skip
