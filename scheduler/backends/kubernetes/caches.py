"""All that is watched, at one moment: nothing where any part of it is not known."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from scheduler.backends.kubernetes.connection import Connection, Object
from scheduler.backends.kubernetes.nodes import Node, cut_node
from scheduler.backends.kubernetes.pods import Pod, cut_pod
from scheduler.backends.kubernetes.reflector import Reflector, Resource

PODS: Final = "pods"
NODES: Final = "nodes"


class Watches:
    """The reflectors of a cluster, started together.

    Args:
        connection: to the API server.
        resources: what is watched besides pods and nodes; several of one name are one cache, for instance of several
            namespaces.
        woken: called after each change.
    """

    def __init__(
        self, connection: Connection, resources: Iterable[Resource[Any]], woken: Callable[[], object] = lambda: None
    ) -> None:
        all_of_them: tuple[Resource[Any], ...] = (
            Resource(PODS, "/api/v1/pods", cut_pod),
            Resource(NODES, "/api/v1/nodes", cut_node),
            *resources,
        )
        self._reflectors = tuple(Reflector(connection, resource, woken) for resource in all_of_them)
        self._last: dict[str, tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]] = {}

    def start(self) -> None:
        """Begin to watch."""
        for reflector in self._reflectors:
            reflector.start()

    def close(self) -> None:
        """Tell all threads to end."""
        for reflector in self._reflectors:
            reflector.close()

    @property
    def is_listing(self) -> bool:
        """Whether something is being listed for the first time, and nothing has gone wrong with that."""
        return any(reflector.is_listing for reflector in self._reflectors)

    def now(self) -> "Caches":
        """Return all there is.

        Raises:
            Unreachable: a part of it is not known, or too old.
        """
        parts: dict[str, list[Mapping[str, Any]]] = {}
        for reflector in self._reflectors:
            parts.setdefault(reflector.resource.name, []).append(reflector.objects())
        return Caches({name: self._joined(name, tuple(maps)) for name, maps in parts.items()}, self.learn)

    def learn(self, name: str, answer: Object) -> None:
        """Take up what a request of ours was answered with."""
        namespace = answer["metadata"].get("namespace", "")
        for reflector in self._reflectors:
            if reflector.resource.name == name and _covers(reflector.resource.path, namespace):
                reflector.learn(answer)

    def _joined(self, name: str, maps: tuple[Mapping[str, Any], ...]) -> Mapping[str, Any]:
        """Return several caches as one: the same while none of them has changed."""
        if len(maps) == 1:
            return maps[0]
        before = self._last.get(name)
        if before is None or any(old is not new for old, new in zip(before[0], maps, strict=True)):
            before = self._last[name] = maps, {key: kept for one in maps for key, kept in one.items()}
        return before[1]


class Caches:
    """What is there.

    Attributes:
        pods: by namespace and name.
        nodes: by name.
    """

    def __init__(
        self, parts: Mapping[str, Mapping[str, Any]], learn: Callable[[str, Object], None] = lambda *_: None
    ) -> None:
        self.pods: Mapping[str, Pod] = parts[PODS]
        self.nodes: Mapping[str, Node] = parts[NODES]
        self.learn = learn
        self._parts = parts

    def of(self, name: str) -> Mapping[str, Any]:
        """Return another cache by the name of its resource."""
        return self._parts[name]


def _covers(path: str, namespace: str) -> bool:
    return "/namespaces/" not in path or f"/namespaces/{namespace}/" in path
