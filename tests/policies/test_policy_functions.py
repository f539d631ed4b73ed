"""The small functions that a site chooses from, and their names."""

from dataclasses import replace

import numpy as np
import pytest

from policies.headroom_rules import lead_time_s, planning_quantile, scale_down
from policies.may_preempt import higher_priority, never, shorter_first
from policies.placement_scores import best_fit, first_fit, worst_fit
from policies.queue_order import by_priority, fifo, shortest_first
from policies.registry import policy_from_names
from policies.victim_order import lost_work, lost_work_and_wait, newest_first
from scheduler.model.errors import ConfigError
from scheduler.model.host_table import HostTable
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.policy import VictimCost
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import Running
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import NOTHING_SEEN
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

WHOLE, HALF, CPU = Shape(1000, 0, 1), Shape(500, 0, 1, 500), Shape(2000)
ALL = np.arange(4)


def job(job_id: str, **parts: object) -> TrainingJob:
    parts = {"gang": Gang(2, WHOLE), "submitted_at_s": float(job_id)} | parts
    return TrainingJob(JobId(job_id), "job", **parts)


@pytest.fixture
def ledger() -> Ledger:
    """Free: h0 4 GPUs; h1 2; h2 1.5, half of it shared; h3 none, a CPU host."""
    gpus_of = (4, 4, 2, 0)
    hosts = [Host(f"h{i}", 16_000, 1, tuple(Device(d) for d in range(n))) for i, n in enumerate(gpus_of)]
    taken = [(Slot("h1", (0,)), WHOLE), (Slot("h1", (1,)), WHOLE), (Slot("h2", (0,)), HALF)]
    return Ledger.of(hosts, taken)


def best(score: np.ndarray) -> int:
    return int(score.argmin())


def test_best_fit_leaves_large_holes_whole(ledger: Ledger) -> None:
    assert best(best_fit(ledger, NOTHING_SEEN)(ledger, ALL[:3], WHOLE)) == 2
    assert best(best_fit(ledger, NOTHING_SEEN)(ledger, ALL[:2], WHOLE)) == 1


def test_best_fit_sends_work_without_gpus_to_hosts_without(ledger: Ledger) -> None:
    assert best(best_fit(ledger, NOTHING_SEEN)(ledger, ALL, CPU)) == 3


def test_best_fit_prefers_a_device_that_is_shared_already() -> None:
    hosts = [Host(f"h{i}", 4000, 1, (Device(0), Device(1))) for i in range(2)]
    taken = [(Slot("h0", (0,)), WHOLE), (Slot("h1", (0,)), HALF), (Slot("h1", (1,)), HALF)]
    ledger = Ledger.of(hosts, taken)
    assert best(best_fit(ledger, NOTHING_SEEN)(ledger, ALL[:2], HALF)) == 1
    assert best(best_fit(ledger, NOTHING_SEEN)(ledger, ALL[:2], replace(HALF, gpu_milli=400))) == 1


def test_best_fit_breaks_ties_by_least_cpu() -> None:
    hosts = [Host("h0", 16_000, 1, (Device(0),)), Host("h1", 8_000, 1, (Device(0),))]
    assert best(best_fit(Ledger.of(hosts), NOTHING_SEEN)(Ledger.of(hosts), ALL[:2], WHOLE)) == 1


def test_worst_fit_evens_out_and_first_fit_prefers_nobody(ledger: Ledger) -> None:
    assert best(worst_fit(ledger, NOTHING_SEEN)(ledger, ALL[:3], WHOLE)) == 0
    assert best(worst_fit(ledger, NOTHING_SEEN)(ledger, ALL, CPU)) == 0
    assert first_fit(ledger, NOTHING_SEEN)(ledger, ALL, WHOLE).tolist() == [0.0] * 4


def table(*jobs: TrainingJob) -> Running:
    running = [replace(one, state=JobState.RUNNING, slots=(Slot("h0", (0,)),) * one.gang.workers) for one in jobs]
    return Running.of(running, HostTable([Host("h0", 16_000, 1, (Device(0),))]))


def cost(policy: VictimCost, *jobs: TrainingJob, now_s: float = 400.0) -> list[float]:
    return policy(table(*jobs), now_s).tolist()


def test_lost_work_is_what_the_last_checkpoint_does_not_hold() -> None:
    running = job("1", started_at_s=100.0, restart_cost_s=60.0)
    assert cost(lost_work, running) == [(300 + 60) * 2]
    assert cost(lost_work, replace(running, checkpointed_at_s=390.0)) == [(10 + 60) * 2]
    assert cost(lost_work, replace(running, checkpointed_at_s=500.0)) == [60 * 2]
    assert cost(lost_work, job("1")) == [60 * 2], "nobody knows when it began"


def test_newest_first_looks_at_the_run_only() -> None:
    assert cost(newest_first, job("1", started_at_s=100.0, checkpointed_at_s=399.0)) == [600.0]


def test_the_wait_counts_once_a_job_whatever_its_size() -> None:
    one = job("1", gang=Gang(1, WHOLE), started_at_s=0.0, checkpointed_at_s=400.0, restart_cost_s=0.0)
    eight = replace(one, gang=Gang(8, WHOLE))
    assert cost(lost_work_and_wait, one, eight) == pytest.approx([2.0, 2.0])


def test_the_wait_counts_for_more_with_each_stop_and_less_the_longer_a_job_has_run() -> None:
    fresh = job("1", started_at_s=300.0, checkpointed_at_s=400.0, restart_cost_s=0.0)
    old = replace(fresh, ran_before_s=900.0)
    young, stopped, aged = cost(lost_work_and_wait, fresh, replace(fresh, stops=2), old)
    assert stopped == pytest.approx(100 * young)
    assert aged < young


def test_nobody_who_loses_more_costs_less_for_it() -> None:
    jobs = [job("1", started_at_s=0.0, checkpointed_at_s=saved_s) for saved_s in (400.0, 300.0, 10.0)]
    assert cost(lost_work_and_wait, *jobs) == sorted(cost(lost_work_and_wait, *jobs))


def test_costs_of_nobody_and_of_work_without_devices_are_numbers() -> None:
    assert cost(lost_work_and_wait) == cost(lost_work) == cost(newest_first) == []
    (only,) = cost(lost_work_and_wait, job("1", gang=Gang(1, CPU), started_at_s=100.0))
    assert only == pytest.approx(1.5)


def may(beneficiary: TrainingJob, victim: TrainingJob, now_s: float = 10_000.0) -> bool:
    return bool(shorter_first(beneficiary, table(victim), now_s)[0])


def long_one(**parts: object) -> TrainingJob:
    return job("0", **({"started_at_s": 0.0, "checkpointed_at_s": 10_000.0, "restart_cost_s": 0.0} | parts))


def test_a_job_makes_room_for_one_of_half_its_length_and_not_for_a_longer_one() -> None:
    assert may(job("1", max_runtime_s=5_000.0), long_one())
    assert not may(job("1", max_runtime_s=5_001.0), long_one())
    assert may(job("1"), long_one())
    assert not may(job("1", ran_before_s=9_000.0), long_one())


def test_what_is_known_of_the_end_counts_more_than_what_has_been_run() -> None:
    assert not may(job("1", max_runtime_s=1_000.0), long_one(max_runtime_s=11_000.0))
    assert may(job("1", max_runtime_s=1_000.0), long_one(max_runtime_s=12_000.0))
    assert may(job("1", max_runtime_s=1_000.0), long_one(max_runtime_s=9_000.0)), "it ran longer than expected"


def test_of_two_whose_length_nobody_knows_the_end_that_is_expected_is_only_a_bound() -> None:
    young = long_one(started_at_s=9_000.0, submitted_at_s=9_000.0)
    assert not may(job("1"), replace(young, expected_runtime_s=50_000.0, submitted_at_s=9_000.0))
    assert may(job("1", max_runtime_s=1_000.0), replace(young, expected_runtime_s=50_000.0))
    assert not may(job("1"), long_one(expected_runtime_s=11_000.0))


def test_what_is_lost_counts_against_it() -> None:
    assert not may(job("1", max_runtime_s=3_000.0), long_one(checkpointed_at_s=7_900.0))
    assert not may(job("1", max_runtime_s=3_000.0), long_one(restart_cost_s=2_100.0))


def test_small_jobs_are_not_stopped_many_for_one() -> None:
    large = job("1", gang=Gang(8, WHOLE), max_runtime_s=2_000.0)
    assert not may(large, long_one())
    assert may(large, long_one(gang=Gang(8, WHOLE)))


def test_who_waited_longer_than_it_ran_is_left_alone() -> None:
    assert may(job("1"), long_one(submitted_at_s=-10_000.0))
    assert not may(job("1"), long_one(submitted_at_s=-10_001.0))


def test_shares_of_devices_count_in_part() -> None:
    assert job("1").gang.gpus == 2.0
    assert replace(job("1"), gang=Gang(3, HALF)).gang.gpus == 1.5


def test_the_queue_goes_by_priority_then_age_or_by_age_alone() -> None:
    jobs = [
        job("10", priority=50),
        job("2", priority=75),
        job("3", priority=75, submitted_at_s=1.0),
        job("4", state=JobState.HELD),
    ]
    snapshot = Snapshot.of(jobs=jobs)
    assert [each.job_id for each in by_priority(snapshot)] == ["3", "2", "10"]
    assert [each.job_id for each in fifo(snapshot)] == ["3", "2", "10"]
    assert [each.job_id for each in fifo(Snapshot.of(jobs=[job("5", priority=99), job("1")]))] == ["1", "5"]


def test_short_ones_go_first_until_the_long_have_waited_as_long_as_they_take() -> None:
    def order(*jobs: TrainingJob) -> list[str]:
        return [each.job_id for each in shortest_first(Snapshot.of(jobs=jobs))]

    long = job("1", submitted_at_s=0.0, max_runtime_s=5_000.0)
    short = job("2", submitted_at_s=3_999.0, max_runtime_s=1_000.0)
    assert order(long, short) == ["2", "1"]
    assert order(long, replace(short, submitted_at_s=4_001.0)) == ["1", "2"]
    assert order(long, short, job("3", priority=75, max_runtime_s=99_999.0)) == ["3", "2", "1"]
    assert order(job("4", ran_before_s=2_000.0), job("5")) == ["5", "4"], "who has run is expected to run on"


def test_only_higher_priority_may_preempt() -> None:
    high, low = job("1", priority=75), job("2", priority=50)
    assert higher_priority(high, low)
    assert not higher_priority(low, high)
    assert not higher_priority(low, low)
    assert not never(high, low)


def test_policies_are_found_by_name() -> None:
    policy = policy_from_names(queue_order="fifo", placement_score="worst-fit", min_runtime_s=1.0, reservation_s=2.0)
    assert (policy.queue_order, policy.placement_score) == (fifo, worst_fit)
    assert (policy.victim_cost, policy.may_preempt, policy.may_displace) == (lost_work_and_wait, higher_priority, None)
    assert (policy.min_runtime_s, policy.reservation_s) == (1.0, 2.0)


def test_unknown_names_are_all_told_at_once_with_those_known() -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from_names(queue_order="lifo", may_preempt="always")
    told = [(fault.field, fault.help) for fault in caught.value.faults]
    assert told == [
        ("policy.queue_order", "one of: fair-share, fifo, priority, shortest-first"),
        ("policy.may_preempt", "one of: higher-priority, never"),
    ]
    assert 'unknown queue_order "lifo"' in str(caught.value)


def test_a_promise_that_is_high_takes_a_quantile_that_is_high() -> None:
    assert [planning_quantile(0.99, within) for within in (0.5, 0.99, 0.999)] == [0.99] * 3
    assert planning_quantile(0.99, 0.9999) == pytest.approx(0.999)
    assert planning_quantile(0.9995, 0.9999) == 0.9995


def test_lead_time_adds_up_what_can_pass_before_a_replica_answers() -> None:
    assert lead_time_s(warm_up_s=130.0, grace_s=60.0, period_s=30.0) == 220.0


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ([(100.0, 3)], 3),
        ([(0.0, 9), (100.0, 3)], 3),
        ([(50.0, 5), (100.0, 3)], 5),
        ([(50.0, 5), (100.0, 7)], 7),
        ([(0.0, 5)], 5),
    ],
)
def test_replicas_go_down_only_after_a_quiet_time(history: list[tuple[float, int]], kept: int) -> None:
    assert scale_down(history, now_s=100.0, after_s=60.0) == kept
