"""Etas beside the loop: asked when nobody else waits, corrected by their own record, and every miss is counted."""

from dataclasses import replace
from math import inf

import pytest

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.control.reports.board import Board, Report
from scheduler.control.settings import Settings
from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.eta_record import BOUNDS, ENOUGH, EtaRecord
from scheduler.control.whatif.etas import LEAST_PAUSE_S, LONGEST_PAUSE_S, RESTS, EtaDesk, Etas, JobEta
from scheduler.control.whatif.question import Rules
from scheduler.model.demand import Demand
from scheduler.model.errors import Unreachable
from scheduler.model.observation import Observation
from scheduler.model.plan import Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

RULES = Rules(policy_from_names(), Settings())


def waiting(job_id: str, at_s: float = 0.0) -> TrainingJob:
    return TrainingJob(JobId(job_id), "j", Gang(1, Shape(1000)), submitted_at_s=at_s)


def running(job_id: str, since_s: float) -> TrainingJob:
    return replace(waiting(job_id), state=JobState.RUNNING, slots=(Slot("a", ()),), started_at_s=since_s, attempt=1)


def snapshot(*jobs: TrainingJob, at_s: float = 0.0) -> Snapshot:
    return Snapshot.of(taken_at_s=at_s, jobs=jobs)


def report(*jobs: TrainingJob) -> Report:
    seen = snapshot(*jobs, at_s=1000.0)
    return Report(CycleRecord(7, 1000.0, seen, Demand(), Plan(7), 0.0), Observation(1000.0, (), (), ()))


def starts(p50_s: float, p90_s: float) -> JobEta:
    return JobEta(Spread(p50_s, p90_s), Spread(p90_s + 60, inf))


def lived(record: EtaRecord, count: int, waits_s: float, p50_s: float = 100.0, p90_s: float = 200.0) -> None:
    """Have so many jobs told a start at second 0, and start after a while."""
    for number in range(count):
        record.said({str(number): starts(p50_s, p90_s)}, 0.0)
        record.see(snapshot(waiting(str(number))))
        record.see(snapshot(running(str(number), waits_s)))
        record.see(snapshot())


def test_with_few_starts_nothing_is_corrected() -> None:
    record = EtaRecord()
    lived(record, ENOUGH - 1, 1000.0)
    assert record.factors == (1.0, 1.0)
    assert record.corrected({"x": starts(100.0, 200.0)}, 0.0) == {"x": starts(100.0, 200.0)}


def test_waits_that_turn_out_twice_as_long_are_told_twice_as_long() -> None:
    record = EtaRecord()
    lived(record, ENOUGH, 200.0, p50_s=100.0, p90_s=100.0)
    said = record.corrected({"x": starts(500.0, 900.0), "runs": JobEta(None, Spread(5.0, 6.0))}, 400.0)
    assert said["x"].start == Spread(600.0, 1400.0)
    assert said["runs"] == JobEta(None, Spread(5.0, 6.0))


def test_half_came_before_p50_and_nine_of_ten_before_p90_once_corrected() -> None:
    record = EtaRecord()
    for waits_s in range(10, 1010, 10):
        lived(record, 1, float(waits_s), p50_s=1000.0, p90_s=1000.0)
    told = record.corrected({"x": starts(1000.0, 1000.0)}, 0.0)["x"].start
    assert told is not None
    assert told.p50_s == pytest.approx(510.0, abs=20.0)
    assert told.p90_s == pytest.approx(900.0, abs=20.0)


def test_no_record_stretches_beyond_all_bounds() -> None:
    record = EtaRecord()
    lived(record, ENOUGH, 1e6)
    assert record.factors == (BOUNDS[1], BOUNDS[1])
    lived(record, 400, 60.0, p50_s=1e6, p90_s=2e6)
    assert record.factors == (BOUNDS[0], BOUNDS[0])


def test_the_first_word_on_a_job_counts_and_every_miss_is_told() -> None:
    record, misses = EtaRecord(), list[float]()
    record.errors_s.append(misses.append)
    record.said({"1": starts(100.0, 200.0), "2": starts(50.0, inf), "3": starts(10.0, 20.0)}, 0.0)
    record.said({"1": starts(900.0, 900.0)}, 50.0)
    record.see(snapshot(running("1", 130.0), running("2", 60.0)))
    record.see(snapshot(running("1", 130.0)))
    assert misses == [30.0], "one without a p90 is no measure, and one that is gone never started"


class Canned:
    """Says the same of everybody; fails when told to."""

    def __init__(self) -> None:
        self.asked, self.fails = 0, False

    def estimate(self, report: Report, _rules: Rules) -> Etas:
        self.asked += 1
        if self.fails:
            raise Unreachable("it died")
        return Etas(report.cycle.at_s, {"1": starts(2000.0, 3000.0)}, 20)


def test_a_desk_estimates_when_there_are_jobs_and_nobody_else_waits() -> None:
    board, estimator, busy, clock = Board(), Canned(), [True], iter(range(0, 10_000, 50))
    desk = EtaDesk(estimator, board, lambda: RULES, lambda: busy[0], lambda: float(next(clock)))
    assert desk.estimate() < LEAST_PAUSE_S, "no report yet"
    board.publish(report(), None)
    board.publish(report(waiting("1")), None)
    assert (desk.estimate(), estimator.asked) == (LEAST_PAUSE_S / 4, 0), "somebody waits for an answer"
    busy[0] = False
    assert desk.estimate() == RESTS * 50.0, "a fifth of the time at most goes into it"
    assert desk.etas == Etas(1000.0, {"1": starts(2000.0, 3000.0)}, 20)
    estimator.fails = True
    rests = [desk.estimate() for _ in range(6)]
    assert rests == sorted(rests)
    assert rests[0] >= LEAST_PAUSE_S
    assert rests[-1] == LONGEST_PAUSE_S, "a site too large for it is not played all the time"
    assert desk.etas.by_id, "what was said stays"


def test_reports_feed_the_record_of_a_desk() -> None:
    board, misses = Board(), list[float]()
    desk = EtaDesk(Canned(), board, lambda: RULES, lambda: False)
    desk.record.errors_s.append(misses.append)
    board.publish(report(waiting("1")), None)
    desk.estimate()
    board.publish(report(running("1", 2600.0)), None)
    assert misses == [600.0]


def test_no_error_ends_the_estimating() -> None:
    board, rules = Board(), [KeyError("a queue that is gone")]

    def broken() -> Rules:
        if rules:
            raise rules.pop()
        return RULES

    desk = EtaDesk(Canned(), board, broken, lambda: False)
    board.publish(report(waiting("1")), None)
    assert desk.estimate() >= LEAST_PAUSE_S
    assert not desk.etas.by_id
    desk.estimate()
    assert desk.etas.by_id
