"""The token of an attempt is good for that attempt, under the key of that store."""

from scheduler.control.service.progress import AttemptTokens
from scheduler.model.workloads import JobId

OURS = AttemptTokens(b"k" * 32)


def test_every_attempt_of_every_job_has_another() -> None:
    made = {OURS.of(JobId(job), attempt) for job in ("1", "11", "111") for attempt in (1, 11, 111)}
    assert len(made) == 9
    assert OURS.of(JobId("1"), 11) == AttemptTokens(b"k" * 32).of(JobId("1"), 11), "all who have the key make it"


def test_one_that_is_not_its_own_is_not_known() -> None:
    own = OURS.of(JobId("1"), 1)
    assert OURS.knows(JobId("1"), 1, own)
    for other in ("", own[:-1], own.upper(), "ü", OURS.of(JobId("1"), 2), AttemptTokens(b"l" * 32).of(JobId("1"), 1)):
        assert not OURS.knows(JobId("1"), 1, other)
