"""Which pod of a gang goes where: workers to the slots that are free, in the order of their ranks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from scheduler.backends.kubernetes.asking import Asking
from scheduler.backends.kubernetes.marks import GATE
from scheduler.backends.kubernetes.nodes import HOSTNAME
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.running import Attempt
from scheduler.model.resources import Slot

INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Label of the pods of an indexed Job."""


def paired(attempt: Attempt, places: Mapping[str, str]) -> tuple[tuple[Pod, str], ...]:
    """Return which host each pod at our gate goes to: those of the slots that no other pod of it has.

    Workers go in the order of their ranks; what comes beside them goes with the first, or to its own place.

    Args:
        attempt: with all its pods.
        places: hosts of what goes by rules of its own, by role.
    """
    asking = attempt.seen.asking
    if asking is None or not attempt.marks.slots:
        return ()
    free = Counter(slot.host for slot in attempt.marks.slots)
    waiting = []
    for pod in attempt.pods:
        if GATE in pod.gates and not pod.is_going:
            waiting.append(pod)
        elif _is_worker(pod, asking):
            free[pod.node or dict(pod.node_selector).get(HOSTNAME, "")] -= 1
    first = attempt.marks.slots[0].host
    beside = [(pod, places.get(role_of(pod), first)) for pod in waiting if not _is_worker(pod, asking)]
    workers = [pod for pod in waiting if _is_worker(pod, asking)]
    return (*beside, *_placed(workers, attempt.marks.slots, free))


def _placed(workers: Iterable[Pod], slots: tuple[Slot, ...], free: Counter[str]) -> Iterable[tuple[Pod, str]]:
    for pod in sorted(workers, key=_rank):
        host = next((slot.host for slot in slots if free[slot.host] > 0), None)
        if host is not None:
            free[host] -= 1
            yield pod, host


def _is_worker(pod: Pod, asking: Asking) -> bool:
    """Whether a pod is one of the equal workers, rather than what comes beside them."""
    return role_of(pod) in {"", asking.role}


def role_of(pod: Pod) -> str:
    """Return of which part a pod is, by the labels of its controller; "" where they say nothing."""
    labels = pod.labels
    if labels.get("ray.io/node-type") == "head":
        return "head"
    return labels.get("ray.io/group") or labels.get("jobset.sigs.k8s.io/replicatedjob-name") or ""


def _rank(pod: Pod) -> tuple[int, int, str]:
    labels = pod.labels
    job, index = labels.get("jobset.sigs.k8s.io/job-index", "0"), labels.get(INDEX, "0")
    return int(job) if job.isdigit() else 0, int(index) if index.isdigit() else 0, pod.name
