"""What our store did not start is told from what it did, with the room it takes, whatever it is called."""

from typing import Any

import pytest

from scheduler.backends.ray.applications import router_name
from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.backends.ray.names import Names, RunLabel, run_name
from scheduler.backends.ray.replicas import app_name
from scheduler.backends.ray.strangers import foreign_apps, router_of, strays_of, with_devices
from scheduler.model.observation import StrayKind
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobId

OURS, THEIRS = "a" * 36, "b" * 36
GIB = 2**30


@pytest.fixture
def fleet() -> Fleet:
    """Hosts a and b with four devices each."""
    nodes = [
        {
            "NodeID": f"node-{name}",
            "Alive": True,
            "NodeManagerAddress": "127.0.0.1",
            "NodeManagerPort": 9,
            "Resources": {"CPU": 8.0, "GPU": 4.0},
            "Labels": {"host": name},
        }
        for name in "ab"
    ]
    return fleet_of(nodes, Fleet(), 0.0)


def group(name: str, *bundles: tuple[str, dict[str, float]]) -> dict[str, Any]:
    return {"name": name, "bundles": [(f"node-{host}", amounts) for host, amounts in bundles]}


def job(label: RunLabel | None, **fields: Any) -> tuple[RunLabel | None, dict[str, Any]]:
    return label, {"status": "RUNNING", "type": "SUBMISSION", **fields}


def test_a_run_of_another_store_is_known_with_its_job_its_slots_and_its_size(fleet: Fleet) -> None:
    label = RunLabel(JobId("4"), 2, (Slot("a", (1,)), Slot("b", (0,))), THEIRS)
    room = group(label.name, *((host, {"CPU": 2.0, "GPU": 1.0, "memory": 4.0 * GIB}) for host in "ab"))
    (stray,) = strays_of([room], [job(label)], {}, fleet, Names(OURS))
    assert (stray.name, stray.kind, stray.owner) == (label.name, StrayKind.RUN, THEIRS)
    assert (stray.job_id, stray.attempt) == ("4", 2)
    assert stray.held == tuple((slot, Shape(2000, 4096, 1)) for slot in label.slots)


def test_our_own_and_adopted_ones_are_no_strays(fleet: Fleet) -> None:
    unmarked = RunLabel(JobId("4"), 1, (Slot("a", (1,)),))
    names = Names(OURS, frozenset({unmarked.name}))
    assert names.owns(unmarked)
    assert names.run(JobId("4"), 1) == unmarked.name, "an adopted run keeps its name"
    assert names.run(JobId("4"), 2) == run_name(JobId("4"), 2, OURS)
    assert strays_of([group(unmarked.name), group(run_name(JobId("5"), 1, OURS))], [], {}, fleet, names) == ()


def test_unmarked_runs_submissions_of_others_and_bare_groups_are_strays_and_drivers_are_not(fleet: Fleet) -> None:
    unmarked = RunLabel(JobId("4"), 1, (Slot("a", (1,)),))
    seen = strays_of(
        [group("theirs", ("b", {"GPU": 2.0}))],
        [
            job(unmarked),
            job(None, submission_id="raysubmit_1"),
            job(None, type="DRIVER", submission_id=None),
            job(None, submission_id="over", status="SUCCEEDED"),
        ],
        {},
        fleet,
        Names(OURS),
    )
    assert [(one.name, one.kind.value, one.owner) for one in seen] == [
        ("headroom-4-1", "run", ""),
        ("raysubmit_1", "run", ""),
        ("theirs", "group", ""),
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"job_id": 1}', '{"job_id":"1","attempt":"x","slots":[]}'])
def test_metadata_that_only_looks_like_ours_is_read_as_nobodys(text: str) -> None:
    assert RunLabel.of({"headroom": text}) is None


def test_applications_are_told_by_their_mark(fleet: Fleet) -> None:
    replica = {"node_id": "node-a", "state": "RUNNING"}
    options = {"num_cpus": 2, "num_gpus": 0.5, "memory": 2.0 * GIB}
    theirs = {
        "status": "RUNNING",
        "deployments": {"M": {"deployment_config": {"ray_actor_options": options}, "replicas": [replica, replica]}},
    }
    details = {
        "applications": {
            app_name("m", "a", OURS): {"status": "RUNNING"},
            router_name(OURS): {"status": "RUNNING"},
            app_name("m", "a", THEIRS): theirs,
            "plain": {"status": "RUNNING", "deployments": {}},
            "going": {"status": "DELETING"},
        }
    }
    apps = foreign_apps(details, OURS, [])
    assert sorted(apps) == [app_name("m", "a", THEIRS), "plain"]
    first, second = strays_of([], [], apps, fleet, Names(OURS))
    assert (first.kind, first.owner, second.owner) == (StrayKind.APPLICATION, THEIRS[:8], "")
    assert first.held == ((Slot("a"), Shape(2000, 2048, 1, 500)),) * 2


def test_who_does_not_say_which_devices_it_has_is_given_the_last_that_nobody_else_has(fleet: Fleet) -> None:
    strays = strays_of(
        [group("g", ("a", {"GPU": 1.0}), ("a", {"GPU": 2.0}), ("b", {"GPU": 4.0}))], [], {}, fleet, Names(OURS)
    )
    (placed,) = with_devices(strays, [Slot("a", (3,)), Slot("b", (0, 1))], fleet)
    assert placed.held == (
        (Slot("a", (2,)), Shape(gpu_count=1)),
        (Slot("a", (0, 1)), Shape(gpu_count=2)),
        (Slot("b", (2, 3)), Shape(gpu_count=2)),
    ), "never more than there are"


def test_an_application_belongs_to_the_router_that_lists_it() -> None:
    wanted = [{"replica_id": "r", "model": "m", "host": "a", "devices": [0], "since_s": 0.0}]
    router = {"deployed_app_config": {"deployments": [{"name": "Router", "user_config": {"wanted": wanted}}]}}
    details = {"applications": {"headroom-router": router, "m@a": {}, "plain": {}}}
    assert router_of(details, "m@a") == "headroom-router"
    assert router_of(details, "headroom-router") == "headroom-router"
    assert router_of(details, "plain") is None
