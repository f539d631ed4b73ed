"""Plans with queues: turns by share, limits with their reasons, and guarantees that are had back."""

from dataclasses import replace
from typing import Any

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, Reason, StartJob
from scheduler.model.queues import Amounts, MeanUse, Queue

FAIR = policy_from_names(queue_order="fair-share", bookings=0)


def queue(name: str, guaranteed: int | None = None, weight: float = 1.0, **limits: int) -> Queue:
    amounts = {name: gpus(count) for name, count in limits.items()}
    return Queue(name, gpus(guaranteed), weight=weight, **amounts)


def gpus(count: int | None) -> Amounts:
    return Amounts(gpu_milli=None if count is None else count * 1000)


def started(say: Any, made: Any) -> list[str]:
    return [start.job_id for start in say.of(made, StartJob)]


def test_turns_follow_the_weights_as_jobs_of_one_plan_start(say: Any) -> None:
    jobs = [say.waiting(str(n), say.gpus(), queue="a" if n <= 8 else "b") for n in range(1, 17)]
    hosts = [say.host("h0", 6), say.host("h1", 3)]
    made = say.plan(policy=FAIR, hosts=hosts, jobs=jobs, queues=[queue("a", weight=2.0), queue("b")])
    by_queue = ["a" if int(job_id) <= 8 else "b" for job_id in started(say, made)]
    assert by_queue == ["a", "b", "a", "a", "b", "a", "a", "b", "a"]


def test_owners_of_one_queue_take_turns_and_their_own_jobs_go_by_priority_then_age(say: Any) -> None:
    jobs = [say.waiting(str(n), say.gpus(), owner="ana") for n in (1, 2, 3)]
    jobs += [say.waiting("4", say.gpus(), owner="bo"), say.waiting("5", say.gpus(), owner="bo", priority=75)]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 8)], jobs=jobs, queues=[queue("default")])
    assert started(say, made) == ["1", "5", "2", "4", "3"]


def test_who_used_much_lately_comes_after_who_did_not(say: Any) -> None:
    jobs = [say.waiting("1", say.gpus(), queue="a"), say.waiting("2", say.gpus(), queue="b")]
    parts = {"hosts": [say.host("h0", 1)], "jobs": jobs, "queues": [queue("a"), queue("b")]}
    assert started(say, say.plan(policy=FAIR, **parts)) == ["1"]
    use = [MeanUse("a", "", gpu_milli=500.0)]
    assert started(say, say.plan(policy=FAIR, usage=use, **parts)) == ["2"]


def test_the_scarcest_resource_of_each_decides_as_in_the_paper(say: Any) -> None:
    """Ghodsi et al., figure 2: of 9 CPUs and 18 GB, A (1 CPU, 4 GB) runs 3 tasks, B (3 CPUs, 1 GB) runs 2."""
    shape = {"a": (1000, 4096), "b": (3000, 1024)}
    jobs = []
    for number in range(1, 13):
        name = "a" if number <= 6 else "b"
        cpu_milli, memory_mib = shape[name]
        small = replace(say.gpus(0), cpu_milli=cpu_milli, memory_mib=memory_mib)
        jobs.append(say.waiting(str(number), small, queue=name))
    host = replace(say.host("h0", 0), cpu_milli=9000, memory_mib=18 * 1024)
    made = say.plan(policy=FAIR, hosts=[host], jobs=jobs, queues=[queue("a"), queue("b")])
    names = ["a" if int(job_id) <= 6 else "b" for job_id in started(say, made)]
    assert (names.count("a"), names.count("b")) == (3, 2)


def test_a_queue_within_its_guarantee_goes_before_all_others(say: Any) -> None:
    busy = say.running("9", "h0:0,1", queue="a")
    jobs = [busy, say.waiting("1", say.gpus(), queue="b"), say.waiting("2", say.gpus(), queue="a")]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 3)], jobs=jobs, queues=[queue("a", 3), queue("b")])
    assert started(say, made) == ["2"]


def test_nothing_starts_above_guarantee_and_borrow_limit_and_the_reason_has_the_numbers(say: Any) -> None:
    busy = say.running("9", "h0:0,1", queue="a", max_runtime_s=12_000.0)
    jobs = [busy, say.waiting("1", say.gpus(2), queue="a"), say.waiting("2", say.gpus(), queue="a")]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 8)], jobs=jobs, queues=[queue("a", 2, borrow_limit=1)])
    assert started(say, made) == ["2"]
    why = made.reason_for("1")
    assert (why.reason, why.asked, why.free, why.until_s, why.blocked_by) == (
        Reason.QUEUE_LIMIT, 2, 1, 12_000.0, ("9",),
    )  # fmt: skip
    assert why.message == "needs 2 GPUs on one host; queue a may hold at most 3 GPUs, 1 GPUs more than now"


def test_who_borrows_leaves_free_what_others_keep(say: Any) -> None:
    jobs = [say.waiting(str(n), say.gpus(), queue="b") for n in range(1, 5)]
    queues = [queue("a", 3, lend_limit=1), queue("b")]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 4)], jobs=jobs, queues=queues)
    assert started(say, made) == ["1", "2"]
    why = made.reason_for("3")
    assert (why.reason, why.asked, why.free) == (Reason.KEPT_FOR_QUEUE, 1, 0)
    assert "queue a keeps" in why.message
    mine = [say.waiting("7", say.gpus(3), queue="a")]
    assert started(say, say.plan(policy=FAIR, hosts=[say.host("h0", 4)], jobs=mine, queues=queues)) == ["7"]


def test_a_queue_has_its_guarantee_back_whatever_the_priorities_and_the_other_keeps_its_own(say: Any) -> None:
    jobs = [say.running(str(n), f"h0:{n - 1}", queue="b", priority=75) for n in range(1, 9)]
    jobs += [say.waiting(str(n), say.gpus(), queue="a", priority=25) for n in range(10, 16)]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 8)], jobs=jobs, queues=[queue("a", 4), queue("b", 3)])
    stops = say.of(made, PreemptJob)
    assert len(stops) == 4
    assert {stop.cause for stop in stops} == {Cause.GUARANTEE}


def test_beyond_guarantees_the_rule_decides_and_a_queue_at_its_own_gives_nothing(say: Any) -> None:
    jobs = [say.running(str(n), f"h0:{n - 1}", queue="b", priority=25) for n in range(1, 5)]
    jobs.append(say.waiting("9", say.gpus(2), queue="c", priority=100))
    hosts = [say.host("h0", 4)]
    spares_two = say.plan(policy=FAIR, hosts=hosts, jobs=jobs, queues=[queue("b", 2), queue("c")])
    assert [stop.cause for stop in say.of(spares_two, PreemptJob)] == [Cause.PRIORITY] * 2
    spares_one = say.plan(policy=FAIR, hosts=hosts, jobs=jobs, queues=[queue("b", 3), queue("c")])
    assert not say.of(spares_one, PreemptJob)


def test_victims_on_one_host_are_found_where_the_cheapest_are_spread(say: Any) -> None:
    """The two cheapest are on two hosts; a job that needs two devices on one host takes two on one."""
    jobs = [
        say.running("1", "h0:0", queue="b", checkpointed_at_s=say.now_s),
        say.running("2", "h1:0", queue="b", checkpointed_at_s=say.now_s),
        say.running("3", "h0:1", queue="b", checkpointed_at_s=say.now_s - 500),
        say.running("4", "h1:1", queue="b", checkpointed_at_s=say.now_s - 500),
        say.waiting("9", say.gpus(2), queue="a", priority=25),
    ]
    made = say.plan(
        policy=FAIR, hosts=[say.host("h0", 2), say.host("h1", 2)], jobs=jobs, queues=[queue("a", 2), queue("b", 2)]
    )
    assert {stop.job_id for stop in say.of(made, PreemptJob)} in ({"1", "3"}, {"2", "4"})


def test_at_its_limit_a_queue_stops_its_own_less_important_jobs(say: Any) -> None:
    jobs = [say.running("1", "h0:0", queue="a", priority=25), say.running("2", "h0:1", queue="b", priority=25)]
    jobs.append(say.waiting("9", say.gpus(), queue="a", priority=75))
    made = say.plan(
        policy=FAIR, hosts=[say.host("h0", 4)], jobs=jobs, queues=[queue("a", 1, borrow_limit=0), queue("b")]
    )
    assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["1"]
    assert not started(say, made)
    assert [promise.holder for promise in made.reservations] == ["9"]


def test_a_guarantee_of_one_model_covers_jobs_that_ask_for_it(say: Any) -> None:
    only_x = replace(say.gpus(), gpu_models=frozenset({"X"}))
    held = [say.running("1", "h0:0", queue="b", priority=75), say.running("2", "h1:0", queue="b", priority=75)]
    hosts = [say.host("h0", 1, model="X"), say.host("h1", 1, model="Y")]
    queues = [Queue("a", Amounts(gpu_models=(("X", 1000),))), queue("b")]
    asks_x = say.waiting("9", only_x, queue="a", priority=25)
    made = say.plan(policy=FAIR, hosts=hosts, jobs=[*held, asks_x], queues=queues)
    assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["1"]
    asks_any = say.waiting("9", say.gpus(), queue="a", priority=25)
    assert not say.of(say.plan(policy=FAIR, hosts=hosts, jobs=[*held, asks_any], queues=queues), PreemptJob)


def test_at_its_limit_a_queue_stops_nobody_for_room_that_another_queue_keeps(say: Any) -> None:
    """What was lent is asked back only by whom it was lent by; a job of the borrower would find it kept."""
    jobs = [
        say.running("1", "h0:0,1", queue="b", priority=25, started_at_s=0.0),
        say.waiting("2", say.gpus(2), queue="b", priority=75),
    ]
    parts = {"hosts": [say.host("h0", 4)], "jobs": jobs}
    kept = [queue("a", guaranteed=4, lend_limit=0), queue("b", borrow_limit=2)]
    assert not say.of(say.plan(policy=FAIR, queues=kept, **parts), PreemptJob)
    free = [queue("a", guaranteed=2, lend_limit=0), queue("b", borrow_limit=2)]
    assert [stop.job_id for stop in say.of(say.plan(policy=FAIR, queues=free, **parts), PreemptJob)] == ["1"]


def test_a_queue_at_its_limit_stops_those_of_one_host_for_a_job_of_one_host(say: Any) -> None:
    """The four that cost least sit two on each of two hosts, and the rest of both is another queue's for good."""
    jobs = [say.running(str(10 + n), f"h0:{n}", queue="q", priority=25, checkpointed_at_s=say.now_s) for n in range(2)]
    jobs += [say.running(str(12 + n), f"h0:{2 + n}", queue="q", priority=25) for n in range(2)]
    jobs += [say.running(str(20 + n), f"h1:{n}", queue="q", priority=25, checkpointed_at_s=say.now_s) for n in range(2)]
    jobs += [say.running(str(22 + n), f"h1:{2 + n}", queue="q", priority=25) for n in range(2)]
    limited = Queue("q", guarantee=Amounts(gpu_milli=8000), borrow_limit=Amounts(gpu_milli=0))
    for asked in (4, 3, 2):
        big = say.waiting("30", say.gpus(asked), queue="q", priority=75)
        made = say.plan(hosts=[say.host("h0"), say.host("h1")], jobs=[*jobs, big], queues=[limited])
        stopped = {action.job_id for action in say.of(made, PreemptJob)}
        assert len(stopped) == asked
        assert len({job_id[0] for job_id in stopped}) == 1, "all of one host"
        assert [promise.holder for promise in made.reservations] == ["30"]


def test_at_its_limit_it_stops_as_many_as_the_limit_asks_where_room_is_free(say: Any) -> None:
    jobs = [say.running(str(10 + n), f"h0:{n}", queue="q", priority=25) for n in range(2)]
    limited = Queue("q", guarantee=Amounts(gpu_milli=2000), borrow_limit=Amounts(gpu_milli=0))
    big = say.waiting("30", say.gpus(2), queue="q", priority=75)
    made = say.plan(hosts=[say.host("h0"), say.host("h1")], jobs=[*jobs, big], queues=[limited])
    assert len(say.of(made, PreemptJob)) == 2
    one = say.waiting("30", say.gpus(1), queue="q", priority=75)
    made = say.plan(hosts=[say.host("h0"), say.host("h1")], jobs=[*jobs, one], queues=[limited])
    assert len(say.of(made, PreemptJob)) == 1


def test_a_guarantee_is_not_held_up_by_what_its_queue_asks_for_beyond_it(say: Any) -> None:
    theirs = [say.running(str(n), f"h0:{2 * n},{2 * n + 1}", queue="p1") for n in range(4)]
    queues = [Queue(name, guarantee=Amounts(gpu_milli=4000)) for name in ("p1", "p2")]
    beyond = say.waiting("10", say.gpus(1), 6, queue="p2")
    within = say.waiting("11", say.gpus(1), 4, queue="p2", max_runtime_s=3600.0)
    made = say.plan(hosts=[say.host("h0", 8)], jobs=[*theirs, beyond, within], queues=queues)
    assert len(say.of(made, PreemptJob)) == 2
    assert [promise.holder for promise in made.reservations] == ["11"]
    assert "booked" in made.reason_for("10").message, "it is booked anew, behind"
