"""Step 4: who gives way, for whom, and who is spared."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, Reason, StartJob, StartReplica
from scheduler.model.queues import Queue
from scheduler.model.workloads import Gang, JobState
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import need_of
from scheduler.planning.preemption.stoppable import Stoppable
from scheduler.planning.preemption.victims import victims_for


def victims(say: Any, made: Any) -> Any:
    return [order.job_id for order in say.of(made, PreemptJob)]


def saved(say: Any, job_id: Any, at: Any, ago_s: Any, **parts: Any) -> Any:
    return say.running(job_id, at, checkpointed_at_s=say.now_s - ago_s, **parts)


def test_the_least_lost_work_gives_way_over_all_hosts(say: Any, hosts: Any) -> None:
    jobs = [saved(say, "1", "h0:0,1,2,3", 500), saved(say, "2", "h1:0,1,2,3", 5), saved(say, "3", "h2:0,1,2,3", 50)]
    made = say.plan(hosts=hosts, jobs=[*jobs, say.waiting("4", say.gpus(4), priority=75)])
    (order,) = say.of(made, PreemptJob)
    assert (order.job_id, order.cause, order.beneficiary) == ("2", Cause.PRIORITY, "4")
    assert order.lost_gpu_s == (5 + 60) * 4
    assert made.reservations[0].slots == (say.slot("h1:0,1,2,3"),)


def test_one_costly_victim_is_weighed_against_several_cheap_ones(say: Any) -> None:
    hosts = [say.host("h0"), say.host("h1")]
    cheap = [saved(say, str(n), f"h0:{n}", 40) for n in range(4)]
    one = saved(say, "9", "h1:0,1,2,3", 20)
    made = say.plan(hosts=hosts, jobs=[*cheap, one, say.waiting("10", say.gpus(4), priority=75)])
    assert victims(say, made) == ["9"]
    dear = replace(one, checkpointed_at_s=say.now_s - 2000)
    made = say.plan(hosts=hosts, jobs=[*cheap, dear, say.waiting("10", say.gpus(4), priority=75)])
    assert sorted(victims(say, made)) == ["0", "1", "2", "3"]


def test_among_equal_losses_the_lowest_priority_then_the_youngest_gives_way(say: Any, hosts: Any) -> None:
    jobs = [saved(say, "1", "h0:0", 5), saved(say, "2", "h0:1", 5, priority=25), saved(say, "3", "h0:2", 5)]
    full = [*jobs, saved(say, "4", "h0:3", 5, preemptible=False)]
    high = say.waiting("9", say.gpus(), priority=75)
    assert victims(say, say.plan(hosts=hosts[:1], jobs=[*full, high])) == ["2"]
    full[1] = replace(full[1], priority=50, started_at_s=0.0)
    full[2] = replace(full[2], started_at_s=100.0)
    assert victims(say, say.plan(hosts=hosts[:1], jobs=[*full, high])) == ["3"]


def test_cheap_jobs_whose_room_helps_nobody_are_spared(say: Any) -> None:
    hosts = [say.host("h0", 2), say.host("h1", 4)]
    jobs = [saved(say, "1", "h0:0", 1), saved(say, "2", "h0:1", 1), saved(say, "3", "h1:0,1", 300)]
    made = say.plan(hosts=hosts, jobs=[*jobs, say.waiting("4", say.gpus(4), priority=75)])
    assert victims(say, made) == ["3"]


def test_a_gang_takes_victims_on_several_hosts(say: Any, hosts: Any) -> None:
    jobs = [saved(say, "1", "h0:0,1,2,3", 500), saved(say, "2", "h1:0,1,2,3", 5), saved(say, "3", "h2:0,1,2,3", 50)]
    made = say.plan(hosts=hosts, jobs=[*jobs, say.waiting("4", say.gpus(4), workers=2, priority=75)])
    assert sorted(victims(say, made)) == ["2", "3"]


def test_equals_never_give_way_to_each_other(say: Any) -> None:
    made = say.plan(hosts=[say.host("h0", 1)], jobs=[say.running("1", "h0:0"), say.waiting("2", say.gpus())])
    assert made.actions == ()
    assert made.reason_for("2").reason is Reason.INSUFFICIENT_DEVICES


def test_a_long_equal_gives_way_to_a_short_one_of_another_queue_where_queues_are_only_names(say: Any) -> None:
    policy = policy_from_names(may_displace="shorter-first", queue_order="shortest-first")
    began = {"submitted_at_s": say.now_s - 4100, "started_at_s": say.now_s - 4000}
    long = saved(say, "1", "h0:0", 5, queue="vision", max_runtime_s=90_000.0, **began)
    short = say.waiting("2", say.gpus(), queue="speech", max_runtime_s=600.0)
    scene = {"hosts": [say.host("h0", 1)], "jobs": [long, short]}
    plain = (Queue("vision"), Queue("speech"))
    for queues in ((), plain):
        assert victims(say, say.plan(policy=policy, queues=queues, **scene)) == ["1"]
    with_terms = (Queue("vision", weight=2.0), Queue("speech"))
    assert victims(say, say.plan(policy=policy, queues=with_terms, **scene)) == []


def test_nobody_gives_way_in_vain(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1"), say.running("2", "h0:2,3", preemptible=False)]
    made = say.plan(hosts=[say.host("h0")], jobs=[*jobs, say.waiting("3", say.gpus(4), priority=75)])
    assert made.actions == ()


def test_a_young_job_gives_way_to_serving_but_not_to_another_job(say: Any) -> None:
    young = say.running("1", "h0:0", started_at_s=say.now_s - 10)
    high = say.waiting("2", say.gpus(), priority=75)
    assert say.plan(hosts=[say.host("h0", 1)], jobs=[young, high]).actions == ()
    made = say.plan(say.demand(chat=1), hosts=[say.host("h0", 1)], jobs=[young, high], models=[say.model("chat")])
    assert victims(say, made) == ["1"]


def test_a_policy_can_forbid_preemption_among_jobs(say: Any) -> None:
    jobs = [say.running("1", "h0:0"), say.waiting("2", say.gpus(), priority=75)]
    policy = policy_from_names(may_preempt="never")
    assert say.plan(policy=policy, hosts=[say.host("h0", 1)], jobs=jobs).actions == ()


def test_room_already_being_freed_is_not_freed_twice(say: Any, hosts: Any) -> None:
    leaving = say.running("1", "h0:0,1,2,3", state=JobState.PREEMPTING)
    others = [say.running("2", "h1:0,1,2,3"), say.running("3", "h2:0,1,2,3")]
    made = say.plan(say.demand(chat=4), hosts=hosts, jobs=[leaving, *others], models=[say.model("chat")])
    assert made.actions == ()
    assert made.reason_for("chat").blocked_by == ("1",)
    assert len(made.reservations[0].slots) == 4


def test_serving_takes_what_it_can_get_when_not_all_can_be_freed(say: Any) -> None:
    jobs = [say.running("1", "h0:0"), say.running("2", "h0:1,2,3", preemptible=False)]
    made = say.plan(say.demand(chat=3), hosts=[say.host("h0")], jobs=jobs, models=[say.model("chat")])
    assert victims(say, made) == ["1"]
    assert len(made.reservations[0].slots) == 1


def test_serving_takes_promised_room_before_more_training_is_stopped(say: Any) -> None:
    first = say.plan(
        hosts=[say.host("h0", 1)], jobs=[say.running("1", "h0:0"), say.waiting("2", say.gpus(), priority=75)]
    )
    assert victims(say, first) == ["1"]
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    jobs = [say.waiting("2", say.gpus(), priority=75, not_before_s=say.now_s + 9), say.running("3", "h1:0")]
    made = say.plan(
        say.demand(chat=1), hosts=hosts, jobs=jobs, models=[say.model("chat")], reservations=first.reservations
    )
    assert [start.slot for start in say.of(made, StartReplica)] == [say.slot("h0:0")]
    assert not victims(say, made)


def test_freed_room_goes_to_whom_it_was_freed_for(say: Any) -> None:
    hosts, high = [say.host("h0", 2)], say.waiting("2", say.gpus(2), priority=75)
    low = say.running("1", "h0:0,1")
    first = say.plan(hosts=hosts, jobs=[low, high])
    leaving = replace(low, state=JobState.PREEMPTING)
    small = say.waiting("3", say.gpus(), priority=25)
    second = say.plan(hosts=hosts, jobs=[leaving, high, small], reservations=first.reservations)
    assert second.actions == ()
    gone = replace(low, state=JobState.PREEMPTED, slots=())
    third = say.plan(hosts=hosts, jobs=[gone, high, small], reservations=second.reservations)
    assert [start.job_id for start in say.of(third, StartJob)] == ["2"]
    assert third.reason_for("1").reason is Reason.INSUFFICIENT_DEVICES


def test_a_victim_is_spared_when_a_later_one_frees_room_for_both(say: Any) -> None:
    hosts = [say.host("h0", 1), say.host("h1", 4)]
    jobs = [saved(say, "1", "h0:0", 1), saved(say, "2", "h1:0,1,2,3", 100, priority=25)]
    waiting = [say.waiting("3", say.gpus(1), priority=75), say.waiting("4", say.gpus(3), priority=75)]
    made = say.plan(hosts=hosts, jobs=[*jobs, *waiting])
    assert victims(say, made) == ["2"]
    assert {promise.holder: promise.slots[0].host for promise in made.reservations} == {"3": "h1", "4": "h1"}


def test_free_room_is_kept_for_whom_more_is_freed(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1"), say.waiting("2", say.gpus(4), priority=75), say.waiting("3", say.gpus(2))]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    assert victims(say, made) == ["1"]
    assert not say.of(made, StartJob)
    assert made.reason_for("3").reason is Reason.RESERVED


def test_replicas_spread_over_lost_hosts_take_room_from_training(say: Any) -> None:
    hosts = [say.host("h0", 2), say.host("h1", 1)]
    model = say.model("chat", survive_host_losses=1)
    made = say.plan(
        say.demand(chat=1),
        hosts=hosts,
        jobs=[say.running("1", "h1:0")],
        models=[model],
        replicas=[say.replica("chat", 0, "h0:0")],
    )
    assert victims(say, made) == ["1"]
    assert made.reservations[0].slots == (say.slot("h1:0"),)


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_the_order_in_which_jobs_are_listed_changes_nothing(say: Any, order: Any) -> None:
    jobs = {"1": saved(say, "1", "h0:0", 10), "2": saved(say, "2", "h0:1", 10)}
    listed = [jobs[each] for each in order]
    made = say.plan(hosts=[say.host("h0", 2)], jobs=[*listed, say.waiting("3", say.gpus(), priority=75)])
    assert victims(say, made) == ["1"]


def test_a_job_that_ends_anyway_is_stopped_once_and_its_room_counted_once(say: Any, draining: Any) -> None:
    asked = say.running("1", "h0:0", "h1:0", stop_asked=True)
    moved = say.running("2", "h0:1", "h1:1")
    made = say.plan(
        say.demand(chat=3), hosts=[draining("h0"), say.host("h1", 2)], jobs=[asked, moved], models=[say.model("chat")]
    )
    assert [(order.job_id, order.cause) for order in say.of(made, PreemptJob)] == [
        ("1", Cause.STOP_ASKED),
        ("2", Cause.DRAIN),
    ]
    assert len(made.reservations[0].slots) == 2


def test_a_job_its_owner_ends_is_nobodys_victim(say: Any) -> None:
    jobs = [say.running("1", "h0:0", stop_asked=True), say.running("2", "h0:1", preemptible=False)]
    made = say.plan(say.demand(chat=2), hosts=[say.host("h0", 2)], jobs=jobs, models=[say.model("chat")])
    assert [(order.job_id, order.cause) for order in made.actions] == [("1", Cause.STOP_ASKED)]
    assert made.reservations[0].slots == (say.slot("h0:0"),)


def test_whoever_is_not_needed_once_more_is_freed_is_spared(say: Any) -> None:
    hosts = [say.host("h0", 1), say.host("h1", 2)]
    jobs = [saved(say, "1", "h0:0", 0), saved(say, "2", "h1:0,1", 0)]
    snapshot = say.snapshot(hosts=hosts, jobs=jobs)
    chosen = victims_for(
        need_of(Gang(2, say.gpus())), CachedTrial(snapshot.ledger), Stoppable(snapshot, policy_from_names()).candidates
    )
    assert [victim.job.job_id for victim in chosen] == ["2"]


def test_several_on_one_host_are_priced_without_those_not_needed(say: Any) -> None:
    hosts = [say.host("h0", 5), say.host("h1", 4)]
    few = [saved(say, "1", "h0:0", 0), saved(say, "2", "h0:1,2", 5), saved(say, "3", "h0:3,4", 10)]
    made = say.plan(
        hosts=hosts, jobs=[*few, saved(say, "4", "h1:0,1,2,3", 15), say.waiting("5", say.gpus(4), priority=75)]
    )
    assert sorted(victims(say, made)) == ["2", "3"]


def test_one_that_is_enough_alone_is_preferred_to_several_that_cost_more_together(say: Any) -> None:
    jobs = [saved(say, "1", "h0:0", 0), saved(say, "2", "h0:1", 5), saved(say, "3", "h0:2,3", 2)]
    made = say.plan(hosts=[say.host("h0")], jobs=[*jobs, say.waiting("5", say.gpus(2), priority=75)])
    assert victims(say, made) == ["3"]


def test_nobody_is_spared_whose_room_was_promised_to_a_third(say: Any) -> None:
    fast = (("disk", "fast"),)
    jobs = [saved(say, "1", "h0:0,1,2,3", 0), saved(say, "2", "h1:0,1,2,3,4,5,6,7", 500)]
    waiting = [
        say.waiting("3", say.gpus(3, host_labels=fast), priority=75),
        say.waiting("4", say.gpus(1, host_labels=fast), priority=75),
        say.waiting("5", say.gpus(2), priority=75),
    ]
    made = say.plan(hosts=[say.host("h0", labels=fast), say.host("h1", 8)], jobs=[*jobs, *waiting])
    assert sorted(victims(say, made)) == ["1", "2"]
    held = {promise.holder: promise.slots[0].host for promise in made.reservations}
    assert held == {"3": "h0", "4": "h0", "5": "h1"}
