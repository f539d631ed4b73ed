"""Which pod of a gang goes where: workers to the slots that are free, in the order of their ranks."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from scheduler.backends.kubernetes.asking import Asking
from scheduler.backends.kubernetes.marks import GATE
from scheduler.backends.kubernetes.nodes import HOSTNAME
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.running import Attempt
from scheduler.model.resources import Slot

INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Label of the pods of an indexed Job."""


def paired(attempt: Attempt) -> tuple[tuple[Pod, str], ...]:
    """Return which host each pod at our gate goes to: those of the slots that no other pod of it has.

    Workers go in the order of their ranks; what comes beside them goes with the first.
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
    return tuple(_placed(waiting, asking, attempt.marks.slots, free))


def _placed(
    waiting: Iterable[Pod], asking: Asking, slots: tuple[Slot, ...], free: Counter[str]
) -> Iterable[tuple[Pod, str]]:
    for pod in sorted(waiting, key=_rank):
        if not _is_worker(pod, asking):
            yield pod, slots[0].host
            continue
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
