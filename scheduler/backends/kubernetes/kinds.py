"""The kinds of objects that train: where they are, what they consist of, and how their end looks.

A table and not classes: what is done with an object is the same for all.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from scheduler.backends.kubernetes.parts import Part, job_parts, jobset_parts, ray_parts, train_parts
from scheduler.backends.kubernetes.times import seconds


class End(StrEnum):
    """How an object ended."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class Ending(NamedTuple):
    """How far an object is.

    Attributes:
        end: see `End`.
        message: why it failed, in the words of its controller.
        at_s: when it ended, epoch seconds; 0 when that is not said.
    """

    end: End = End.OPEN
    message: str = ""
    at_s: float = 0.0


OPEN: Final = Ending()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    Attributes:
        name: its kind.
        group: group and version.
        plural: its name in paths.
        manager: whose `managedBy` it may carry; that of anybody else is let be.
        parts: the pods it is made of.
        ending: how its end looks in the status.
        is_quiet: whether its controller has taken its suspension into account: no pod of its comes any more.
        is_up: whether what it runs has begun, beyond its pods.
        faults: sentences about what of it cannot be planned.
    """

    name: str
    group: str
    plural: str
    manager: str
    parts: Callable[[Mapping[str, Any]], Iterator[Part]]
    ending: Callable[[Mapping[str, Any]], Ending]
    is_quiet: Callable[[Mapping[str, Any]], bool]
    is_up: Callable[[Mapping[str, Any]], bool]
    faults: Callable[[Mapping[str, Any]], Iterator[str]]

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of one object, of all in a namespace, or of all."""
        where = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{self.group}{where}/{self.plural}{f'/{name}' if name else ''}"


def _by_conditions(done: str, failed: str) -> Callable[[Mapping[str, Any]], Ending]:
    def ending(status: Mapping[str, Any]) -> Ending:
        for condition in status.get("conditions") or ():
            if condition["status"] == "True" and condition["type"] in {done, failed}:
                end = End.DONE if condition["type"] == done else End.FAILED
                said = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
                return Ending(end, "" if end is End.DONE else said, seconds(condition.get("lastTransitionTime")))
        return Ending()

    return ending


def _ray_ending(status: Mapping[str, Any]) -> Ending:
    """Return how a RayJob ended; one that was stopped through Ray is over for good, too."""
    deployment, job = status.get("jobDeploymentStatus"), status.get("jobStatus")
    at_s = seconds(status.get("endTime"))
    if deployment == "Failed" or job in {"FAILED", "STOPPED"}:
        said = ": ".join(filter(None, (status.get("reason"), status.get("message"))))
        return Ending(End.FAILED, said or f"Ray says {str(job).lower()}", at_s)
    return Ending(End.DONE, "", at_s) if deployment == "Complete" or job == "SUCCEEDED" else Ending()


def _is_suspended(status: Mapping[str, Any]) -> bool:
    """Whether a controller says that it has suspended, and that nothing ends any more."""
    conditions = status.get("conditions") or ()
    said = any(each["type"] == "Suspended" and each["status"] == "True" for each in conditions)
    return said and not status.get("terminating")


def _ray_is_suspended(status: Mapping[str, Any]) -> bool:
    return status.get("jobDeploymentStatus") in {None, "", "Suspended"}


def _ray_faults(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("clusterSelector"):
        yield "it uses a cluster that is there already (clusterSelector), which cannot be suspended"
    if not spec.get("shutdownAfterJobFinishes"):
        yield "it keeps its room when it is done: set shutdownAfterJobFinishes: true"
    if (spec.get("rayClusterSpec") or {}).get("enableInTreeAutoscaling"):
        yield "KubeRay's autoscaler would change the gang while it runs: set enableInTreeAutoscaling: false"


def _jobset_faults(spec: Mapping[str, Any]) -> Iterator[str]:
    if (spec.get("startupPolicy") or {}).get("startupPolicyOrder") == "InOrder" or any(
        replicated.get("dependsOn") for replicated in spec.get("replicatedJobs") or ()
    ):
        yield "its jobs start one after another (startupPolicy, dependsOn), and a gang starts whole"


def _train_faults(spec: Mapping[str, Any]) -> Iterator[str]:
    if not (spec.get("trainer") or {}).get("resourcesPerNode"):
        yield "it does not say what a node needs: set trainer.resourcesPerNode, for the runtime's are not read"


def _ray_is_up(status: Mapping[str, Any]) -> bool:
    return status.get("jobStatus") == "RUNNING"


def _pods_say(_: Mapping[str, Any]) -> bool:
    return True


def _none(_: Mapping[str, Any]) -> Iterator[str]:
    return iter(())


KINDS: Final = (
    Kind(
        "RayJob",
        "ray.io/v1",
        "rayjobs",
        "ray.io/kuberay-operator",
        ray_parts,
        _ray_ending,
        _ray_is_suspended,
        _ray_is_up,
        _ray_faults,
    ),
    Kind(
        "Job",
        "batch/v1",
        "jobs",
        "kubernetes.io/job-controller",
        job_parts,
        _by_conditions("Complete", "Failed"),
        _is_suspended,
        _pods_say,
        _none,
    ),
    Kind(
        "JobSet",
        "jobset.x-k8s.io/v1alpha2",
        "jobsets",
        "jobset.sigs.k8s.io/jobset-controller",
        jobset_parts,
        _by_conditions("Completed", "Failed"),
        _is_suspended,
        _pods_say,
        _jobset_faults,
    ),
    Kind(
        "TrainJob",
        "trainer.kubeflow.org/v1alpha1",
        "trainjobs",
        "trainer.kubeflow.org/trainjob-controller",
        train_parts,
        _by_conditions("Complete", "Failed"),
        _is_suspended,
        _pods_say,
        _train_faults,
    ),
)
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
BY_PLURAL: Final[Mapping[str, Kind]] = {kind.plural: kind for kind in KINDS}
