"""What would stall: a model's next rollout or its last replicas, for want of quota, disk or devices."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts
from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.quota import QUOTAS, Limit, room_left
from scheduler.backends.kubernetes.serving_objects import Deployment
from scheduler.backends.kubernetes.serving_workloads import Running, Scaled
from scheduler.model.counting import plural
from scheduler.model.workloads import ServingModel

OF_TRAINING: Final = "headroom/object"
"""Label of pods that are stopped where serving needs their devices."""


class Stalls:
    """Finds them, by caches of one moment."""

    def __init__(self, caches: Caches) -> None:
        self._quotas = tuple(caches.of(QUOTAS).values())
        self._nodes = [node for node in caches.nodes.values() if not node.is_unschedulable]
        self._taken, self._kept = _taken(caches.pods.values())

    def of(self, model: ServingModel, running: Running) -> Iterator[str]:
        """Yield a sentence for each, with the numbers."""
        part = running.newest
        if part is None or running.is_rolling:
            return
        fresh = fresh_pods(part)
        yield from (f"{model.name}: its next rollout would stall: {why}" for why in self._short(part.deployment, fresh))
        further = model.max_replicas - running.wanted
        left = self._quota(part.deployment)
        if left is not None and left.pods < further:
            most = max(0, running.wanted + min(left.pods, further))
            yield f"{model.name}: of its {plural(model.max_replicas, 'replica')} only {most} can be had: {left.why}"

    def _short(self, deployment: Deployment, fresh: int) -> Iterator[str]:
        if fresh:
            left = self._quota(deployment)
            if left is not None and left.pods < fresh:
                yield f"{plural(fresh, 'new pod')} wanted, {max(0, left.pods)} let in: {left.why}"
            yield from self._hosts(deployment, fresh)

    def _quota(self, deployment: Deployment) -> Limit | None:
        return room_left(self._quotas, deployment.namespace, deployment.pod, deployment.limits)

    def _hosts(self, deployment: Deployment, fresh: int) -> Iterator[str]:
        """Yield what hosts lack that the planner does not count, or could not free by stopping training."""
        pod, nodes = deployment.pod, [node for node in self._nodes if _suits(node, deployment.selector)]
        if each := pod.ephemeral_mib:
            left = [node.allocatable.ephemeral_mib - self._taken.get(node.key, NOTHING).ephemeral_mib for node in nodes]
            if _fitting(left, each) < fresh:
                yield f"a new pod takes {each} MiB of disk, and no host has more than {max([0, *left])} free"
        for name, each in pod.devices:
            left = [node.allocatable.minus(self._kept.get(node.key, NOTHING)).device_count([name]) for node in nodes]
            if _fitting(left, each) < fresh:
                yield f"a new pod takes {each} {name}, and no host has more than {max([0, *left])} without training"


def fresh_pods(part: Scaled) -> int:
    """Return how many pods a rollout starts beside the old ones."""
    return part.deployment.surge if part.revision is None else max(1, part.least)


def _taken(pods: Iterable[Pod]) -> tuple[Mapping[str, Amounts], Mapping[str, Amounts]]:
    """Return what pods take of each host, all of them and those that nobody here can stop."""
    taken: dict[str, Amounts] = {}
    kept: dict[str, Amounts] = {}
    for pod in pods:
        if pod.holds_room and (pod.requests.ephemeral_mib or pod.requests.devices):
            taken[pod.node] = taken.get(pod.node, NOTHING).plus(pod.requests)
            if OF_TRAINING not in pod.labels:
                kept[pod.node] = kept.get(pod.node, NOTHING).plus(pod.requests)
    return taken, kept


def _fitting(left: Iterable[int], each: int) -> int:
    return sum(max(0, amount) // each for amount in left)


def _suits(node: Node, selector: Iterable[tuple[str, str]]) -> bool:
    return all(node.labels.get(key) == value for key, value in selector)
