"""An attempt that is shown as it was is shown as it is."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.observation import Run, RunState
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobId
from simulations.showing import Showing
from simulations.work import Attempt, Work

START_S = 1_700_000_000.0
SECONDS = st.one_of(st.integers(0, 5000).map(float), st.floats(0, 5000))


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    run = Run(JobId(1), 1, (Slot("a", (0,)),), RunState.STARTING, START_S)
    work = Work(draw(st.floats(1, 5000)), start_up_s=draw(SECONDS))
    interval = draw(st.one_of(st.none(), st.integers(1, 900).map(float), st.floats(0.5, 900)))
    anchor = draw(st.one_of(st.none(), st.tuples(st.floats(0, 50), SECONDS.map(lambda at: START_S + at))))
    speed = draw(st.sampled_from([0.5, 1.0, 1.7, 3.0]))
    return Attempt(run, Shape(1000, 1024), work, draw(st.floats(0, 20)), interval, speed, anchor=anchor)


@given(attempts(), st.lists(SECONDS, min_size=2, max_size=30), st.one_of(st.none(), SECONDS), st.booleans())
def test_what_is_kept_is_what_would_be_made_anew(
    attempt: Attempt,
    times: list[float],
    told_s: float | None,
    saved: bool,  # noqa: FBT001  # drawn, not passed
) -> None:
    showing = Showing()
    for at_s in sorted(times):
        now_s = START_S + at_s
        if told_s is not None and at_s >= told_s:
            attempt, told_s = attempt.told_to_stop(now_s), None
        assert showing.of(attempt, now_s) == attempt.seen_at(now_s)
        assert showing.of(attempt, now_s) == attempt.seen_at(now_s)
    ended = attempt.ended(RunState.STOPPED, START_S + 6000, saved=saved)
    assert showing.of(ended, START_S + 9000) == ended.seen_at(START_S + 9000)


def test_nothing_is_made_again_between_two_checkpoints() -> None:
    run = Run(JobId(1), 1, (), RunState.STARTING, START_S)
    attempt = Attempt(run, Shape(1000, 1024), Work(5000.0, start_up_s=60.0), 0.0, 300.0)
    showing = Showing()
    shown = [showing.of(attempt, START_S + at_s) for at_s in (70, 200, 350, 370, 600)]
    assert shown[0] is shown[1] is shown[2]
    assert shown[3] is shown[4] is not shown[2]
