"""Pods by host and by the object they belong to, kept up to date change by change."""

from collections.abc import Iterable, Mapping
from typing import Final

from scheduler.backends.kubernetes.marks import OBJECT
from scheduler.backends.kubernetes.pods import Pod

NONE: Final[Mapping[str, Pod]] = {}


class PodIndex:
    """Pods that are there, found by where they are and by whose they are; for one thread."""

    def __init__(self) -> None:
        self._pods: Mapping[str, Pod] = {}
        self._by_node: dict[str, dict[str, Pod]] = {}
        self._by_object: dict[str, dict[str, Pod]] = {}
        self._changes: dict[str, int] = {}

    def update(self, pods: Mapping[str, Pod]) -> None:
        """Follow to another moment; costs little where little has changed."""
        if pods is self._pods:
            return
        before = self._pods
        come = [(key, pod) for key, pod in pods.items() if before.get(key) is not pod]
        for key in (before.keys() - pods.keys()) | (before.keys() & {key for key, _ in come}):
            pod = before[key]
            self._take(self._by_node, pod.node, key)
            self._take(self._by_object, pod.labels.get(OBJECT, ""), key)
            self._changes[pod.node] = self._changes.get(pod.node, 0) + 1
        for key, pod in come:
            self._by_node.setdefault(pod.node, {})[key] = pod
            self._by_object.setdefault(pod.labels.get(OBJECT, ""), {})[key] = pod
            self._changes[pod.node] = self._changes.get(pod.node, 0) + 1
        self._pods = pods

    def changes(self, node: str) -> int:
        """Return how often the pods of a host have changed."""
        return self._changes.get(node, 0)

    def on(self, node: str) -> Iterable[Pod]:
        """Return the pods that take room on a host, those that are just ending too."""
        return [pod for pod in self._by_node.get(node, NONE).values() if not pod.is_over]

    def of(self, uid: str) -> list[Pod]:
        """Return the pods of an object that are not over, by name."""
        return sorted((pod for pod in self._by_object.get(uid, NONE).values() if not pod.is_over), key=_name)

    def uids(self) -> Iterable[str]:
        """Return the uids of the objects that pods say they belong to, those that are gone too."""
        return [uid for uid in self._by_object if uid]

    def done(self, uid: str) -> int:
        """Return how many pods of an object have succeeded."""
        return sum(pod.phase == "Succeeded" for pod in self._by_object.get(uid, NONE).values())

    @staticmethod
    def _take(where: dict[str, dict[str, Pod]], name: str, key: str) -> None:
        there = where[name]
        del there[key]
        if not there:
            del where[name]


def _name(pod: Pod) -> str:
    return pod.name
