"""Attempts that are on the cluster, by what is written on their objects."""

from collections.abc import Iterator

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.kinds import KINDS
from scheduler.backends.kubernetes.marks import Marks
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.pods import NOBODY
from scheduler.backends.kubernetes.running import Attempt


def objects_of(caches: Caches) -> Iterator[TrainingObject]:
    """Yield all objects that train and are given to Headroom."""
    for kind in KINDS:
        yield from caches.of(kind.plural).values()


def left_behind(index: PodIndex) -> tuple[str, ...]:
    """Return sentences about pods that run on after their object was deleted: a Job's do unless it says otherwise."""
    found = (pod for uid in index.uids() for pod in index.of(uid) if pod.owner == NOBODY and not pod.is_going)
    return tuple(
        f"pod {pod.key} runs on though its job was deleted, and keeps its room: kubectl -n {pod.namespace} delete pod "
        f"{pod.name} (delete jobs with kubectl, or with propagationPolicy: Background)"
        for pod in found
    )


def attempts_of(caches: Caches, index: PodIndex) -> Iterator[Attempt]:
    """Yield the attempts that are written on objects, whoever started them; ended ones too."""
    for seen in objects_of(caches):
        marks = Marks.of(seen.annotations)
        if marks is not None:
            yield Attempt(seen, marks, tuple(index.of(seen.uid)), index.done(seen.uid))
