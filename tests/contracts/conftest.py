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
from pathlib import Path
from typing import Final, Literal

import httpx
import pytest

from scheduler.backends.ray import runs
from scheduler.backends.ray.applications import ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.local import LocalAddress
from scheduler.backends.ray.names import RunLabel
from scheduler.control.clocks import WallClock
from scheduler.control.leadership import Fence, SoleLease
from scheduler.control.ports import Cluster
from scheduler.model.errors import NotFound
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Stray, StrayKind
from scheduler.model.plan import Cause, PreemptJob, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ServingModel
from simulations.engine import Engine
from simulations.work import Work
from simulations.world import World

CLUSTERS: Final = ("simulated", "scattering", pytest.param("ray", marks=pytest.mark.ray))
MODEL: Final = ServingModel(
    "echo", Shape(cpu_milli=1000, memory_mib=512, gpu_count=1, gpu_milli=500), 1, 8, warm_up_s=5
)
Ending = Literal["long", "succeeds", "fails"]
JOB_S: Final[dict[Ending, float]] = {"long": 600.0, "succeeds": 1.5, "fails": 1.5}
"""Seconds a job takes by itself; both kinds of cluster keep to it within a second or two."""
JOBS = Path(__file__).parent / "jobs"


class Harness(ABC):
    """A cluster of three hosts, gpu-a and gpu-b with 4 devices, cpu-a with none; each 8 cores and 16 GiB.

    Attributes:
        cluster: under test.
        patience_s: the cluster's seconds that anything may take.
        shares_devices: whether replicas can have parts of a device; where not, those of `MODEL` take a whole one.
        revisions: two revisions of the model, for `declare`.
        places_replicas: whether a replica starts in the slot that was asked for; where not, that is a wish.
        cordons: whether the cluster itself can give a host no new work.
    """

    cluster: Cluster
    patience_s = 60.0
    shares_devices = True
    places_replicas = True
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
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is not there after some seconds never will be."""
    monkeypatch.setattr(runs, "START_S", 8.0)


@pytest.fixture(params=CLUSTERS)
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each kind of cluster in turn."""
    return request.getfixturevalue(request.param)
