"""kube-scheduler: binds pods where they fit, says why others wait, and preempts by priority."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from simulations.kubernetes.actors.acting import Json, Said, attempt, condition, tell, with_condition
from simulations.kubernetes.actors.fitting import Amounts, free_on, is_over, misfits, requests_of, short_of
from simulations.kubernetes.actors.mirror import NODES, PODS, Sight, key_of
from simulations.kubernetes.rest import path_of

NAME = "default-scheduler"
NO_CLAIMS = "no new claims to deallocate, "


@dataclass
class Room:
    """The nodes, the pods on each, and what is left."""

    nodes: list[Json]
    on: dict[str, list[Json]]
    free: dict[str, Amounts]

    def take(self, node: str, pod: Json) -> None:
        """Count a pod in."""
        self.on[node].append(pod)
        for resource, count in {**requests_of(pod["spec"]), "pods": 1}.items():
            self.free[node][resource] = self.free[node].get(resource, 0) - count


@dataclass
class Scheduler:
    """Schedules whatever names it and has no gate.

    Attributes:
        packs: whether the fullest host that fits is chosen (scoring strategy MostAllocated, as sites with devices
            have it) instead of the emptiest (LeastAllocated, the default).
    """

    packs: bool = False
    told: dict[tuple[str, str], str] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Go once over all pods that wait, the most important first, then the oldest."""
        pods = [pod for pod in sight.all(PODS) if not is_over(pod)]
        waiting = sorted((pod for pod in pods if _waits(pod)), key=_order)
        if not waiting:
            return
        room = _room(sight.all(NODES), pods)
        for pod in waiting:
            self._schedule(sight, pod, room, now)

    def _schedule(self, sight: Sight, pod: Json, room: Room, now: datetime) -> None:
        why: dict[str, list[str]] = {}
        for node in room.nodes:
            name = node["metadata"]["name"]
            why[name] = list(misfits(node, pod, room.free[name]))
        fitting = [name for name, causes in why.items() if not causes]
        if fitting:
            self._bind(sight, pod, self._best(fitting, room, pod), room)
        else:
            self._explain(sight, pod, why, room, now)

    def _best(self, fitting: list[str], room: Room, pod: Json) -> str:
        sign = -1 if self.packs else 1
        return min(fitting, key=lambda name: (sign * _load(room, name, pod), name))

    def _bind(self, sight: Sight, pod: Json, node: str, room: Room) -> None:
        metadata = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": metadata,
            "target": {"kind": "Node", "name": node},
        }
        if attempt(sight.rest.post, path_of(pod, "binding"), binding) is not None:
            room.take(node, pod)
            self.told.pop(key_of(pod), None)

    def _explain(self, sight: Sight, pod: Json, why: dict[str, list[str]], room: Room, now: datetime) -> None:
        message = _message(why)
        chosen = _preemption(pod, why, room)
        if chosen is not None:
            self._preempt(sight, pod, chosen, message, now)
            return
        if pod["spec"].get("preemptionPolicy") == "Never":
            message += f" {NO_CLAIMS}preemption: not eligible due to preemptionPolicy=Never."
        else:
            message += f" {NO_CLAIMS}preemption: {_unhelpful(pod, why, room)}"
        self._mark(sight, pod, message, now)

    def _preempt(self, sight: Sight, pod: Json, chosen: "Preemption", message: str, now: datetime) -> None:
        for victim in chosen.victims:
            words = f"{NAME}: preempting to accommodate a higher priority pod"
            marked = condition("DisruptionTarget", true=True, now=now, reason="PreemptionByScheduler", message=words)
            where = path_of(victim)
            conditions = with_condition(victim["status"].get("conditions") or [], marked)
            attempt(sight.rest.patch, f"{where}/status", {"status": {"conditions": conditions}}, "strategic")
            by = f"Preempted by pod {pod['metadata']['uid']} on node {chosen.node}"
            tell(sight.rest, victim, Said("Preempted", by, NAME), now)
            attempt(sight.rest.delete, where)
        self._mark(sight, pod, message, now, chosen.node)

    def _mark(self, sight: Sight, pod: Json, message: str, now: datetime, nominated: str = "") -> None:
        if self.told.get(key_of(pod)) == message + nominated:
            return
        self.told[key_of(pod)] = message + nominated
        made = condition("PodScheduled", true=False, now=now, reason="Unschedulable", message=message)
        status: Json = {"conditions": [made]} | ({"nominatedNodeName": nominated} if nominated else {})
        attempt(sight.rest.patch, path_of(pod, "status"), {"status": status}, "strategic")
        tell(sight.rest, pod, Said("FailedScheduling", message, NAME, warning=True), now)


@dataclass(frozen=True)
class Preemption:
    """Whom to delete where."""

    node: str
    victims: list[Json]


def _waits(pod: Json) -> bool:
    spec = pod["spec"]
    bound_or_held = spec.get("nodeName") or spec.get("schedulingGates") or "deletionTimestamp" in pod["metadata"]
    return not bound_or_held and spec.get("schedulerName", NAME) == NAME


def _order(pod: Json) -> tuple[int, str, tuple[str, str]]:
    return -pod["spec"].get("priority", 0), pod["metadata"]["creationTimestamp"], key_of(pod)


def _room(nodes: list[Json], pods: list[Json]) -> Room:
    on: dict[str, list[Json]] = defaultdict(list)
    for pod in pods:
        if pod["spec"].get("nodeName"):
            on[pod["spec"]["nodeName"]].append(pod)
    free = {node["metadata"]["name"]: free_on(node, on[node["metadata"]["name"]]) for node in nodes}
    return Room(nodes, on, free)


def _load(room: Room, node: str, pod: Json) -> float:
    """Return how full a node is in what the pod asks for."""
    asked = [resource for resource, count in requests_of(pod["spec"]).items() if count]
    return -min((room.free[node].get(resource, 0) for resource in asked), default=0)


def _message(why: dict[str, list[str]]) -> str:
    counted = Counter(cause for causes in why.values() for cause in causes)
    if not why:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {cause}" for cause, count in counted.items()))
    return f"0/{len(why)} nodes are available: {listed}."


def _helpable(causes: list[str]) -> bool:
    return all(cause.startswith(("Insufficient", "Too many")) for cause in causes)


def _preemption(pod: Json, why: dict[str, list[str]], room: Room) -> Preemption | None:
    """Return the preemption that harms least: the lowest priority, then the fewest victims."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return None
    found = [made for name, causes in why.items() if _helpable(causes) and (made := _victims(pod, name, room))]
    ended = [made for made in found if all("deletionTimestamp" not in each["metadata"] for each in made.victims)]
    if len(ended) < len(found):
        return None  # victims of an earlier step are on their way out
    return min(ended, key=lambda made: (_highest(made.victims), len(made.victims), made.node), default=None)


def _highest(victims: list[Json]) -> int:
    return max(int(victim["spec"].get("priority", 0)) for victim in victims)


def _victims(pod: Json, node: str, room: Room) -> Preemption | None:
    mine = pod["spec"].get("priority", 0)
    lower = sorted((each for each in room.on[node] if each["spec"].get("priority", 0) < mine), key=_order, reverse=True)
    left, chosen = dict(room.free[node]), []
    for victim in lower:
        for resource, count in {**requests_of(victim["spec"]), "pods": 1}.items():
            left[resource] = left.get(resource, 0) + count
        chosen.append(victim)
        if not list(short_of(pod, left)):
            return Preemption(node, chosen)
    return None


def _unhelpful(pod: Json, why: dict[str, list[str]], room: Room) -> str:
    """Return why preemption helps nowhere, in kube-scheduler's words."""
    wanted = requests_of(pod["spec"])
    could = 0
    for node in room.nodes:
        name = node["metadata"]["name"]
        empty = free_on(node, [])
        if _helpable(why[name]) and all(count <= empty.get(resource, 0) for resource, count in wanted.items()):
            could += 1
    texts = [f"{could} No preemption victims found for incoming pod"] if could else []
    if len(why) > could:
        texts.append(f"{len(why) - could} Preemption is not helpful for scheduling")
    return f"0/{len(why)} nodes are available: {', '.join(texts)}."
