"""What would stall: a model's next rollout or its last replicas, for want of quota, disk or devices."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.quota import QUOTAS, Limit, room_left
from scheduler.backends.kubernetes.rules import Rule
from scheduler.backends.kubernetes.serving_objects import Deployment
from scheduler.backends.kubernetes.serving_workloads import Running, Scaled
from scheduler.model.counting import plural
from scheduler.model.workloads import ServingModel

DISK: Final = "ephemeral-storage"
OF_TRAINING: Final = "headroom/object"
"""Label of pods that are stopped where serving needs their devices."""


class Stalls:
    """Finds them, by caches of one moment."""

    def __init__(self, caches: Caches) -> None:
        self._quotas = tuple(caches.of(QUOTAS).values())
        self._nodes = [node for node in caches.nodes.values() if not node.is_unschedulable]
        self._left = _left(caches)
        self._counted: dict[tuple[tuple[Rule, ...], str], list[int]] = {}

    def of(self, model: ServingModel, running: Running) -> Iterator[str]:
        """Yield a sentence for each, with the numbers."""
        part = running.newest
        if part is None or running.is_rolling:
            return
        quota = self._quota(part.deployment)
        for why in self._short(part.deployment, fresh_pods(part), quota):
            yield f"{model.name}: its next rollout would stall: {why}"
        further = model.max_replicas - running.wanted
        if quota is not None and quota.pods < further:
            most = max(0, running.wanted + quota.pods)
            yield f"{model.name}: of its {plural(model.max_replicas, 'replica')} only {most} can be had: {quota.why}"

    def _short(self, deployment: Deployment, fresh: int, quota: Limit | None) -> Iterator[str]:
        if not fresh:
            return
        if quota is not None and quota.pods < fresh:
            yield f"{plural(fresh, 'new pod')} wanted, {max(0, quota.pods)} let in: {quota.why}"
        for name, each, what, free in _wants(deployment):
            left = self._on_hosts(deployment.rules, name)
            if sum(amount // each for amount in left) < fresh:
                yield f"a new pod takes {each} {what}, and no host has more than {max(left, default=0)} {free}"

    def _quota(self, deployment: Deployment) -> Limit | None:
        return room_left(self._quotas, deployment.namespace, deployment.pod, deployment.limits)

    def _on_hosts(self, rules: tuple[Rule, ...], name: str) -> list[int]:
        """Return how much of something each host has that a pod may go to."""
        if (rules, name) not in self._counted:
            suited = (node.key for node in self._nodes if all(rule.holds(node) for rule in rules))
            self._counted[rules, name] = [max(0, self._left[key].get(name, 0)) for key in suited]
        return self._counted[rules, name]


def fresh_pods(part: Scaled) -> int:
    """Return how many pods a rollout starts beside the old ones."""
    return part.deployment.surge if part.revision is None else max(1, part.least)


def _wants(deployment: Deployment) -> Iterator[tuple[str, int, str, str]]:
    """Yield what its pods take that the planner does not count or could not free: name, how much, and words for it."""
    if deployment.pod.ephemeral_mib:
        yield DISK, deployment.pod.ephemeral_mib, "MiB of disk", "free"
    yield from ((name, each, name, "without training") for name, each in deployment.pod.devices)


def _left(caches: Caches) -> dict[str, Counter[str]]:
    """Return what is left on each host: of disk beside all pods, of devices beside those that nobody here can stop."""
    left = {
        node.key: Counter({DISK: node.allocatable.ephemeral_mib, **dict(node.allocatable.devices)})
        for node in caches.nodes.values()
    }
    for pod in caches.pods.values():
        taken = pod.requests
        if (taken.ephemeral_mib or taken.devices) and pod.holds_room and pod.node in left:
            here = left[pod.node]
            here[DISK] -= taken.ephemeral_mib
            for name, count in () if OF_TRAINING in pod.labels else taken.devices:
                here[name] -= count
    return left
