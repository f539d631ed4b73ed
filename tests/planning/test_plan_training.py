"""Steps 2 and 3: held room, the queue, gangs, backfill and promises."""

from dataclasses import replace
from typing import Any

from policies.registry import policy_from_names
from scheduler.model.hosts import HostState
from scheduler.model.plan import Cause, PreemptJob, Reason, Reservation, StartJob
from scheduler.model.resources import Shape
from scheduler.model.workloads import JobState


def started(say: Any, made: Any) -> Any:
    return {start.job_id: start.slots for start in say.of(made, StartJob)}


def test_the_queue_is_tried_by_priority_then_age(say: Any) -> None:
    queue = [say.waiting("1", say.gpus(), priority=25), say.waiting("2", say.gpus()), say.waiting("3", say.gpus())]
    made = say.plan(hosts=[say.host("h0", 2)], jobs=queue)
    assert list(started(say, made)) == ["2", "3"]
    assert [why.subject for why in made.unplaced] == ["1"]


def test_a_gang_starts_whole_on_as_few_hosts_as_possible(say: Any, hosts: Any) -> None:
    made = say.plan(hosts=hosts, jobs=[say.running("1", "h0:0"), say.waiting("2", say.gpus(2), workers=2)])
    assert started(say, made) == {"2": (say.slot("h1:0,1"), say.slot("h1:2,3"))}


def test_a_gang_that_does_not_fit_whole_does_not_start_in_part(say: Any, hosts: Any) -> None:
    busy = [say.running("1", "h0:0,1"), say.running("2", "h1:0,1"), say.running("3", "h2:0,1,2", "h2:3", shape=None)]
    busy[2] = say.running("3", "h2:0,1,2,3")
    made = say.plan(hosts=hosts, jobs=[*busy, say.waiting("4", say.gpus(2), workers=3)])
    assert made.actions == ()
    why = made.reason_for("4")
    assert (why.reason, why.asked, why.free) == (Reason.INSUFFICIENT_DEVICES, 6, 4)
    guess = "a guess, as nothing says how long 1 and 2 will run"
    assert why.message == f"needs 3 workers × 2 GPUs; there is room for 2 now; booked for when 1 and 2 end; {guess}"


def test_a_gang_keeps_its_limit_per_host(say: Any, hosts: Any) -> None:
    made = say.plan(hosts=hosts, jobs=[say.waiting("1", say.gpus(), workers=3, limit=1)])
    assert {slot.host for slot in started(say, made)["1"]} == {"h0", "h1", "h2"}


def test_without_bookings_a_blocked_job_stops_nobody_behind_it(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1"), say.waiting("2", say.gpus(4)), say.waiting("3", say.gpus(1))]
    made = say.plan(policy=replace(policy_from_names(), bookings=0), hosts=[say.host("h0")], jobs=jobs)
    assert list(started(say, made)) == ["3"]
    assert made.reason_for("2").blocked_by == ("1",)


def test_backfill_ends_after_as_many_blocked_jobs_as_the_policy_says(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1"), say.waiting("2", say.gpus(4)), say.waiting("3", say.gpus(1))]
    policy = replace(policy_from_names(), max_backfill=0)
    made = say.plan(policy=policy, hosts=[say.host("h0")], jobs=jobs)
    assert made.actions == ()


def test_promised_room_is_for_its_holder_only(say: Any) -> None:
    promise = Reservation("2", (say.slot("h0:0,1,2,3"),), say.now_s - 10, say.now_s + 100)
    jobs = [
        say.running("1", "h0:0,1", state=JobState.PREEMPTING),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1)),
    ]
    waiting = say.plan(hosts=[say.host("h0")], jobs=jobs, reservations=[promise])
    assert waiting.actions == ()
    assert [(kept.holder, kept.slots) for kept in waiting.reservations] == [("2", promise.slots)]
    assert waiting.reason_for("2").reason is Reason.WAITS_FOR_PREEMPTION
    assert waiting.reason_for("2").blocked_by == ("1",)
    assert waiting.reason_for("3").reason is Reason.RESERVED
    assert waiting.reason_for("3").blocked_by == ("2",)
    free = say.plan(hosts=[say.host("h0")], jobs=jobs[1:], reservations=[promise])
    assert started(say, free) == {"2": promise.slots}
    assert free.reservations == ()


def test_a_promise_that_expired_holds_nobody_up(say: Any) -> None:
    promise = Reservation("2", (say.slot("h0:0,1,2,3"),), 0.0, say.now_s)
    jobs = [
        say.running("1", "h0:0,1", state=JobState.PREEMPTING),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1)),
    ]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs, reservations=[promise])
    assert list(started(say, made)) == ["3"]
    assert made.reservations == ()


def test_promises_on_hosts_that_take_no_work_and_of_jobs_that_are_gone_are_dropped(say: Any) -> None:
    promises = [
        Reservation("2", (say.slot("h0:0"),), 0.0, say.now_s + 100),
        Reservation("9", (say.slot("h1:0"),), 0.0, say.now_s + 100),
        Reservation("3", (say.slot("unknown:7"),), 0.0, say.now_s + 100),
    ]
    hosts = [say.host("h0", state=HostState.CORDONED), say.host("h1", 1)]
    jobs = [say.waiting("2", say.gpus(), not_before_s=say.now_s + 5), say.waiting("3", say.gpus())]
    made = say.plan(hosts=hosts, jobs=jobs, reservations=promises)
    assert made.reservations == ()
    assert started(say, made) == {"3": (say.slot("h1:0"),)}


def test_a_job_that_was_promised_room_starts_elsewhere_when_that_is_free_sooner(say: Any) -> None:
    promise = Reservation("2", (say.slot("h0:0"),), 0.0, say.now_s + 100)
    jobs = [say.running("1", "h0:0", state=JobState.PREEMPTING), say.waiting("2", say.gpus())]
    made = say.plan(hosts=[say.host("h0", 1), say.host("h1", 1)], jobs=jobs, reservations=[promise])
    assert started(say, made) == {"2": (say.slot("h1:0"),)}
    assert made.reservations == ()


def test_a_promise_stays_where_it_was_made(say: Any) -> None:
    promise = Reservation("3", (say.slot("h1:0"),), 0.0, say.now_s + 100)
    leaving = [say.running(str(n), f"h{n}:0", state=JobState.PREEMPTING) for n in range(2)]
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    made = say.plan(hosts=hosts, jobs=[*leaving, say.waiting("3", say.gpus())], reservations=[promise])
    assert made.reservations == (promise,)


def test_room_being_freed_is_promised_in_queue_order_and_used_by_nobody(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0", state=JobState.PREEMPTING),
        say.waiting("2", say.gpus()),
        say.waiting("3", say.gpus()),
    ]
    made = say.plan(hosts=[say.host("h0", 1)], jobs=jobs)
    assert made.actions == ()
    assert [promise.holder for promise in made.reservations] == ["2"]
    assert made.reservations[0].expires_s == say.now_s + policy_from_names().reservation_s


def test_room_held_for_a_peak_is_kept_free_of_new_training(say: Any) -> None:
    world = {"hosts": [say.host("h0", 2)], "models": [say.model("chat")]}
    demand = say.demand(chat=(0, 0, 1))
    demand = replace(demand, models=(replace(demand.models[0], peak_at_s=say.now_s + 3600),))
    made = say.plan(demand, jobs=[say.waiting("1", say.gpus()), say.waiting("2", say.gpus())], **world)
    assert list(started(say, made)) == ["1"]
    why = made.reason_for("2")
    assert (why.reason, why.blocked_by, why.until_s) == (Reason.HELD_FOR_SERVING, ("chat",), say.now_s + 3600)
    assert made.reservations == ()


def test_backing_off_held_and_impossible_jobs_say_so(say: Any) -> None:
    jobs = [
        say.waiting("1", say.gpus(), not_before_s=say.now_s + 30),
        say.waiting("2", say.gpus(), state=JobState.HELD),
        say.waiting("3", say.gpus(8)),
        say.waiting("4", say.gpus(1, gpu_models=frozenset({"H100"}))),
    ]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    assert made.actions == ()
    assert [(why.subject, why.reason) for why in made.unplaced] == [
        ("1", Reason.BACKING_OFF),
        ("3", Reason.IMPOSSIBLE_GANG),
        ("4", Reason.NO_HOST_MATCHES),
        ("2", Reason.HELD_BY_OWNER),
    ]
    assert made.unplaced[0].until_s == say.now_s + 30


def test_jobs_whose_owner_wants_them_ended_are_stopped_once(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0", stop_asked=True),
        say.running("2", "h0:1", stop_asked=True, state=JobState.PREEMPTING),
    ]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    assert [(order.job_id, order.attempt, order.cause) for order in say.of(made, PreemptJob)] == [
        ("1", 1, Cause.STOP_ASKED)
    ]


def test_jobs_leave_a_draining_host_and_start_elsewhere(say: Any, draining: Any) -> None:
    job = say.running("1", "h0:0")
    made = say.plan(hosts=[draining("h0"), say.host("h1")], jobs=[job])
    assert [(order.job_id, order.cause) for order in made.actions] == [("1", Cause.DRAIN)]
    gone = replace(job, state=JobState.PREEMPTED, slots=())
    (start,) = say.plan(hosts=[draining("h0"), say.host("h1")], jobs=[gone]).actions
    assert (start.attempt, start.slots) == (2, (say.slot("h1:0"),))


def test_jobs_that_end_before_their_host_must_be_empty_are_left_alone(say: Any, draining: Any) -> None:
    job = say.running("1", "h0:0", ends_in_time=True)
    assert say.plan(hosts=[draining("h0")], jobs=[job]).actions == ()


def test_the_scarce_resource_is_named(say: Any) -> None:
    small = [say.host("h0", cores=4)]
    cpu = say.plan(hosts=small, jobs=[say.running("1", "h0", shape=Shape(3000, 0)), say.waiting("2", Shape(2000, 0))])
    why = cpu.reason_for("2")
    assert (why.reason, why.asked, why.free, why.blocked_by) == (Reason.INSUFFICIENT_CPU, 2, 1, ("1",))
    memory = Shape(0, 200 * 1024)
    full = say.plan(hosts=small, jobs=[say.running("1", "h0", shape=memory), say.waiting("2", memory)])
    assert full.reason_for("2").reason is Reason.INSUFFICIENT_MEMORY
    assert full.reason_for("2").free == 56 * 1024


def test_a_job_that_waits_for_running_jobs_says_until_when_at_the_latest(say: Any) -> None:
    jobs = [say.running("1", "h0:0,1,2,3", max_runtime_s=12_000.0), say.waiting("2", say.gpus(4))]
    why = say.plan(hosts=[say.host("h0")], jobs=jobs).reason_for("2")
    assert (why.asked, why.free, why.until_s) == (4, 0, 12_000.0)
    assert why.message == "needs 4 GPUs on one host; no host has any free; booked for when 1 ends"


def test_no_room_is_held_where_a_model_may_have_no_more(say: Any) -> None:
    made = say.plan(
        say.demand(chat=(1, 1, 2)),
        hosts=[say.host("h0", 2)],
        jobs=[say.waiting("1", say.gpus())],
        models=[say.model("chat", max_per_host=1)],
        replicas=[say.replica("chat", 0, "h0:0")],
    )
    assert list(started(say, made)) == ["1"]
