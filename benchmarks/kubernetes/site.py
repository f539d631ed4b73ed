"""A large cluster made up on the double: nodes, running pods of a usual size, and gangs that wait to be started."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from simulations.kubernetes.actors.kubelet import running_status
from simulations.kubernetes.api import Api
from simulations.kubernetes.manifests import Json, job, namespace, node, pod
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.store import Store
from simulations.kubernetes.transport import client

DEVICE = "amd.com/gpu"
SPACE = "bench"
POD_BYTES = 4_400  # recorded of a real pod with its managedFields and one status
DEVICES = 8


@dataclass(frozen=True)
class Size:
    """How large the cluster is and what happens on it.

    Attributes:
        nodes: with eight devices each, on which pods run.
        pods: that run there.
        events_per_s: changes of pods' status while gangs are started.
        gangs: started one after another, each on a node of its own.
        workers: pods of a gang, of one device each.
    """

    nodes: int = 5_000
    pods: int = 50_000
    events_per_s: int = 200
    gangs: int = 30
    workers: int = 8


def gang_name(number: int) -> str:
    """Return the name of a gang's Job."""
    return f"gang-{number:03d}"


def free_node(number: int) -> str:
    """Return the node that is kept free for a gang."""
    return f"free-{number:03d}"


def pod_name(number: int) -> str:
    """Return the name of a running pod."""
    return f"pod-{number:06d}"


def fill(api: Api, size: Size) -> None:
    """Put the cluster into a double."""
    rest = Rest(client(api))
    rest.create(namespace(SPACE))
    ready = {"spec": {"taints": None}}
    for name in [*(f"node-{n:05d}" for n in range(size.nodes)), *(free_node(n) for n in range(size.gangs))]:
        rest.create(node(name, cpu="96", memory="1Ti", devices={DEVICE: DEVICES}))
        rest.patch(f"/api/v1/nodes/{name}", ready)
    for number in range(size.gangs):
        labels = {"headroom/queue": "default"}
        body = job(gang_name(number), pods=size.workers, labels=labels, cpu="1", devices={DEVICE: 1})
        rest.create(body | {"metadata": body["metadata"] | {"namespace": SPACE}})
    _copies(api.store, _one_pod(rest), size)


def _one_pod(rest: Rest) -> Json:
    """Return a running pod as the server shows it, filled up to the size of a real one."""
    body = pod("one", labels={"app": "served"}, devices={DEVICE: 1}, nodeName="node-00000")
    made = rest.create(body | {"metadata": body["metadata"] | {"namespace": SPACE}})
    status = {"status": running_status(made, datetime.now(UTC))}
    where = f"/api/v1/namespaces/{SPACE}/pods/one"
    rest.patch(f"{where}/status", status, "strategic")
    missing = POD_BYTES - len(json.dumps(rest.get(where)))
    return rest.patch(where, {"metadata": {"annotations": {"filler": "x" * max(0, missing)}}})


def _copies(store: Store, one: Json, size: Size) -> None:
    """Write the pod again and again under other names, past the rules, which it has passed once."""
    for number in range(size.pods):
        name, on = pod_name(number), f"node-{number % size.nodes:05d}"
        metadata = one["metadata"] | {"name": name, "uid": f"00000000-0000-4000-8000-{number:012d}"}
        body = one | {"metadata": metadata, "spec": one["spec"] | {"nodeName": on}}
        fields = {"metadata.name": name, "metadata.namespace": SPACE, "spec.nodeName": on, "status.phase": "Running"}
        store.write(("", "pods"), (SPACE, name), body, fields)
