"""Which replicas are wanted, and which of them Serve shows."""

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.backends.ray.replicas import Wanted, complaints, seen, states_by_app, stopped
from scheduler.model.workloads import ReplicaState


def wanted(number: int, *, host: str = "h", stopped_wall_s: float | None = None) -> Wanted:
    return Wanted(f"m@{host}-{number}", "m", host, (number,), float(number), stopped_wall_s)


def details(states: dict[str, list[str]], status: str = "RUNNING", message: str = "") -> dict[str, Any]:
    return {
        "applications": {
            app: {
                "status": status,
                "message": message,
                "deployments": {"Model": {"replicas": [{"state": state} for state in each]}},
            }
            for app, each in states.items()
        }
    }


def states(replicas: object) -> list[str]:
    return [replica.state.value for replica in replicas]


def test_it_survives_json() -> None:
    one = wanted(3, stopped_wall_s=5.0)
    assert Wanted.of(json.loads(json.dumps(one.as_json()))) == one


def test_the_oldest_are_ready_first() -> None:
    shown = seen([wanted(2), wanted(1)], {"m@h": Counter(RUNNING=1, STARTING=1)})
    assert [(r.slot.devices, r.state.value) for r in shown] == [((1,), "ready"), ((2,), "starting")]


def test_before_serve_has_heard_of_them_they_start() -> None:
    assert states(seen([wanted(1), wanted(2)], {})) == ["starting", "starting"]


def test_one_that_was_stopped_holds_its_room_until_serve_has_let_it_go() -> None:
    both = [wanted(1, stopped_wall_s=1.0), wanted(2)]
    assert states(seen(both, {"m@h": Counter(RUNNING=2)})) == ["stopping", "ready"]
    assert states(seen(both, {"m@h": Counter(RUNNING=1, STOPPING=1)})) == ["stopping", "ready"]
    assert states(seen(both, {"m@h": Counter(RUNNING=1)})) == ["ready"]


def test_hosts_are_counted_apart() -> None:
    shown = seen([wanted(1), wanted(2, host="g")], {"m@g": Counter(RUNNING=1)})
    assert [(r.slot.host, r.state.value) for r in shown] == [("g", "ready"), ("h", "starting")]


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_as_many_are_ready_as_run_and_none_is_invented(
    live: int, going: int, running: int, starting: int, stopping: int
) -> None:
    asked = [wanted(n) for n in range(live)] + [wanted(n + 10, stopped_wall_s=1.0) for n in range(going)]
    shown = seen(asked, {"m@h": Counter(RUNNING=running, STARTING=starting, STOPPING=stopping)})
    kinds = Counter(replica.state for replica in shown)
    assert kinds[ReplicaState.READY] == min(live, running)
    assert kinds[ReplicaState.READY] + kinds[ReplicaState.STARTING] == live
    assert kinds[ReplicaState.STOPPING] <= going
    assert len({replica.replica_id for replica in shown}) == len(shown)


def test_stopping_marks_one_once() -> None:
    once = stopped([wanted(1), wanted(2)], "m@h-1", wall_s=7.0, now_s=70.0)
    assert [(w.stopped_wall_s, w.since_s) for w in once] == [(7.0, 70.0), (None, 2.0)]
    assert stopped(once, "m@h-1", wall_s=9.0, now_s=90.0) == once
    assert stopped(once, "m@h-404", wall_s=9.0, now_s=90.0) == once


def test_stopped_replicas_of_serve_hold_nothing() -> None:
    assert states_by_app(details({"m@h": ["RUNNING", "STOPPED", "STOPPING"]})) == {
        "m@h": Counter(RUNNING=1, STOPPING=1)
    }


def test_what_serve_says_of_a_broken_application_is_passed_on_by_its_last_line() -> None:
    trace = "Traceback (most recent call last):\n  ...\nRuntimeError: weights are missing\n"
    assert complaints(details({"m@h": []}, "DEPLOY_FAILED", trace)) == (
        "m@h is deploy failed: RuntimeError: weights are missing",
    )
    assert complaints(details({"m@h": []}, "UNHEALTHY")) == ("m@h is unhealthy: Serve gives no reason",)
    assert complaints(details({"m@h": []}, "DEPLOYING", trace)) == ()


def test_a_deployment_s_own_words_come_first() -> None:
    shown = details({"m@h": []}, "DEPLOY_FAILED", "Failed to update the deployments ['Model'].")
    deployment = {"status": "DEPLOY_FAILED", "message": "It failed 3 times.\nKeyError: 'weights'"}
    shown["applications"]["m@h"]["deployments"]["Model"] |= deployment
    assert complaints(shown) == ("m@h is deploy failed: KeyError: 'weights'",)


def test_replicas_of_an_application_that_is_being_deleted_hold_their_room_until_it_is_gone() -> None:
    leaving = {"applications": {"m@h": {"status": "DELETING", "deployments": {}}}}
    asked = [wanted(1, stopped_wall_s=5.0), wanted(2, stopped_wall_s=5.0)]
    assert states(seen(asked, states_by_app(leaving))) == ["stopping", "stopping"]
    assert seen(asked, states_by_app({"applications": {}})) == ()
