"""The one process that is attached to Ray as a driver: it makes, lists and removes placement groups.

A driver dies with Ray's head and takes over signal handlers, so the control plane is none; it talks to this process by
one JSON object a line (`scheduler.backends.ray.link`). It ends when its standard input does, and when Ray lets it wait
for too long to hear of that.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import ray
from ray import serve
from ray._private.state import available_resources_per_node
from ray.actor import ActorHandle
from ray.dashboard.modules.job.common import JOB_ACTOR_NAME_TEMPLATE, SUPERVISOR_ACTOR_RAY_NAMESPACE
from ray.experimental import internal_kv
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group

from scheduler.backends.ray.claims import Claim, InTheWay, hold, in_the_way, let_go
from scheduler.backends.ray.names import NAMESPACE

GONE: Final = "REMOVED"
CONNECT_S = 90.0
"""Longest wait for Ray; a control plane that was killed meanwhile would leave this process waiting for ever."""
ADOPTED: Final = "adopted:"
"""Before the name of a stray, in Ray's keys: whose it is now."""


def main(address: str) -> None:
    """Connect, then answer one order after the other.

    Args:
        address: host and port of the GCS.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Ray prints; the answers must stay readable
    signal.setitimer(signal.ITIMER_REAL, CONNECT_S)  # by the kernel: Ray waits for its GCS without letting others run
    refused = _connect(address)
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    for line in sys.stdin:
        answer = {"refused": refused} if refused else _answer(json.loads(line))
        print(json.dumps(answer), file=answers, flush=True)


def _connect(address: str) -> str:
    """Connect to Ray; return why not, or "" when connected."""
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        causes = [str(each).partition("\n")[0] for each in (error, error.__cause__) if each]
        return ": ".join(causes)
    return ""


def _answer(order: Mapping[str, Any]) -> dict[str, Any]:
    try:
        other = _in_the_way(order)
        return ORDERS[order["order"]](order) if other is None else {"in_the_way": asdict(other)}
    except Exception as error:  # noqa: BLE001  # the other side decides what an error means
        return {"error": f"{type(error).__name__}: {error}"}


def _in_the_way(order: Mapping[str, Any]) -> InTheWay | None:
    """Return who has the cluster, or None when whoever orders has it; looking is what claims it."""
    mine = Claim(**order["claim"])
    if order["order"] == "look":
        return hold(RayKeys(), mine, take_over=order["take_over"])
    return in_the_way(RayKeys(), mine)


def look(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nodes with what each has free, the groups that are not removed, and the names of strays adopted by us.

    What is free is read first: a group that is made meanwhile is not taken for somebody else's work.
    """
    free = available_resources_per_node()
    nodes = [{**node, "Free": free.get(node["NodeID"], node["Resources"])} for node in ray.nodes()]
    groups = [{"name": name, "bundles": _bundles(group)} for name, group in _groups().items()]
    owner, keys = order["claim"]["owner"], RayKeys()
    adopted = [name.removeprefix(ADOPTED) for name in keys.names(ADOPTED) if keys.get(name) == owner]
    return {"nodes": nodes, "groups": groups, "adopted": adopted}


def confirm(_: Mapping[str, Any]) -> dict[str, Any]:
    """Do nothing: that it is answered says that whoever orders has the cluster."""
    return {}


def adopt(order: Mapping[str, Any]) -> dict[str, Any]:
    """Note that a stray is ours."""
    RayKeys().put(ADOPTED + order["name"], order["claim"]["owner"], overwrite=True)
    return {}


def unserve(order: Mapping[str, Any]) -> dict[str, Any]:
    """Have Serve remove an application that was not made by its configuration."""
    serve.delete(order["name"], _blocking=False)
    return {}


def leave(order: Mapping[str, Any]) -> dict[str, Any]:
    """Let anybody claim the cluster."""
    let_go(RayKeys(), Claim(**order["claim"]))
    return {}


def reserve(order: Mapping[str, Any]) -> dict[str, Any]:
    """Make a detached group of `bundles` on the nodes that `selectors` name; all of it or nothing.

    Returns:
        "created": whether it stands. A group of that name that is there already is left alone.
    """
    name = order["name"]
    if name in _groups():
        return {"created": True}
    group = placement_group(
        list(order["bundles"]),
        strategy="PACK",
        name=name,
        lifetime="detached",
        bundle_label_selector=list(order["selectors"]),
    )
    created = bool(group.wait(order["wait_s"]))
    if not created:
        remove_placement_group(group)  # a pending group would grab the room later, unasked
    return {"created": created}


def release(order: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the groups named and the supervisors of the jobs of those names; whatever runs in or under them is killed.

    A supervisor is an actor of Ray's that runs the driver. It is no part of the group, and one that hangs while it
    starts would ignore any order to stop.

    Returns:
        "found": the names of which there was anything left.
    """
    groups = _groups()
    return {"found": [name for name in order["names"] if _end(name, groups)]}


def _end(name: str, groups: Mapping[str, dict[str, Any]]) -> bool:
    supervisor = _supervisor(name)
    if supervisor is not None:
        ray.kill(supervisor, no_restart=True)
    if name in groups:
        remove_placement_group(_handle(groups[name]))
    return supervisor is not None or name in groups


def _supervisor(name: str) -> ActorHandle | None:
    try:
        return ray.get_actor(JOB_ACTOR_NAME_TEMPLATE.format(job_id=name), namespace=SUPERVISOR_ACTOR_RAY_NAMESPACE)
    except ValueError:
        return None


ORDERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "adopt": adopt,
    "confirm": confirm,
    "leave": leave,
    "look": look,
    "reserve": reserve,
    "release": release,
    "unserve": unserve,
}


class RayKeys:
    """Keys in Ray's own store, which lives as long as the cluster's head."""

    def get(self, key: str) -> str | None:
        """Return a value, or None."""
        value: bytes | None = internal_kv._internal_kv_get(key, namespace=NAMESPACE)  # noqa: SLF001  # Ray offers no other
        return None if value is None else value.decode()

    def put(self, key: str, value: str, *, overwrite: bool) -> bool:
        """Set a value; return whether it was set."""
        there = internal_kv._internal_kv_put(key, value, overwrite=overwrite, namespace=NAMESPACE)  # noqa: SLF001  # likewise
        return overwrite or not there

    def names(self, prefix: str) -> list[str]:
        """Return the keys that begin so."""
        return [name.decode() for name in internal_kv._internal_kv_list(prefix, namespace=NAMESPACE)]  # noqa: SLF001  # likewise

    def delete(self, key: str) -> None:
        """Remove a key."""
        internal_kv._internal_kv_del(key, namespace=NAMESPACE)  # noqa: SLF001  # likewise


def _groups() -> dict[str, dict[str, Any]]:
    table: Sequence[dict[str, Any]] = list(placement_group_table().values())
    return {group["name"] or group["placement_group_id"]: group for group in table if group["state"] != GONE}


def _bundles(group: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """Return the node of each bundle that has one, and what is kept there for it."""
    nodes = group.get("bundles_to_node_id", {})
    return [(nodes[number], amounts) for number, amounts in group["bundles"].items() if nodes.get(number)]


def _handle(group: Mapping[str, Any]) -> PlacementGroup:
    return PlacementGroup(ray.PlacementGroupID(bytes.fromhex(group["placement_group_id"])))


if __name__ == "__main__":
    main(sys.argv[1])
