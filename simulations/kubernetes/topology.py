"""Zone and region of a node on the pods that are bound to it."""

from simulations.kubernetes.failures import Json
from simulations.kubernetes.store import Store

TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


def copy_topology(store: Store, pod: Json) -> None:
    """Label a pod with the zone and region of its node, as the server does when it is bound."""
    node = store.get(("", "nodes"), ("", pod["spec"]["nodeName"]))
    found = {word: node.labels[word] for word in TOPOLOGY if word in node.labels} if node else {}
    if found:
        pod["metadata"]["labels"] = (pod["metadata"].get("labels") or {}) | found
