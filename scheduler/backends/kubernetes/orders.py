"""Objects that are given to Headroom as orders: what their owners ask for, by labels and annotations."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.kinds import End
from scheduler.backends.kubernetes.marks import (
    CHECKPOINTS,
    HOLD,
    JOB,
    MAX_RUNTIME,
    OBJECT,
    OWNER,
    PREEMPTIBLE,
    PRIORITY,
    QUEUE,
    SLOTS,
    STORE,
    length_s,
)
from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Order
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang

PRIORITY_CLASS: Final = "normal"
_YES_NO: Final = {"true": True, "false": False}


def order_of(seen: TrainingObject, store: str) -> Order | None:
    """Return the order that an object is; None for one that is over and was never ours, or is being deleted.

    Args:
        seen: the object.
        store: identity of our store.
    """
    is_ours = bool(seen.annotations.get(JOB)) and seen.annotations.get(STORE) == store
    if seen.is_going or (seen.ending.end is not End.OPEN and not is_ours):
        return None
    said = {**seen.annotations, **seen.labels}
    try:
        spec, fault = _spec(seen, said), seen.fault
    except ValueError as error:
        spec, fault = _plain(seen, said), str(error)
    if not seen.is_suspended and not (is_ours and SLOTS in seen.annotations) and seen.ending.end is End.OPEN:
        fault = fault or "it was started past Headroom: set suspend: true, and it is started when there is room"
    return Order(spec, seen.created_s, held=said.get(HOLD, ""), fault=fault)


class Orders:
    """All orders; those of objects that ask for the same as before are the same ones.

    Args:
        store: identity of our store.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._made: dict[str, tuple[TrainingObject, str, Order | None]] = {}

    def of(self, objects: Iterable[TrainingObject], stuck_on: Mapping[str, str]) -> tuple[Order, ...]:
        """Return the orders of some objects.

        Args:
            objects: all there are.
            stuck_on: see `stuck`.
        """
        before, self._made = self._made, {}
        for seen in objects:
            where = stuck_on.get(seen.uid, "") if seen.is_suspended else ""
            old = before.get(seen.origin)
            if old is not None and old[0] is seen and old[1] == where:
                self._made[seen.origin] = old
                continue
            order = order_of(seen, self._store)
            if order is not None and where and not order.held:
                order = replace(order, held=f"pods of it still end on {where}, which is away")
            is_same = old is not None and old[2] == order
            self._made[seen.origin] = seen, where, (old[2] if old is not None and is_same else order)
        return tuple(order for *_, order in self._made.values() if order is not None)


def stuck(nodes: Mapping[str, Node], index: PodIndex) -> Mapping[str, str]:
    """Return the hosts on which pods of objects end that do not say so, by the uid of the object.

    Whatever is started in their place would meet them when the host is heard again.
    """
    away = [name for name, node in nodes.items() if not node.is_ready]
    return {
        pod.labels[OBJECT]: name for name in away for pod in index.on(name) if pod.is_going and OBJECT in pod.labels
    }


def _plain(seen: TrainingObject, said: Mapping[str, str]) -> JobSpec:
    """Return as much of what is asked for as cannot be wrong."""
    return JobSpec(
        name=seen.name,
        entrypoint=seen.entrypoint,
        gang=seen.asking.gang if seen.asking else Gang(1, Shape()),
        owner=said.get(OWNER) or seen.namespace,
        queue=said[QUEUE],
        grace_period_s=seen.asking.grace_s if seen.asking else 30.0,
        origin=seen.origin,
    )


def _spec(seen: TrainingObject, said: Mapping[str, str]) -> JobSpec:
    plain = _plain(seen, said)
    return JobSpec(
        name=plain.name,
        entrypoint=plain.entrypoint,
        gang=plain.gang,
        owner=plain.owner,
        queue=plain.queue,
        priority_class=said.get(PRIORITY, PRIORITY_CLASS),
        preemptible=_yes_no(said, PREEMPTIBLE),
        grace_period_s=plain.grace_period_s,
        checkpoint_interval_s=_length(said, CHECKPOINTS),
        max_runtime_s=_length(said, MAX_RUNTIME) or seen.deadline_s,
        origin=plain.origin,
    )


def _yes_no(said: Mapping[str, str], key: str) -> bool:
    text = said.get(key, "true").lower()
    if text not in _YES_NO:
        msg = f'{key} is "{text}", neither true nor false'
        raise ValueError(msg)
    return _YES_NO[text]


def _length(said: Mapping[str, str], key: str) -> float | None:
    if key not in said:
        return None
    try:
        return length_s(said[key])
    except ValueError as error:
        msg = f"{key}: {error}"
        raise ValueError(msg) from error
