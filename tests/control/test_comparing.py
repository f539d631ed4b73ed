"""What a change leads to: the difference of two plans of the same world."""

from scheduler.control.whatif.compare import Difference, compare
from scheduler.model.plan import Cause, Plan, PreemptJob, Reason, StartJob, Unplaced
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, ServingModel

MODELS = [ServingModel("m", Shape()), ServingModel("n", Shape())]
SNAPSHOT = Snapshot.of(version=1, taken_at_s=0.0, hosts=(), models=MODELS)


def stop(job_id: str) -> PreemptJob:
    return PreemptJob(JobId(job_id), 1, 30.0, Cause.SERVING, "m")


def start(job_id: str) -> StartJob:
    return StartJob(JobId(job_id), 1, (Slot("a"),))


def lacks(model: str, reason: Reason = Reason.INSUFFICIENT_DEVICES) -> Unplaced:
    return Unplaced(model, reason, "")


def test_equal_plans_differ_in_nothing() -> None:
    made = Plan(1, (stop("1"), start("2")), unplaced=(lacks("m"),))
    assert compare(made, made, SNAPSHOT) == Difference((), (), (), ())


def test_what_is_new_and_what_is_gone_is_told() -> None:
    before = Plan(1, (stop("1"), start("3"), start("4")), unplaced=(lacks("m"),))
    after = Plan(1, (stop("1"), stop("2"), start("4"), start("5")), unplaced=(lacks("m"), lacks("n")))
    found = compare(before, after, SNAPSHOT)
    assert [one.job_id for one in found.stopped] == ["2"]
    assert found.delayed == ("3",)
    assert [one.job_id for one in found.started] == ["5"]
    assert found.short == ("n",)


def test_a_model_for_which_room_is_being_freed_is_not_short() -> None:
    after = Plan(1, unplaced=(lacks("m", Reason.WAITS_FOR_PREEMPTION),))
    assert compare(Plan(1), after, SNAPSHOT).short == ()
