"""Training from kubectl, with the whole control plane on the double: started whole, told why, never in part."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.backends.kubernetes import hosts, reflector
from scheduler.backends.kubernetes.usher import Usher
from scheduler.model.errors import Unreachable
from scheduler.model.hosts import HostState
from scheduler.model.workloads import JobState
from simulations.kubernetes import manifests
from simulations.kubernetes.actors import nodes
from tests.kubernetes.rights import let_schedule
from tests.kubernetes.sited import GPU, Site, four, is_ours, opened, where


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A cluster with a control plane."""
    with opened(tmp_path, monkeypatch) as made:
        yield made


def test_a_job_waits_with_a_reason_starts_whole_gives_way_and_goes_on(site: Site) -> None:
    site.give(manifests.ray_job("first", workers=2, devices={GPU: 4}))
    site.until(site.is_in("first", JobState.RUNNING))
    assert [host for phase, host in site.pods().values() if host.startswith("gpu")].count("gpu-a") >= 1
    site.give(four("second", workers=1))
    site.until(site.is_in("second", JobState.PENDING))
    site.turn()
    assert "no host has any free" in site.why("second")
    site.until(lambda: site.said("jobs", "second").startswith("InsufficientDevices: job 2: needs 4 GPUs"))
    site.rest.delete(f"{where('jobs')}/second", propagationPolicy="Background")
    site.give(four("urgent"), priority="urgent")
    site.until(site.is_in("urgent", JobState.RUNNING))
    assert site.job("first").state is JobState.PREEMPTED
    assert site.object("rayjobs", "first")["spec"]["suspend"] is True
    site.rest.delete(f"{where('jobs')}/urgent", propagationPolicy="Background")
    site.until(site.is_in("first", JobState.RUNNING))
    assert site.job("first").attempts[-1].number == 2
    site.until(lambda: site.said("rayjobs", "first").startswith("Running: job 1 on gpu-a"))
    site.until(lambda: {"Running", "Preempting"} <= set(site.events("first")))
    assert site.job("urgent").state is JobState.STOPPED


def test_a_job_that_is_deleted_while_it_runs_is_over_and_its_room_is_free(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.give(four("second"))
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.until(site.is_in("second", JobState.RUNNING))
    assert site.job("first").state is JobState.STOPPED


def test_pods_that_outlive_their_job_keep_their_room_and_are_told(site: Site) -> None:
    site.give(four("first", workers=1))
    site.until(site.is_in("first", JobState.RUNNING))
    (pod,) = site.pods()
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Orphan")
    site.until(site.is_in("first", JobState.STOPPED))
    site.until(lambda: site.plane.cluster.observe().faults)
    seen = site.plane.cluster.observe()
    assert seen.faults[0].startswith(f"pod ml/{pod} runs on though its job was deleted, and keeps its room")
    assert [held[1].gpu_count for held in seen.occupied] == [4]


def test_a_job_that_is_edited_while_it_waits_starts_as_it_is_then(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.give(four("second"))
    site.until(site.is_in("second", JobState.PENDING))
    site.patch("jobs", "second", {"spec": {"parallelism": 1, "completions": 1}})
    site.until(lambda: site.job("second").spec.gang.workers == 1)
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.until(site.is_in("second", JobState.RUNNING))
    assert len(site.job("second").attempts[-1].slots) == 1


def apply_again(site: Site) -> None:
    """Apply the object as a GitOps tool does, by force."""
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "first"}, "spec": {"suspend": True}}
    site.rest.patch(f"{where('jobs')}/first", body, "apply", fieldManager="gitops", force="true")


def suspend_by_hand(site: Site) -> None:
    """Suspend it, as `kubectl patch` does."""
    site.patch("jobs", "first", {"spec": {"suspend": True}})


@pytest.mark.parametrize(
    ("stop", "who"),
    [
        (suspend_by_hand, ": suspended by headroom-double"),
        (apply_again, ": suspended by gitops, which applies it: it should leave suspend out"),
    ],
)
def test_a_job_that_others_suspend_is_held_and_told_and_goes_on_when_somebody_says_so(
    site: Site, stop: Callable[[Site], None], who: str
) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    stop(site)
    site.until(site.is_in("first", JobState.HELD))
    assert site.job("first").hold_reason == f"attempt 1 was stopped on the cluster itself, not by Headroom{who}"
    for _ in range(5):
        site.turn()
    assert site.object("jobs", "first")["spec"]["suspend"] is True, "it is not fought"
    site.plane.service.resume(site.job("first").job_id)
    site.until(site.is_in("first", JobState.RUNNING))


def test_a_hold_on_the_cluster_ends_there(site: Site) -> None:
    site.give(four("first"), headroom_hold="until the data is there")
    site.until(site.is_in("first", JobState.HELD))
    site.patch("jobs", "first", {"metadata": {"annotations": {"headroom/hold": None}}})
    site.until(site.is_in("first", JobState.RUNNING))


def test_what_cannot_be_taken_says_so_on_itself(site: Site) -> None:
    site.give(four("first", workers=1, nodeSelector={"rack": "9"}))
    site.until(lambda: site.said("jobs", "first").startswith("Refused: no host has"))
    site.until(lambda: site.events("first") == ["Refused"])


def test_two_of_one_name_after_each_other_are_two_jobs(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    before = site.job("first").job_id
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.give(four("first"))
    site.until(lambda: site.job("first").job_id != before and site.is_in("first", JobState.RUNNING)())
    assert site.plane.store.job(before).state is JobState.STOPPED


def test_a_gang_of_which_the_quota_refuses_a_pod_is_given_up_whole_and_tried_again(site: Site) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "ml"}}
    site.rest.create({**quota, "spec": {"hard": {"pods": "1"}}})
    site.give(four("first"))
    site.until(lambda: site.is_in("first", JobState.PENDING)() and site.job("first").attempts)
    said = site.job("first").attempts[0].message
    assert "could not be started: 1 of its 2 pods were there within 4 s" in said
    assert "exceeded quota" in said
    assert not any(phase == "Running" for phase, _ in site.pods().values())
    site.rest.patch("/api/v1/namespaces/ml/resourcequotas/q", {"spec": {"hard": {"pods": "9"}}})
    site.until(site.is_in("first", JobState.RUNNING))


def test_who_takes_the_host_between_the_check_and_the_binding_ends_the_start_and_nothing_is_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in = Usher._do
    taken: list[str] = []

    def late(usher: Usher, attempt: Any, what: Any, caches: Any) -> None:
        if what is not None and not taken:
            body = manifests.pod("foreign", devices={GPU: 1}, nodeName="gpu-b")
            site.rest.create(body | {"metadata": {"name": "foreign", "namespace": "ml"}})
            taken.append("gpu-b")
        let_in(usher, attempt, what, caches)

    monkeypatch.setattr(Usher, "_do", late)
    site.give(four("first"))
    site.until(lambda: taken and site.job("first").attempts and not site.job("first").attempts[0].is_open)
    assert "could not be started: not all of its pods were bound within 4 s" in site.job("first").attempts[0].message
    assert list(site.pods()) == ["foreign"]
    site.rest.delete("/api/v1/namespaces/ml/pods/foreign")
    site.until(site.is_in("first", JobState.RUNNING))


def test_a_gang_whose_host_goes_is_stopped_whole_and_goes_on_when_its_last_pod_is_known_to_be_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "PATIENCE_S", 1.0)
    monkeypatch.setattr(nodes, "SILENT_FOR_S", 1.0)
    site.cast.kubelets.heartbeats = True
    site.rest.create(manifests.namespace("kube-node-lease"))
    site.give(four("first", workers=1))
    site.until(site.is_in("first", JobState.RUNNING))
    (lost,) = [slot.host for slot in site.job("first").attempts[-1].slots]
    site.cast.kubelets.lost.add(lost)
    site.until(lambda: {h.name: h.state for h in site.plane.cluster.observe().hosts}[lost] is HostState.LOST)
    site.until(site.is_in("first", JobState.HELD))
    assert f"pods of it still end on {lost}, which is away" in site.job("first").hold_reason
    assert len(site.pods()) == 1, "the other one may still write to its checkpoint"
    site.cast.kubelets.lost.discard(lost)
    site.until(site.is_in("first", JobState.RUNNING))
    assert len(site.pods()) == 1


def test_a_control_plane_that_dies_starts_nothing_twice(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Usher, "look", lambda _: None)
        site.give(four("first"))
        site.until(site.is_in("first", JobState.ADMITTED))
        site.stage.settle()
        assert {phase for phase, _ in site.pods().values()} == {"Pending"}
        site.close()
    site.open()
    site.until(site.is_in("first", JobState.RUNNING))
    assert len(site.pods()) == 2
    assert [attempt.number for attempt in site.job("first").attempts] == [1]


def test_where_pods_may_not_be_let_in_a_gang_is_given_up_with_the_reason_and_others_start(site: Site) -> None:
    site.rest.create(manifests.namespace("closed"))
    let_schedule(site.rest, "closed")
    site.api.faults.forbidden = lambda request: (
        is_ours(request) and request.method == "PATCH" and "/closed/pods/" in request.path
    )
    body = four("first", workers=1)
    body["metadata"] |= {"namespace": "closed", "labels": {"headroom/queue": "default"}}
    site.rest.create(body)
    site.until(site.is_in("first", JobState.ADMITTED))
    site.give(four("second", workers=1))
    site.until(site.is_in("second", JobState.RUNNING))
    site.until(lambda: not site.job("first").attempts[0].is_open)
    said = site.job("first").attempts[0].message
    assert said.startswith("could not be started: its pods could not be let in within 8 s")
    assert "is forbidden" in said
    assert not site.rest.list("/api/v1/namespaces/closed/pods")


def test_a_watch_that_is_silent_for_too_long_is_begun_anew(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "SILENT_S", 0.3)
    site.close()
    site.open()
    site.api.faults.silent_watches = True
    site.give(four("first"))
    for _ in range(3):
        site.turn()
    site.api.faults.silent_watches = False
    site.until(site.is_in("first", JobState.RUNNING))


def test_while_the_api_is_away_nothing_is_decided_and_nothing_is_doubled_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "BROKEN_S", 0.1)
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.take_away()
    site.until(lambda: not site.knows())
    with pytest.raises(Unreachable, match="is not known"):
        site.plane.cycle.turn()
    site.bring_back()
    site.give(four("second"))
    site.until(site.knows)
    site.until(site.is_in("second", JobState.PENDING))
    assert len(site.pods()) == 2
    assert site.job("first").state is JobState.RUNNING
