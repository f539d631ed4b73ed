"""No gang runs in part: what is let in together, what is given up, and how an attempt is shown meanwhile."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.backends.kubernetes.amounts import Amounts
from scheduler.backends.kubernetes.asking import Aside, Asking
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.kinds import BY_NAME, End, Ending
from scheduler.backends.kubernetes.marks import GATE, OBJECT, Marks
from scheduler.backends.kubernetes.nodes import Node, Taint
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.room import Room
from scheduler.backends.kubernetes.rules import rules_of
from scheduler.backends.kubernetes.running import Attempt, run_of
from scheduler.backends.kubernetes.ushering import GiveUp, LetIn, Patience, Phase, Standing, standing, step
from scheduler.model.observation import RunState
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

GPU = "amd.com/gpu"
NOW_S = 1000.0
PATIENCE = Patience(60.0, 600.0, 30.0, 900.0)
WORKER = Amounts(1000, 512, 0, ((GPU, 2),))


def node(name: str, gpus: int = 4, **more: Any) -> Node:
    return Node(name, 1, Amounts(8000, 16384, 100, ((GPU, gpus),)), labels={"kubernetes.io/hostname": name}, **more)


NODES = {name: node(name) for name in ("a", "b", "c")}


def thing(workers: int, **more: Any) -> TrainingObject:
    asking = Asking(WORKER, Amounts(), (), workers, workers, workers, "worker", GPU, (), (), (), 30.0, workers)
    return TrainingObject("ml/train", 1, BY_NAME["Job"], "u-1", "ml", "train", 1, False, asking=asking, **more)  # noqa: FBT003


def pod(name: str, **more: Any) -> Pod:
    return Pod(f"ml/{name}", 1, name, "ml", name, WORKER, labels={OBJECT: "u-1"}, **more)


def attempt(slots: tuple[Slot, ...], *pods: Pod, **more: Any) -> Attempt:
    marks = Marks(JobId("17"), 1, slots, "me", NOW_S)
    return Attempt(thing(len(slots), **more), marks, pods)


def room(one: Attempt, *others: Pod, nodes: Any = None, now_s: float = NOW_S) -> Room:
    index = PodIndex()
    index.update({each.key: each for each in (*one.pods, *others)})
    return Room(nodes or NODES, index, (one,), now_s)


def foreign(name: str, host: str, gpus: int) -> Pod:
    return Pod(f"x/{name}", 1, name, "x", name, Amounts(1000, 512, 0, ((GPU, gpus),)), node=host, phase="Running")


SLOTS = (Slot("a", (0, 1)), Slot("a", (2, 3)), Slot("b", (0, 1)))


def gated(count: int, start: int = 0) -> list[Pod]:
    index = "batch.kubernetes.io/job-completion-index"
    return [
        replace(pod(f"p{at}", gates=(GATE,)), labels={OBJECT: "u-1", index: str(at)})
        for at in range(start, start + count)
    ]


def test_pods_wait_until_all_are_there_and_then_go_in_in_the_order_of_their_ranks() -> None:
    one = attempt(SLOTS, *gated(2))
    assert step(one, Standing(Phase.GATHERS, NOW_S), room(one), PATIENCE) is None
    whole = attempt(SLOTS, *reversed(gated(3)))
    done = step(whole, Standing(Phase.GATHERS, NOW_S), room(whole), PATIENCE)
    assert isinstance(done, LetIn)
    assert [(each.name, host) for each, host in done.pods] == [("p0", "a"), ("p1", "a"), ("p2", "b")]


def test_who_takes_the_room_between_check_and_gate_ends_the_start() -> None:
    one = attempt(SLOTS, *gated(3))
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, foreign("f", "b", 3)), PATIENCE)
    assert done == GiveUp("could not be started: host b has no room for 2 amd.com/gpu: 1 free")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (node("b", is_unschedulable=True), "host b takes no new work: cordoned on the cluster itself"),
        (node("b", is_ready=False, why="silent", ready_since_s=NOW_S), "host b takes no new work: not ready: silent"),
        (node("b", pods=0), "host b has no room for 1 more pod: it may have 0"),
        (None, "there is no host b"),
    ],
)
def test_a_host_that_takes_nothing_ends_the_start(other: Node | None, why: str) -> None:
    nodes = {**NODES, "b": other} if other else {"a": NODES["a"]}
    one = attempt(SLOTS, *gated(3))
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, nodes=nodes), PATIENCE)
    assert done == GiveUp(f"could not be started: {why}")


def test_a_gang_of_which_a_pod_never_comes_is_given_up_after_a_while() -> None:
    one = attempt(SLOTS, *gated(2))
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, now_s=NOW_S + 60.0), PATIENCE)
    assert done == GiveUp("could not be started: 2 of its 3 pods were there within 60 s")


def test_pods_that_are_not_bound_in_time_are_given_up_with_what_the_scheduler_says() -> None:
    pods = [pod("p0", node="a"), pod("p1", node="a"), pod("p2", unscheduled="0/3 nodes are available")]
    one = attempt(SLOTS, *pods)
    at = standing(one, None, NOW_S)
    assert at == Standing(Phase.BINDS, NOW_S)
    assert step(one, at, room(one), PATIENCE) is None
    done = step(one, at, room(one, now_s=NOW_S + 30.0), PATIENCE)
    assert done == GiveUp(
        "could not be started: not all of its pods were bound within 30 s; p2: 0/3 nodes are available"
    )


def test_a_gang_that_does_not_come_up_is_given_up_and_one_that_was_up_is_not() -> None:
    one = attempt(SLOTS, *(pod(f"p{at}", node="a", trouble="c: ImagePullBackOff") for at in range(3)))
    at = standing(one, Standing(Phase.BINDS, 0.0), NOW_S)
    late = room(one, now_s=NOW_S + 900.0)
    done = step(one, at, late, PATIENCE)
    assert done == GiveUp("could not be started: it did not come up within 900 s; p0: c: ImagePullBackOff")
    assert step(one, replace(at, was_up=True), late, PATIENCE) is None


def running(name: str, host: str) -> Pod:
    return pod(name, node=host, phase="Running")


def test_a_pod_in_place_of_another_goes_to_the_slot_that_is_free_once_the_other_is_gone() -> None:
    first, second, new = running("p0", "a"), running("p2", "b"), gated(1, start=9)[0]
    going = replace(running("p1", "a"), is_going=True)
    at = Standing(Phase.GATHERS, NOW_S, was_up=True)
    one = attempt(SLOTS, first, going, second, new)
    assert step(one, at, room(one), PATIENCE) is None, "two would write to one checkpoint"
    one = attempt(SLOTS, first, second, new)
    assert step(one, at, room(one), PATIENCE) == LetIn(((new, "a"),))
    one = attempt(SLOTS, first, going, second, new)
    done = step(one, at, room(one, now_s=NOW_S + 600.0), PATIENCE)
    assert done == GiveUp("lost: pods of it still end on a")


def test_pods_that_have_succeeded_are_not_waited_for() -> None:
    one = replace(attempt(SLOTS, running("p0", "a")), done=2)
    assert one.is_up
    assert standing(one, None, NOW_S).phase is Phase.RUNS


def test_the_head_goes_to_the_host_of_the_first_worker() -> None:
    head = replace(gated(1)[0], labels={OBJECT: "u-1", "ray.io/node-type": "head"}, requests=Amounts(500, 100))
    workers = [replace(each, labels={OBJECT: "u-1", "ray.io/group": "worker"}) for each in gated(3, start=1)]
    one = attempt(SLOTS, head, *workers)
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one), PATIENCE)
    assert isinstance(done, LetIn)
    assert [(each.name, host) for each, host in done.pods] == [("p0", "a"), ("p1", "a"), ("p2", "a"), ("p3", "b")]


def test_a_head_by_rules_of_its_own_goes_where_devices_are_not_and_without_a_place_the_start_ends() -> None:
    (rule,) = rules_of({})
    head = replace(gated(1)[0], labels={OBJECT: "u-1", "ray.io/node-type": "head"}, requests=Amounts(500, 100))
    workers = [replace(each, labels={OBJECT: "u-1", "ray.io/group": "worker"}) for each in gated(3, start=1)]
    one = attempt(SLOTS, head, *workers)
    assert one.seen.asking is not None
    asking = replace(one.seen.asking, asides=(Aside("head", Amounts(500, 100), (rule,)),))
    one = replace(one, seen=replace(one.seen, asking=asking))
    cpus = Node("z", 1, Amounts(1000, 1000), labels={"kubernetes.io/hostname": "z"})
    tainted = {name: node(name, taints=(Taint("dedicated", "", "NoSchedule"),)) for name in ("a", "b", "c")}
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, nodes={**tainted, "z": cpus}), PATIENCE)
    assert isinstance(done, LetIn)
    assert [host for _, host in done.pods] == ["z", "a", "a", "b"]
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, nodes=tainted), PATIENCE)
    assert done == GiveUp("could not be started: no host that suits its head has room for 0.5 cores and 100 MiB")


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (attempt(SLOTS, *gated(3)), RunState.STARTING),
        (attempt(SLOTS, running("p0", "a"), running("p1", "a")), RunState.STARTING),
        (attempt(SLOTS, running("p0", "a"), running("p1", "a"), running("p2", "b")), RunState.RUNNING),
        (attempt(SLOTS, running("p0", "a"), is_quiet=True), RunState.STARTING),
        (attempt(SLOTS, ending=Ending(End.DONE)), RunState.SUCCEEDED),
        (attempt(SLOTS, ending=Ending(End.FAILED, "BackoffLimitExceeded")), RunState.FAILED),
        (attempt(SLOTS, running("p0", "a"), ending=Ending(End.DONE)), RunState.RUNNING),
        (attempt(SLOTS, running("p0", "a"), is_going=True), RunState.STOPPING),
    ],
)
def test_an_attempt_is_shown_as_it_is(one: Attempt, state: RunState) -> None:
    run = run_of(one, None, NOW_S + 5)
    assert (run.state, run.slots, run.started_at_s) == (state, SLOTS, NOW_S)
    assert (run.ended_at_s is None) is state.holds_room
    assert run_of(one, run, NOW_S + 99) is run, "nothing has changed"


@pytest.mark.parametrize(
    ("gave_up", "state"),
    [
        ("", RunState.STOPPED),
        ("could not be started: no room", RunState.NOT_STARTED),
        ("lost: a host went", RunState.LOST),
    ],
)
def test_what_is_suspended_is_over_when_its_pods_are_gone_and_its_controller_says_so(
    gave_up: str, state: RunState
) -> None:
    said = {"headroom/gave-up": gave_up} if gave_up else {}
    pods = running("p0", "a")
    going = attempt(SLOTS, pods, annotations=said, is_quiet=True)
    going = replace(going, seen=replace(going.seen, is_suspended=True))
    assert run_of(going, None, NOW_S).state is RunState.STOPPING
    loud = replace(going, pods=(), seen=replace(going.seen, is_quiet=False))
    assert run_of(loud, None, NOW_S).state is RunState.STOPPING, "its status does not know of it yet"
    over = run_of(replace(going, pods=()), None, NOW_S + 7)
    assert (over.state, over.message, over.ended_at_s) == (state, gave_up, NOW_S + 7)


def test_a_checkpoint_of_another_attempt_is_not_this_ones() -> None:
    said = {"headroom/progress": '{"attempt": 1, "step": 20, "total_steps": null, "saved_at": "2026-11-30T00:00:00Z"}'}
    one = attempt(SLOTS, annotations=said)
    progress = run_of(one, None, NOW_S).progress
    assert progress is not None
    assert (progress.step, progress.total_steps) == (20, None)
    other = replace(one, marks=replace(one.marks, attempt=2))
    assert run_of(other, None, NOW_S).progress is None
    wrong = replace(one, seen=replace(one.seen, annotations={"headroom/progress": "[]"}))
    assert run_of(wrong, None, NOW_S).progress is None


hosts = st.sampled_from(["a", "b", "c"])
states = st.sampled_from(["missing", "gated", "bound", "going"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(hosts, states), min_size=1, max_size=6), st.lists(st.tuples(hosts, st.integers(0, 4))))
def test_whoever_is_let_in_makes_the_gang_whole_and_fits_beside_all_others(
    workers: list[tuple[str, str]], others: list[tuple[str, int]]
) -> None:
    slots, pods = tuple(Slot(host, ()) for host, _ in workers), []
    for at, (host, state) in enumerate(workers):
        name = f"p{at}"
        if state == "gated":
            pods.append(pod(name, gates=(GATE,)))
        elif state != "missing":
            pods.append(replace(running(name, host), is_going=state == "going"))
    strangers = [foreign(f"f{at}", host, gpus) for at, (host, gpus) in enumerate(others)]
    one = attempt(slots, *pods)
    done = step(one, Standing(Phase.GATHERS, NOW_S), room(one, *strangers), PATIENCE)
    if not isinstance(done, LetIn):
        return
    let_in = {each.uid: host for each, host in done.pods}
    whole = [let_in.get(each.uid, each.node) for each in pods]
    assert len(whole) == len(slots)
    assert all(whole)
    assert sorted(whole) == sorted(slot.host for slot in slots), "each in a slot of its own"
    for host in NODES:
        taken = sum(gpus for where, gpus in others if where == host) + 2 * whole.count(host)
        assert taken <= 4 or host not in whole
