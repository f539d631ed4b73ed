"""What is given to the cluster itself: judged like a submission, followed while it is there, never begun twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.records import AttemptRecord, DesiredState, JobRecord
from scheduler.control.service.admission import PersonLimits, SiteLimits
from scheduler.control.service.adopting import Adopted, adopt
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Order
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState

NOW_S = 100.0
HOSTS = (Host("a", 8000, 8192, devices_offered(4, 1024), "A"),)
LIMITS = SiteLimits({"low": 25, "normal": 50, "high": 75}, ("default", "research"), 60.0)
ONE = Gang(1, Shape(1000, 64, 1))


def order(origin: str = "ray/lm", at_s: float = 1.0, *, held: str = "", fault: str = "", **parts: object) -> Order:
    return Order(replace(JobSpec("lm", "train", ONE, owner="ada", origin=origin), **parts), at_s, held, fault)


def job_of(one: Order, number: int = 1, **parts: object) -> JobRecord:
    spec = replace(one.spec, priority=LIMITS.priorities[one.spec.priority_class])
    record = JobRecord(JobId(str(number)), spec, JobState.PENDING, DesiredState.RUN, one.at_s)
    return replace(record, **parts)


def running(one: Order) -> JobRecord:
    tried = AttemptRecord(JobId("1"), 1, (Slot("a", (0,)),), 2.0, started_at_s=3.0)
    return job_of(one, state=JobState.RUNNING, attempts=(tried,))


def follow(
    *orders: Order, jobs: tuple[JobRecord, ...] = (), known: tuple[str, ...] = (), limits: SiteLimits = LIMITS
) -> Adopted:
    origins = dict.fromkeys((*known, *(job.spec.origin for job in jobs)))
    return adopt(orders, jobs, origins, limits, HOSTS, NOW_S)


def test_new_ones_are_accepted_in_the_order_in_which_they_were_given_with_the_priority_of_the_site() -> None:
    late, early = order("b", 9.0, priority_class="high", priority=1), order("a", 5.0)
    assert [(one.spec.origin, one.spec.priority) for one in follow(late, early).accepted] == [("a", 50), ("b", 75)]


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        (order(fault="two worker groups with devices"), "two worker groups with devices"),
        (order(queue="nowhere"), 'unknown queue "nowhere"'),
        (order(priority_class="huge"), 'unknown priority "huge"'),
        (order(grace_period_s=600.0), "grace period 600 s is longer than the site allows"),
        (order(gang=Gang(9, Shape(1000, 64, 1))), "9 workers"),
        (order(secrets=(("TOKEN", "none"),)), 'unknown secret "none"'),
    ],
)
def test_what_a_submission_may_not_ask_for_is_refused_with_the_reason(given_: Order, why: str) -> None:
    done = follow(given_)
    assert (done.accepted, [one for one, _ in done.refused]) == ((), [given_])
    assert why in done.refused[0][1]


def test_a_role_and_an_owner_have_their_limits_here_too() -> None:
    limits = replace(LIMITS, limits=PersonLimits(2, {"submitter": "normal"}))
    done = follow(order("a", priority_class="high"), order("b"), order("c", 2.0), order("d", 3.0), limits=limits)
    assert [one.spec.origin for one in done.accepted] == ["b", "c"]
    assert {one.spec.origin: why.split(",")[0] for one, why in done.refused} == {
        "a": "priority high is above what role submitter allows",
        "d": "2 jobs of ada wait already",
    }


def test_what_was_accepted_before_is_not_begun_anew_when_it_is_over() -> None:
    assert follow(order("ray/lm"), known=("ray/lm",)) == Adopted((), (), ())


def test_what_is_not_given_yet_by_our_clock_waits() -> None:
    assert follow(order(at_s=NOW_S + 1.0)) == Adopted((), (), ())


def test_an_edit_counts_while_the_job_waits() -> None:
    edited = order(name="lm2", gang=Gang(2, ONE.shape), priority_class="high")
    (job,) = follow(edited, jobs=(job_of(order()),)).changed
    assert (job.spec.name, job.spec.gang.workers, job.spec.priority, job.spec.priority_class) == ("lm2", 2, 75, "high")


def test_of_one_that_runs_the_priority_counts_at_once_and_the_rest_when_it_has_stopped() -> None:
    edited = order(gang=Gang(2, ONE.shape), priority_class="high")
    (job,) = follow(edited, jobs=(running(order()),)).changed
    assert (job.spec.gang.workers, job.spec.priority) == (1, 75)
    stopped = replace(job, state=JobState.PREEMPTED, attempts=(replace(job.attempts[0], outcome="Preempted"),))
    (job,) = follow(edited, jobs=(stopped,)).changed
    assert job.spec.gang.workers == 2


def test_an_edit_that_is_refused_leaves_the_job_as_it_was() -> None:
    done = follow(order(queue="nowhere"), jobs=(job_of(order()),))
    assert done.changed == ()
    assert "unknown queue" in done.refused[0][1]


def test_one_that_is_held_there_waits_until_it_is_let_go_there() -> None:
    (held,) = follow(order(held="label headroom/hold"), jobs=(job_of(order()),)).changed
    assert (held.desired, held.hold_reason) == (
        DesiredState.HOLD, "held on the cluster itself: label headroom/hold",
    )  # fmt: skip
    assert follow(order(held="label headroom/hold"), jobs=(held,)).changed == ()
    (free,) = follow(order(), jobs=(held,)).changed
    assert (free.desired, free.hold_reason) == (DesiredState.RUN, "")


def test_a_hold_of_ours_stays_whatever_the_cluster_says() -> None:
    ours = job_of(order(), desired=DesiredState.HOLD, hold_reason="exam")
    assert follow(order(), jobs=(ours,)).changed == ()
    assert follow(order(held="there"), jobs=(ours,)).changed == ()


def test_one_that_is_absent_was_deleted() -> None:
    jobs = (job_of(order("a"), 2), running(order("b")), job_of(order("c"), 3), job_of(order(""), 4))
    gone = follow(order("c"), jobs=jobs).changed
    assert [(job.spec.origin, job.desired) for job in gone] == [("a", DesiredState.STOP), ("b", DesiredState.STOP)]
    assert follow(order("c"), jobs=(*gone, *jobs[2:])).changed == ()


orders = st.lists(
    st.builds(
        order,
        st.sampled_from("abcd"),
        st.sampled_from([1.0, 2.0, 200.0]),
        held=st.sampled_from(["", "", "there"]),
        fault=st.sampled_from(["", "", "broken"]),
        priority_class=st.sampled_from(["low", "high", "huge"]),
        queue=st.sampled_from(["default", "research", "nowhere"]),
        gang=st.sampled_from([ONE, Gang(2, ONE.shape), Gang(9, ONE.shape)]),
    ),
    max_size=4,
    unique_by=lambda one: one.spec.origin,
)


@given(st.lists(orders, min_size=1, max_size=6))
def test_whatever_happens_there_each_is_one_job_and_what_is_followed_needs_nothing_more(
    turns: list[list[Order]],
) -> None:
    jobs: dict[str, JobRecord] = {}
    for there in turns:
        done = follow(*there, jobs=tuple(jobs.values()))
        for one in done.accepted:
            assert one.spec.origin not in jobs, "accepted twice"
            jobs[one.spec.origin] = job_of(one, len(jobs) + 1)
        for job in done.changed:
            assert jobs[job.spec.origin] != job
            jobs[job.spec.origin] = job
        again = follow(*there, jobs=tuple(jobs.values()))
        assert again.accepted == ()
        assert follow(*there, jobs=tuple({**jobs, **{j.spec.origin: j for j in again.changed}}.values())).changed == ()
        wrong = {one.spec.origin for one, _ in done.refused} | {one.spec.origin for one in there if one.at_s > NOW_S}
        assert {one.spec.origin for one in there} - wrong <= jobs.keys()
        listed = {one.spec.origin for one in there}
        assert all(job.desired is DesiredState.STOP for origin, job in jobs.items() if origin not in listed)
