"""Orders to objects that train: start, suspend, forget, adopt. Each is one patch that tests what it goes by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from scheduler.backends.kubernetes import patches
from scheduler.backends.kubernetes.attempts import objects_of
from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.connection import Connection, Refused
from scheduler.backends.kubernetes.kinds import End
from scheduler.backends.kubernetes.marks import Marks
from scheduler.backends.kubernetes.objects import TrainingObject, place_of
from scheduler.backends.kubernetes.orders import order_of
from scheduler.backends.kubernetes.room import Room
from scheduler.backends.kubernetes.running import Attempt
from scheduler.control.ports import JobSpecs
from scheduler.model.errors import ActionFailed, NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import StartJob
from scheduler.model.workloads import JobId

UNPROCESSABLE: Final = 422


@dataclass(frozen=True, slots=True)
class Training:
    """What is ordered of objects that train.

    Attributes:
        connection: to the API server.
        specs: what was accepted.
        owner: identity of our store.
    """

    connection: Connection
    specs: JobSpecs
    owner: str

    def start(self, action: StartJob, caches: Caches, room: Room) -> None:
        """Start an attempt; nothing happens when it was started already.

        Raises:
            ActionFailed: it is not there, not as it was accepted, or has no room.
            Unreachable: the cluster does not answer.
        """
        spec = self._spec(action.job_id)
        seen = self._object(spec, caches)
        marks = Marks.of(seen.annotations)
        key = (action.job_id, action.attempt, self.owner)
        if marks is not None and (marks.job_id, marks.attempt, marks.owner) == key:
            return
        why = self._obstacle(seen, spec, room) or (
            room.missing(seen.asking, action.slots) if seen.asking else seen.fault
        )
        if why:
            raise ActionFailed(f"job {action.job_id} cannot start: {why}")
        new = Marks(action.job_id, action.attempt, action.slots, self.owner, room.now_s)
        self._patched(seen, patches.start(seen, new), caches)

    def stop(self, attempt: Attempt, caches: Caches) -> None:
        """Suspend an attempt; nothing happens when it is told to stop already, or is over."""
        seen = attempt.seen
        if not attempt.is_told_to_stop and seen.ending.end is End.OPEN:
            self._patched(seen, patches.suspend(seen), caches)

    def forget(self, attempt: Attempt, caches: Caches) -> None:
        """Take an ended attempt off its object; nothing happens when that is gone."""
        self._patched(attempt.seen, patches.forget(attempt.seen), caches)

    def adopt(self, attempt: Attempt, caches: Caches) -> None:
        """Make an attempt ours."""
        self._patched(attempt.seen, patches.adopt(attempt.seen, self.owner), caches)

    def _spec(self, job_id: JobId) -> JobSpec:
        try:
            return self.specs.spec(job_id)
        except NotFound as error:
            raise ActionFailed(str(error)) from error

    def _object(self, spec: JobSpec, caches: Caches) -> TrainingObject:
        place = place_of(spec.origin)
        if place is None:
            raise ActionFailed(
                f"job {spec.name} was not given to this cluster: there is no object to start",
                help="apply a suspended object with the label headroom/queue",
            )
        kind, key, uid = place
        seen: TrainingObject | None = caches.of(kind.plural).get(key)
        if seen is None or seen.uid != uid:
            raise ActionFailed(f"{kind.name} {key} is not there any more")
        return seen

    def _obstacle(self, seen: TrainingObject, spec: JobSpec, room: Room) -> str:
        """Return what about an object is in the way of its start, or ""."""
        if seen.is_going or seen.ending.end is not End.OPEN:
            return "it is over"
        if not seen.is_suspended:
            return "it was started past Headroom"
        order = order_of(seen, self.owner)
        if order is None or order.fault:
            return order.fault if order else "it is over"
        if replace(order.spec, priority=spec.priority) != spec:
            return "it was edited since it was looked at"
        ending = room.index.of(seen.uid)
        if ending:
            return f"pods of it still end, for instance {ending[0].name} on {ending[0].node or 'no host'}"
        return ""

    def _patched(self, seen: TrainingObject, patch: patches.Patch, caches: Caches) -> None:
        try:
            caches.learn(seen.kind.plural, self.connection.patch(seen.path, patch))
        except Refused as refusal:
            if refusal.status == UNPROCESSABLE and not refusal.causes:
                said = f"{seen.kind.name} {seen.key} was changed in the same moment; it is looked at again"
                raise ActionFailed(said) from refusal
            raise


def of_job(attempts: Iterable[Attempt], job_id: JobId, number: int, owner: str) -> Attempt | None:
    """Return an attempt of ours by its job and number."""
    key = (job_id, number, owner)
    return next((one for one in attempts if (one.marks.job_id, one.marks.attempt, one.marks.owner) == key), None)


def marked(caches: Caches, job_id: JobId, number: int, owner: str) -> TrainingObject | None:
    """Return the object that carries an attempt of ours."""
    for seen in objects_of(caches):
        marks = Marks.of(seen.annotations)
        if marks is not None and (marks.job_id, marks.attempt, marks.owner) == (job_id, number, owner):
            return seen
    return None


def object_named(caches: Caches, origin: str) -> TrainingObject | None:
    """Return an object by its origin."""
    return next((seen for seen in objects_of(caches) if seen.origin == origin), None)
