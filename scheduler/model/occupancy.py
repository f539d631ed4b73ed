"""Who has which room at one moment, and what a plan keeps empty: for a peak, or reserved for somebody."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from scheduler.model.counting import plural
from scheduler.model.ledger import Ledger
from scheduler.model.plan import PeakHold, Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import JobId, JobState, Replica, ReplicaState, ServingModel, TrainingJob

HELD: Final = "held"
"""Kind of room kept empty for a peak."""
RESERVED: Final = "reserved"
"""Kind of room that only its holder may take."""
STRAY: Final = "stray"
"""Kind and name of what others run: who they are is in the list of strays."""
OTHERS: Final = "other work"
"""Holder and name of room of which nothing else is known."""
OCCUPIED: Final = "occupied"
"""Kind of room that other work takes."""
_REPLICA_KINDS: Final = {ReplicaState.STARTING: "starting", ReplicaState.STOPPING: "stopping"}


class Use(NamedTuple):
    """One unit of work in its slot, or room kept for one.

    Attributes:
        slot: where.
        shape: what it takes there.
        holder: model name or job id; that of the first model where several share a hold.
        name: the same for people.
        kind: serving, community, starting, stopping, training, preempting, stray, occupied, held or reserved.
    """

    slot: Slot
    shape: Shape
    holder: str
    name: str
    kind: str


def work(snapshot: Snapshot) -> Iterator[Use]:
    """Yield everything that has room: replicas first, then jobs, strays, and other work."""
    models = {model.name: model for model in snapshot.models}
    shapes = {name: model.shape for name, model in models.items()}
    for replica in snapshot.replicas:
        kind = _replica_kind(replica, models.get(replica.model))
        yield Use(replica.slot, shape_held(replica, shapes), replica.model, replica.model, kind)
    for job in snapshot.jobs:
        for slot in job.slots if job.state.holds_room else ():
            yield Use(slot, job.gang.shape, job.job_id, job.name, _job_kind(job))
    for slot, shape in snapshot.foreign:
        yield Use(slot, shape, STRAY, STRAY, STRAY)
    for slot, shape in snapshot.occupied:
        yield Use(slot, shape, OTHERS, OTHERS, OCCUPIED)


def kept(snapshot: Snapshot, plan: Plan) -> Iterator[Use]:
    """Yield the room that a plan keeps empty, as far as nobody has it any more: what is reserved, then what is held."""
    free = _Free(snapshot.ledger)
    for one in plan.reservations:
        name, shape = _holder(snapshot, one.holder)
        taken = (slot for slot in one.slots if name and free.take(slot, shape))
        yield from (Use(slot, shape, one.holder, name, RESERVED) for slot in taken)
    for hold in plan.holds:
        taken = (slot for slot in hold.slots if free.take(slot, hold.shape))
        yield from (Use(slot, hold.shape, hold.models[0], _shared_by(hold), HELD) for slot in taken)


def kept_gpus(snapshot: Snapshot, plan: Plan) -> tuple[float, float]:
    """Return the devices held for peaks, and those reserved, as far as nobody has them."""
    gpus = {HELD: 0.0, RESERVED: 0.0}
    for use in kept(snapshot, plan):
        gpus[use.kind] += snapshot.ledger.table.gpus_at(use.slot, use.shape)
    return gpus[HELD], gpus[RESERVED]


class _Free:
    """The devices that nobody has, while room of them is given away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._given: dict[tuple[str, int], int] = {}

    def take(self, slot: Slot, shape: Shape) -> bool:
        """Give a slot away if all its devices have room for the shape, and say whether."""
        row = self._ledger.table.rows.get(slot.host)
        if row is None or not all(self._left(row, slot.host, device) >= shape.gpu_milli for device in slot.devices):
            return False
        for device in slot.devices:
            self._given[slot.host, device] = self._given.get((slot.host, device), 0) + shape.gpu_milli
        return True

    def _left(self, row: int, host: str, device: int) -> int:
        return int(self._ledger.gpu_milli[row, device]) - self._given.get((host, device), 0)


def _replica_kind(replica: Replica, model: ServingModel | None) -> str:
    return _REPLICA_KINDS.get(replica.state, "community" if model is not None and model.community else "serving")


def _job_kind(job: TrainingJob) -> str:
    return "preempting" if job.state is JobState.PREEMPTING else "training"


def _holder(snapshot: Snapshot, holder: str) -> tuple[str, Shape]:
    """Return what the holder of a reservation is called and takes; "" when it is not there any more."""
    if (model := snapshot.model(holder)) is not None:
        return model.name, model.shape
    job = snapshot.by_id.get(JobId(holder))
    return (job.name or holder, job.gang.shape) if job is not None else ("", Shape())


def _shared_by(hold: PeakHold) -> str:
    others = len(hold.models) - 1
    return f"{hold.models[0]} and {plural(others, 'other')}" if others else hold.models[0]
