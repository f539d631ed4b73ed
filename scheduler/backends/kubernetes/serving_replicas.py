"""Pods as replicas: in which state, where, what they hold, and what is wrong with them."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.serving_patches import is_first_to_go
from scheduler.backends.kubernetes.serving_workloads import Running
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel


def bound(running: Running) -> tuple[Pod, ...]:
    """Return the pods that have a host."""
    return tuple(pod for pod in running.pods if pod.node)


def without_host(running: Running) -> int:
    """Return how many replicas controllers want that have no host: pods that wait, or are still to come."""
    return max(0, running.wanted - sum(not pod.is_going for pod in bound(running)))


def state_of(pod: Pod, running: Running) -> ReplicaState:
    """Return where a bound pod is in its life: one that is to go first stops when there are more than are wanted."""
    if pod.is_going:
        return ReplicaState.STOPPING
    if is_first_to_go(pod) and sum(not one.is_going for one in bound(running)) > running.wanted:
        return ReplicaState.STOPPING
    return ReplicaState.READY if pod.is_ready else ReplicaState.STARTING


def replica_of(pod: Pod, model: ServingModel, state: ReplicaState, slot: Slot, since_s: float) -> Replica:
    """Return a bound pod of a model as a replica."""
    shape = shape_of(pod, slot, model.shape)
    return Replica(ReplicaId(pod.uid), model.name, slot, state, since_s, shape, revision=model.revision)


def shape_of(pod: Pod, slot: Slot, declared: Shape) -> Shape | None:
    """Return what a pod holds; None where that is what its model declares."""
    amounts = (pod.requests.cpu_milli, pod.requests.memory_mib, len(slot.devices))
    if amounts == (declared.cpu_milli, declared.memory_mib, declared.gpu_count):
        return None
    cpu_milli, memory_mib, devices = amounts
    milli = declared.gpu_milli if devices == 1 else WHOLE_DEVICE_MILLI
    return replace(declared, cpu_milli=cpu_milli, memory_mib=memory_mib, gpu_count=devices, gpu_milli=milli)


def complaints(name: str, running: Running) -> Iterator[str]:
    """Yield what operators should know of a model's pods."""
    for part in running.parts:
        if part.deployment.failure:
            yield f"{name}: pods of {part.deployment.key} cannot be created: {part.deployment.failure}"
    for pod in running.pods:
        if pod.unscheduled and not pod.node:
            yield f"{name}: {pod.name} finds no host: {pod.unscheduled}"
        elif pod.trouble and not pod.is_ready and not pod.is_going:
            yield f"{name}: {pod.name} on {pod.node or 'no host'} does not get ready: {pod.trouble}"
