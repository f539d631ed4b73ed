"""The seam of the contract suite: a harness around each `Cluster`, so that one set of tests can drive them all.

To have another Cluster tested, write a `Harness` and a fixture that yields it, and name the fixture in `CLUSTERS`.
"""

import itertools
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import pytest

from scheduler.backends.kubernetes.cluster import KubernetesCluster
from scheduler.backends.kubernetes.connection import Connection
from scheduler.backends.kubernetes.marks import Marks
from scheduler.backends.kubernetes.serving import Serving
from scheduler.backends.kubernetes.ushering import Patience
from scheduler.backends.ray import runs
from scheduler.backends.ray.applications import ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.local import LocalAddress
from scheduler.backends.ray.names import RunLabel
from scheduler.control.clocks import WallClock
from scheduler.control.leadership import Fence, SoleLease
from scheduler.control.ports import Cluster
from scheduler.control.settings import Declared, Workload
from scheduler.model.errors import NotFound
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Progress, RunState, Stray, StrayKind
from scheduler.model.plan import Cause, PreemptJob, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ServingModel
from simulations.engine import Engine
from simulations.kubernetes import manifests
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.api import Api
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client as direct_client
from simulations.work import Work
from simulations.world import World

CLUSTERS: Final = ("simulated", "scattering", "kubernetes", pytest.param("ray", marks=pytest.mark.ray))
MODEL: Final = ServingModel(
    "echo", Shape(cpu_milli=1000, memory_mib=512, gpu_count=1, gpu_milli=500), 1, 8, warm_up_s=5
)
Ending = Literal["long", "succeeds", "fails"]
JOB_S: Final[dict[Ending, float]] = {"long": 600.0, "succeeds": 1.5, "fails": 1.5}
"""Seconds a job takes by itself; both kinds of cluster keep to it within a second or two."""
GPU: Final = "amd.com/gpu"
JOBS = Path(__file__).parent / "jobs"


class Harness(ABC):
    """A cluster of three hosts, gpu-a and gpu-b with 4 devices, cpu-a with none; each 8 cores and 16 GiB.

    Attributes:
        cluster: under test.
        patience_s: the cluster's seconds that anything may take.
        shares_devices: whether replicas can have parts of a device; where not, those of `MODEL` take a whole one.
        revisions: two revisions of the model, for `declare`.
        places_replicas: whether a replica starts in the slot that was asked for; where not, that is a wish.
        revises: whether two revisions of a model can be had at once; where not, rollouts are the cluster's own.
        told_by_labels: labels of hosts by which the cluster tells where a model may go, beside the hosts' own.
        cordons: whether the cluster itself can give a host no new work.
    """

    cluster: Cluster
    patience_s = 60.0
    shares_devices = True
    places_replicas = True
    revises = True
    told_by_labels: tuple[tuple[str, str], ...] = ()
    cordons = False

    def cordon(self, host: str, reason: str) -> None:
        """Have the cluster itself give a host no new work; only where it `cordons`."""
        raise NotImplementedError

    @abstractmethod
    def job(self, gang: Gang, ending: Ending = "long", *, grace_period_s: float = 10.0) -> JobId:
        """Declare a job that saves a checkpoint every second or two; it is not started."""

    @abstractmethod
    def spoil(self, job_id: JobId) -> None:
        """Let the driver of a declared job never come up."""

    @abstractmethod
    def stop_by_hand(self, job_id: JobId) -> None:
        """Stop the first attempt of a job as somebody would who goes past the control plane."""

    @abstractmethod
    def silence(self, host: str) -> None:
        """Let nothing more be heard of a host, on which all goes on."""

    @abstractmethod
    def end_silence(self, host: str) -> None:
        """Let the host be heard again."""

    @abstractmethod
    def pause(self) -> None:
        """Let a moment pass."""

    @abstractmethod
    def now_s(self) -> float:
        """Return the cluster's time."""

    @abstractmethod
    def settle(self, job_id: JobId, slot: Slot, owner: str) -> None:
        """Let a run be there that says it is attempt 1 of a job of one worker, with the mark of an owner or none."""

    @abstractmethod
    def occupy(self, host: str, cpus: int, gpus: int) -> None:
        """Let other people's work be on a host that says nothing of itself."""

    @abstractmethod
    def vacate(self) -> None:
        """Let it be gone."""

    @abstractmethod
    def reopen(self) -> None:
        """Replace `cluster` by what a control plane would have after it was killed and started again."""

    def wait_until(self, holds: Callable[[Observation], object]) -> Observation:
        """Observe until something holds, and return that observation; the test fails when it never does."""
        deadline_s = self.now_s() + self.patience_s
        while not holds(seen := self.cluster.observe()):
            assert self.now_s() < deadline_s, f"waited in vain; last seen: {seen}"
            self.pause()
        return seen

    def clean(self) -> None:
        """Leave the hosts empty."""
        for run in self.cluster.observe().runs:
            self.cluster.apply(PreemptJob(run.job_id, run.attempt, 0.0, Cause.ORPHAN))
        for replica in self.cluster.observe().replicas:
            self.cluster.apply(StopReplica(replica.replica_id, replica.model, replica.slot))
        seen = self.wait_until(lambda s: not s.replicas and not any(run.state.holds_room for run in s.runs))
        for run in seen.runs:
            self.cluster.forget(run.job_id, run.attempt)


class SimulatedHarness(Harness):
    """The simulated cluster; its time passes when the test pauses."""

    cordons = True
    revisions = (MODEL, replace(MODEL, revision=2))

    def __init__(self, model: ServingModel = MODEL) -> None:
        """Build a world."""
        devices = tuple(Device(index, 64 * 1024) for index in range(4))
        hosts = [Host(name, 8000, 16384, devices, "Tester") for name in ("gpu-a", "gpu-b")]
        self._world = World(1_000_000.0, [*hosts, Host("cpu-a", 8000, 16384, labels=(("rack", "7"),))], [model])
        self._engine: Engine = self._world.engine
        self.cluster = self._world.cluster

    def job(self, gang: Gang, ending: Ending = "long", *, grace_period_s: float = 10.0) -> JobId:
        """Declare a job."""
        spec = JobSpec("job", "train", gang, grace_period_s=grace_period_s, checkpoint_interval_s=2.0)
        length_s = JOB_S[ending]
        fails_s = length_s if ending == "fails" else None
        return self._world.submit(spec, Work(length_s + (1.0 if fails_s else 0.0), 1.0, 0.5, fails_after_s=fails_s))

    def spoil(self, job_id: JobId) -> None:
        """Spoil it."""
        self._world.cluster.spoil(job_id)

    def stop_by_hand(self, job_id: JobId) -> None:
        """Stop it."""
        self._world.cluster.stop_by_hand(job_id)

    def cordon(self, host: str, reason: str) -> None:
        """Cordon it."""
        self._world.cluster.cordon_host(host, reason)

    def silence(self, host: str) -> None:
        """Silence it."""
        self._world.cluster.silence_host(host)

    def end_silence(self, host: str) -> None:
        """Hear it."""
        self._world.cluster.hear_host(host)

    def pause(self) -> None:
        """Let a tenth of a virtual second pass."""
        self._engine.run_until(self.now_s() + 0.1)

    def now_s(self) -> float:
        """Return the virtual time."""
        return self._engine.now_s()

    def settle(self, job_id: JobId, slot: Slot, owner: str) -> None:
        """Let a stray be there."""
        held = ((slot, Shape(cpu_milli=1000, memory_mib=512, gpu_count=len(slot.devices))),)
        self._world.cluster.settle(Stray(f"run-{job_id}-1", StrayKind.RUN, owner, held, job_id, 1))

    def occupy(self, host: str, cpus: int, gpus: int) -> None:
        """Occupy the host's last devices."""
        held = (Slot(host, tuple(range(4 - gpus, 4))), Shape(1000 * cpus, gpu_count=gpus))
        self._world.cluster.occupy(host, held)

    def vacate(self) -> None:
        """Leave all hosts."""
        for host in self._world.cluster.observe().hosts:
            self._world.cluster.occupy(host.name)

    def reopen(self) -> None:
        """Do nothing: the simulated cluster is the world, not a client of it."""


class ScatteringHarness(SimulatedHarness):
    """A simulated cluster with a scheduler of its own for replicas, which shares no devices."""

    shares_devices = False
    places_replicas = False

    def __init__(self) -> None:
        """Have every replica start in the last room there is, whatever is asked for."""
        model = replace(MODEL, shape=replace(MODEL.shape, gpu_milli=1000))
        super().__init__(model)
        self.revisions = model, replace(model, revision=2)
        world, start = self._world.cluster, self._world.cluster.replicas.start
        places = [Slot(host, (device,)) for host in ("gpu-b", "gpu-a") for device in (3, 2, 1, 0)]

        def scatter(model: str, slot: Slot, revision: int) -> None:
            shape = replace(MODEL.shape, gpu_milli=1000)
            start(model, next((place for place in places if not world.room.missing(place, shape)), slot), revision)

        world.replicas.start = scatter  # type: ignore[method-assign]


class Specs:
    """Job specifications in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._specs: dict[JobId, JobSpec] = {}

    def add(self, job_id: JobId, spec: JobSpec) -> None:
        """Accept a job."""
        self._specs[job_id] = spec

    def spec(self, job_id: JobId) -> JobSpec:
        """Return a job's specification."""
        try:
            return self._specs[job_id]
        except KeyError:
            raise NotFound(f"no job {job_id}") from None


class RayHarness(Harness):
    """A real local Ray."""

    revisions = (MODEL, replace(MODEL, revision=2))

    _ids = itertools.count(1)

    def __init__(self, address: LocalAddress, state_dir: Path) -> None:
        """Connect to a Ray that runs."""
        self._address, self._state_dir, self._specs = address, state_dir, Specs()
        self.cluster = self._open()

    def job(self, gang: Gang, ending: Ending = "long", *, grace_period_s: float = 10.0) -> JobId:
        """Declare a job that runs `jobs/steps.py`."""
        job_id, steps = JobId(str(next(self._ids))), round(JOB_S[ending] / 0.05)
        arguments = f"{steps + 1} {steps}" if ending == "fails" else f"{steps}"
        entrypoint = f"{sys.executable} {JOBS / 'steps.py'} {arguments}"
        self._specs.add(job_id, JobSpec("job", entrypoint, gang, grace_period_s=grace_period_s))
        return job_id

    def spoil(self, job_id: JobId) -> None:
        """Give it an environment in which no Python starts; a submission with it would be refused."""
        self._specs.add(job_id, replace(self._specs.spec(job_id), env=(("PYTHONHOME", "/nope"),)))

    def stop_by_hand(self, job_id: JobId) -> None:
        """Ask Ray to stop it, as `ray job stop` does."""
        url = f"{self._address.dashboard_url}/api/jobs/{self.cluster._names.run(job_id, 1)}/stop"
        httpx.post(url, timeout=30.0, trust_env=False).raise_for_status()

    def silence(self, host: str) -> None:
        """Stop the process that speaks for the host, for less time than Ray waits for an answer."""
        os.kill(self._raylet(host), signal.SIGSTOP)

    def end_silence(self, host: str) -> None:
        """Let it go on."""
        os.kill(self._raylet(host), signal.SIGCONT)

    def _raylet(self, host: str) -> int:
        names = [each.name for each in self._address.hosts]
        return self._address.raylet_pids[names.index(host)]

    def pause(self) -> None:
        """Let a tenth of a second pass."""
        time.sleep(0.1)

    def now_s(self) -> float:
        """Return the time."""
        return time.time()

    def settle(self, job_id: JobId, slot: Slot, owner: str) -> None:
        """Start a run as a control plane with that mark would."""
        label = RunLabel(job_id, 1, (slot,), owner)
        where, bundle = {"host": slot.host}, {"CPU": 1.0, "GPU": float(len(slot.devices)), "memory": 512.0 * 2**20}
        assert self.cluster._link.reserve(label.name, [bundle], [where], 5.0)
        self.cluster._rest.submit(
            {
                "entrypoint": "sleep 600",
                "submission_id": label.name,
                "metadata": label.as_metadata(),
                "entrypoint_label_selector": where,
            }
        )

    def occupy(self, host: str, cpus: int, gpus: int) -> None:
        """Submit a job past the control plane whose driver itself takes the room."""
        self.cluster._rest.submit(
            {
                "entrypoint": "sleep 600",
                "submission_id": f"other-work-{next(self._ids)}",
                "entrypoint_num_cpus": cpus,
                "entrypoint_num_gpus": gpus,
                "entrypoint_label_selector": {"host": host},
            }
        )

    def vacate(self) -> None:
        """Stop it."""
        for job in self.cluster._rest.jobs():
            if str(job.get("submission_id")).startswith("other-work-"):
                self.cluster._rest.stop(job["submission_id"])

    def reopen(self) -> None:
        """Throw the client away and make a new one."""
        self.cluster.close()
        self.cluster = self._open()

    def _open(self) -> RayCluster:
        return RayCluster(
            self._address.address,
            self._address.dashboard_url,
            claimant=Claimant(SoleLease(Fence("0f6e5a38-0000-4000-8000-000000000000", 1))),
            specs=self._specs,
            clock=WallClock(),
            applications={MODEL.name: ServeApplication("small_models:build", {"greeting": "hello"})},
            served=[MODEL],
            state_dir=self._state_dir,
        )


class KubernetesHarness(Harness):
    """A cluster on a double of the Kubernetes API; its actors, and the drivers of jobs, act when the test pauses.

    Jobs are batch Jobs; what they would report through the control plane's API is reported by the harness.
    """

    shares_devices = False
    places_replicas = False
    revises = False
    told_by_labels = (("may-run", "echo"),)
    cordons = True
    patience_s = 60.0
    revisions = tuple(
        replace(MODEL, shape=replace(MODEL.shape, gpu_milli=1000), revision=revision) for revision in (1, 2)
    )
    _ids = itertools.count(1)

    def __init__(self, url: str, rest: Rest) -> None:
        """Make the hosts of a double that serves at a URL."""
        self._url, self._rest, self._specs = url, rest, Specs()
        self._cast = Cast()
        self._stage = self._cast.stage(rest, lambda: datetime.now(UTC))
        self._steps: dict[JobId, tuple[int, float]] = {}
        rest.create(manifests.namespace("ml"))
        labels = {"amd.com/gpu.product-name": "Tester", "amd.com/gpu.vram": "64G"}
        for name in ("gpu-a", "gpu-b"):
            rest.create(manifests.node(name, cpu="8", memory="16Gi", devices={GPU: 4}, labels=labels))
        rest.create(manifests.node("cpu-a", cpu="8", memory="16Gi", labels={"rack": "7"}))
        body = manifests.deployment("echo", replicas=0, cpu="1", memory="512Mi", devices={GPU: 1})
        rest.create(body | {"metadata": body["metadata"] | {"namespace": "ml"}})
        self._stage.settle()
        self.cluster = self._open()

    def job(self, gang: Gang, ending: Ending = "long", *, grace_period_s: float = 10.0) -> JobId:
        """Give a suspended Job to the cluster, and accept it as it shows there."""
        job_id = JobId(str(next(self._ids)))
        body = self._manifest(f"job-{job_id}", gang.most, gang.shape.gpu_count, ending)
        body["metadata"]["annotations"] = {"headroom/min-workers": str(gang.workers)}
        body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = int(grace_period_s)
        uid = self._rest.create(body)["metadata"]["uid"]
        origin = f"jobs/ml/job-{job_id}/{uid}"
        seen = self.wait_until(lambda seen: any(order.spec.origin == origin for order in seen.orders))
        self._specs.add(job_id, next(order.spec for order in seen.orders if order.spec.origin == origin))
        return job_id

    def spoil(self, job_id: JobId) -> None:
        """Have its image be one that cannot be pulled."""
        never = {"spec": {"template": {"metadata": {"annotations": {"double/start-s": "1000000"}}}}}
        self._rest.patch(self._path(job_id), never)
        self.pause()

    def stop_by_hand(self, job_id: JobId) -> None:
        """Suspend it, as `kubectl patch` does."""
        self._rest.patch(self._path(job_id), {"spec": {"suspend": True}})

    def cordon(self, host: str, reason: str) -> None:
        """Cordon it as `kubectl cordon` does, with a word on why."""
        why = {"metadata": {"annotations": {"headroom/reason": reason}}, "spec": {"unschedulable": True}}
        self._rest.patch(f"/api/v1/nodes/{host}", why)

    def silence(self, host: str) -> None:
        """Let its kubelet do and say nothing."""
        self._cast.kubelets.lost.add(host)

    def end_silence(self, host: str) -> None:
        """Let it go on."""
        self._cast.kubelets.lost.discard(host)

    def pause(self) -> None:
        """Let drivers report, all actors act once, and the watches tell of it."""
        self._drive()
        self._stage.step()
        time.sleep(0.03)

    def now_s(self) -> float:
        """Return the time."""
        return time.time()

    def settle(self, job_id: JobId, slot: Slot, owner: str) -> None:
        """Let an object run that carries the marks of an attempt."""
        marks = Marks(job_id, 1, (slot,), owner, time.time()).as_annotations()
        body = self._manifest(f"job-{job_id}", 1, len(slot.devices), "long")
        try:
            self._rest.create(body)
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == httpx.codes.CONFLICT, error  # noqa: PT017  # it was declared before
        where = {"nodeSelector": {"kubernetes.io/hostname": slot.host}}
        labels = {"headroom/object": self._rest.get(self._path(job_id))["metadata"]["uid"]}
        template = {"metadata": {"labels": labels}, "spec": where}
        wanted = {"metadata": {"annotations": marks}, "spec": {"suspend": False, "template": template}}
        self._rest.patch(self._path(job_id), wanted)
        self.pause()
        self.pause()

    def occupy(self, host: str, cpus: int, gpus: int) -> None:
        """Let somebody's pod be bound there."""
        body = manifests.pod(f"other-{next(self._ids)}", cpu=str(cpus), devices={GPU: gpus}, nodeName=host)
        self._rest.create(body | {"metadata": body["metadata"] | {"namespace": "ml", "labels": {"other": "work"}}})

    def vacate(self) -> None:
        """Let it be gone."""
        for pod in self._rest.list("/api/v1/namespaces/ml/pods", labelSelector="other=work"):
            self._rest.delete(f"/api/v1/namespaces/ml/pods/{pod['metadata']['name']}")

    def reopen(self) -> None:
        """Throw the client away and make a new one."""
        self.cluster.close()
        self.cluster = self._open()

    def _open(self) -> KubernetesCluster:
        connection, workload = Connection.to(self._url), Workload("Deployment", "ml", "echo")
        cluster = KubernetesCluster(
            connection,
            specs=self._specs,
            clock=WallClock(),
            owner="0f6e5a38-0000-4000-8000-000000000000",
            devices=(GPU,),
            serving=Serving(connection, [Declared(self.revisions[0], workload=workload)], WallClock()),
            patience=Patience(gather_s=15.0, bind_s=15.0, start_s=8.0),
        )
        cluster.claim()
        return cluster

    def _manifest(self, name: str, workers: int, gpus: int, ending: Ending) -> dict[str, Any]:
        body = manifests.job(name, pods=workers, memory="512Mi", devices={GPU: gpus} if gpus else None)
        body["metadata"] |= {"namespace": "ml", "labels": {"headroom/queue": "default"}}
        ends = {"long": {}, "succeeds": {"double/run-s": "1.5"}, "fails": {"double/fail-s": "1.5"}}[ending]
        body["spec"]["template"]["metadata"] = {"annotations": {"double/stop-s": "0.2", **ends}}
        return body | {"spec": body["spec"] | {"backoffLimit": 0}}

    def _path(self, job_id: JobId) -> str:
        return f"/apis/batch/v1/namespaces/ml/jobs/job-{job_id}"

    def _drive(self) -> None:
        """Do for each run what its driver would: save every half second, and when it is told to stop."""
        for run in self.cluster.observe().runs:
            step, saved_s = self._steps.get(run.job_id, (0, run.started_at_s))
            is_due = run.state is RunState.RUNNING and time.time() - max(saved_s, run.started_at_s) > 0.5
            has_saved = run.progress is not None and run.progress.step > step
            if is_due or (run.state is RunState.STOPPING and not has_saved and step):
                self._steps[run.job_id] = step + 1, time.time()
                self.cluster.report(run.job_id, run.attempt, Progress(step + 1, None, time.time()))


@pytest.fixture
def simulated() -> SimulatedHarness:
    """The simulated cluster."""
    return SimulatedHarness()


@pytest.fixture
def scattering() -> ScatteringHarness:
    """A simulated cluster that places replicas itself."""
    return ScatteringHarness()


@pytest.fixture
def ray(local_ray: LocalAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHarness]:
    """A real Ray, left empty for the next test."""
    harness = RayHarness(local_ray, tmp_path_factory.getbasetemp() / "ray-state")
    yield harness
    harness.clean()
    harness.cluster.close()


@pytest.fixture
def kubernetes() -> Iterator[KubernetesHarness]:
    """A double of Kubernetes with its actors."""
    api = Api()
    api.definitions.ship()
    with Server(api) as server:
        harness = KubernetesHarness(server.url, Rest(direct_client(api)))
        yield harness
        harness.cluster.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is not there after some seconds never will be."""
    monkeypatch.setattr(runs, "START_S", 8.0)


@pytest.fixture(params=CLUSTERS)
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each kind of cluster in turn."""
    return request.getfixturevalue(request.param)
