"""A Ray that only pretends: what the link and the REST client would answer, and what they were told."""

from typing import Any

import pytest

from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.backends.ray.names import RunLabel
from scheduler.model.errors import ActionFailed, NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId


class FakeLink:
    """Placement groups by name."""

    def __init__(self) -> None:
        """Begin with none, and with room."""
        self.groups: dict[str, tuple[list[Any], list[Any]]] = {}
        self.supervisors: set[str] = set()
        self.has_room = True

    def reserve(self, name: str, bundles: list[Any], selectors: list[Any], wait_s: float) -> bool:
        """Make a group when there is room."""
        assert wait_s <= 5
        if self.has_room:
            self.groups[name] = (bundles, selectors)
        return self.has_room

    def release(self, names: list[str]) -> frozenset[str]:
        """Remove groups and supervisors; return the names of which there was anything."""
        left = frozenset(names) & (self.groups.keys() | self.supervisors)
        for name in left:
            self.groups.pop(name, None)
            self.supervisors.discard(name)
        return left


class FakeRest:
    """Jobs by submission id, and the configurations Serve was given."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.submitted: dict[str, dict[str, Any]] = {}
        self.stopped: list[str] = []
        self.configs: list[dict[str, Any]] = []
        self.applications: dict[str, Any] = {}
        self.refusal: Exception | None = None
        self.printed = ""

    def jobs(self) -> list[dict[str, Any]]:
        """List all jobs, and a driver as Ray does."""
        return [{"type": "DRIVER", "metadata": {}, "status": "RUNNING"}, *self.submitted.values()]

    def job(self, name: str) -> dict[str, Any] | None:
        """Return one job."""
        return self.submitted.get(name)

    def submit(self, submission: dict[str, Any]) -> None:
        """Take a job, or refuse it."""
        if self.refusal:
            raise self.refusal
        state = {"status": "PENDING", "start_time": 1_000_000, "end_time": None, "message": None, "error_type": None}
        self.submitted[submission["submission_id"]] = submission | state | {"driver_node_id": "a"}

    def stop(self, name: str) -> None:
        """Note it."""
        self.stopped.append(name)

    def delete(self, name: str) -> None:
        """Forget a job that is over."""
        if self.submitted[name]["status"] in {"PENDING", "RUNNING"}:
            raise ActionFailed("job is not over")
        del self.submitted[name]

    def logs(self, name: str) -> str:
        """Return what it printed."""
        return self.printed if name in self.submitted else ""

    def serve(self) -> dict[str, Any]:
        """Show applications in the states that a test gave them."""
        return {"applications": self.applications}

    def serve_config(self, config: dict[str, Any]) -> None:
        """Take a configuration, or refuse it."""
        if self.refusal:
            raise self.refusal
        self.configs.append(config)


class SteppedClock:
    """World time at ten times the wall's."""

    speed = 10.0

    def now_s(self) -> float:
        """Return a fixed time."""
        return 5000.0

    def to_world_s(self, wall_s: float) -> float:
        """Return ten times the wall's time."""
        return wall_s * 10

    def sleep(self, duration_s: float) -> None:
        """Never needed."""
        raise NotImplementedError


class OneJob:
    """Knows job 7: two workers with two devices each."""

    def __init__(self) -> None:
        """Declare it."""
        shape = Shape(cpu_milli=2000, memory_mib=512, gpu_count=2)
        self.job = JobSpec("seven", "python train.py", Gang(2, shape), grace_period_s=60.0, env=(("LR", "0.1"),))

    def spec(self, job_id: JobId) -> JobSpec:
        """Return it."""
        if job_id != "7":
            raise NotFound(f"no job {job_id}")
        return self.job


@pytest.fixture
def link() -> FakeLink:
    """No groups yet."""
    return FakeLink()


@pytest.fixture
def rest() -> FakeRest:
    """No jobs yet."""
    return FakeRest()


@pytest.fixture
def clock() -> SteppedClock:
    """Ten world seconds a second."""
    return SteppedClock()


@pytest.fixture
def specs() -> OneJob:
    """Job 7 alone."""
    return OneJob()


@pytest.fixture
def fleet() -> Fleet:
    """Hosts a and b."""
    nodes = [
        {
            "Alive": True,
            "NodeManagerAddress": "127.0.0.1",
            "NodeManagerPort": 9,
            "Resources": {"CPU": 8.0, "GPU": 4.0},
            "Labels": {"host": name},
        }
        for name in "ab"
    ]
    return fleet_of(nodes, Fleet(), 0.0)


@pytest.fixture
def label() -> RunLabel:
    """Attempt 1 of job 7 on both hosts."""
    return RunLabel(JobId("7"), 1, (Slot("a", (0, 1)), Slot("b", (2, 3))))
