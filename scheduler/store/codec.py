"""Cycles as JSON, in the database and in journal files: a file is one cycle a line, gzipped when it ends in .gz.

The ledger is not written: `Snapshot.of` counts it again from what is.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Final

from pydantic import ConfigDict, Discriminator, Tag, TypeAdapter, ValidationError

from policies.choices import Choices
from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.hosts import Host
from scheduler.model.plan import (
    Booking,
    PeakHold,
    Plan,
    PreemptJob,
    Proposal,
    Reservation,
    StartJob,
    StartReplica,
    StopReplica,
    Unplaced,
)
from scheduler.model.queues import MeanUse, Queue
from scheduler.model.resources import Held
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import NOTHING_SEEN, WorkSeen
from scheduler.model.workloads import Moved, Replica, ServingModel, TrainingJob

_HELP: Final = "a journal of turns, as headroom replay --write keeps them"


def encode_cycle(cycle: CycleRecord) -> bytes:
    """Return one cycle as one line of JSON, without the line's end."""
    return _CYCLE.dump_json(body_of(cycle))


def decode_cycle(text: bytes | str) -> CycleRecord:
    """Return the cycle that `encode_cycle` wrote.

    Raises:
        ConfigError: it is not one.
    """
    return record_of(decode_body(text))


def decode_body(text: bytes | str) -> "CycleBody":
    """Return what `encode_cycle` wrote, as it was written.

    Raises:
        ConfigError: it is no cycle.
    """
    try:
        return _CYCLE.validate_json(text)
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"not a journalled cycle: {_first_line(error)}") from error


def write_journal(path: Path, cycles: Iterable[CycleRecord]) -> None:
    """Export cycles to a file that `read_journal` reads."""
    for _ in written_to(path, cycles):
        pass


def written_to(path: Path, cycles: Iterable[CycleRecord]) -> Iterator[CycleRecord]:
    """Yield cycles, each when it has been written to a file that `read_journal` reads."""
    with ExitStack() as stack:
        plain: BinaryIO = stack.enter_context(path.open("wb"))
        zipped = gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if path.suffix == ".gz" else None
        file = stack.enter_context(zipped) if zipped else plain
        for cycle in cycles:
            file.write(encode_cycle(cycle) + b"\n")
            yield cycle


def read_journal(path: Path) -> Iterator[CycleRecord]:
    """Yield the cycles of a file, one at a time.

    Raises:
        ConfigError: a line is not a cycle, or the file cannot be read; names file and line.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                yield _line(path, line, text)
    except (OSError, EOFError, zlib.error) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(Fault("BadJournal", f"cannot be read: {said}", str(path), help=_HELP)) from error


def _line(path: Path, number: int, text: bytes) -> CycleRecord:
    try:
        return decode_cycle(text)
    except ConfigError as error:
        raise ConfigError(Fault("BadJournal", error.faults[0].message, str(path), number, help=_HELP)) from error


@dataclass(frozen=True, slots=True)
class SnapshotBody:
    """A snapshot without what is counted from it."""

    version: int
    taken_at_s: float
    hosts: tuple[Host, ...]
    jobs: tuple[TrainingJob, ...]
    models: tuple[ServingModel, ...]
    replicas: tuple[Replica, ...]
    reservations: tuple[Reservation, ...]
    moves: tuple[Moved, ...] = ()
    queues: tuple[Queue, ...] = ()
    usage: tuple[MeanUse, ...] = ()
    work: WorkSeen = NOTHING_SEEN
    foreign: tuple[Held, ...] = ()
    occupied: tuple[Held, ...] = ()


def _action_kind(value: object) -> str:
    """Name the class of an action, or of the mapping that was made from one (their fields tell them apart)."""
    if not isinstance(value, dict):
        return type(value).__name__
    marks = (("replica_id", "StopReplica"), ("grace_period_s", "PreemptJob"), ("job_id", "StartJob"))
    return next((name for field, name in marks if field in value), "StartReplica")


_Action = Annotated[
    Annotated[StopReplica, Tag("StopReplica")]
    | Annotated[PreemptJob, Tag("PreemptJob")]
    | Annotated[StartReplica, Tag("StartReplica")]
    | Annotated[StartJob, Tag("StartJob")],
    Discriminator(_action_kind),
]


@dataclass(frozen=True, slots=True)
class PlanBody:
    """A plan with a reason for each that waits."""

    snapshot_version: int
    actions: tuple[_Action, ...]
    reservations: tuple[Reservation, ...]
    unplaced: tuple[Unplaced, ...]
    proposals: tuple[Proposal, ...] = ()
    holds: tuple[PeakHold, ...] = ()
    bookings: tuple[Booking, ...] = ()


@dataclass(frozen=True, slots=True)
class CycleBody:
    """A cycle as it is written."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="constants")

    number: int
    at_s: float
    snapshot: SnapshotBody
    demand: Demand
    plan: PlanBody
    plan_duration_s: float
    choices: Choices | None = None
    release: str = ""


_CYCLE: TypeAdapter[CycleBody] = TypeAdapter(CycleBody)


def body_of(cycle: CycleRecord) -> CycleBody:
    """Return what of a cycle is written."""
    world, made = cycle.snapshot, cycle.plan
    return CycleBody(
        cycle.number,
        cycle.at_s,
        SnapshotBody(
            world.version,
            world.taken_at_s,
            world.hosts,
            world.jobs,
            world.models,
            world.replicas,
            world.reservations,
            world.moves,
            world.queues,
            world.usage,
            world.work,
            world.foreign,
            world.occupied,
        ),
        cycle.demand,
        PlanBody(
            made.snapshot_version,
            made.actions,
            made.reservations,
            tuple(made.unplaced),
            made.proposals,
            made.holds,
            made.bookings,
        ),
        cycle.plan_duration_s,
        cycle.choices,
        cycle.release,
    )


def record_of(body: CycleBody) -> CycleRecord:
    """Return the cycle of which this was written."""
    world, made = body.snapshot, body.plan
    snapshot = Snapshot.of(
        version=world.version,
        taken_at_s=world.taken_at_s,
        hosts=world.hosts,
        jobs=world.jobs,
        models=world.models,
        replicas=world.replicas,
        reservations=world.reservations,
        moves=world.moves,
        queues=world.queues,
        usage=world.usage,
        foreign=world.foreign,
        occupied=world.occupied,
    )
    plan = Plan(
        made.snapshot_version,
        made.actions,
        made.reservations,
        made.unplaced,
        made.proposals,
        made.holds,
        made.bookings,
    )
    snapshot = replace(snapshot, work=world.work)
    by = (body.choices, body.release)
    return CycleRecord(body.number, body.at_s, snapshot, body.demand, plan, body.plan_duration_s, *by)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).splitlines()[1:3]) or str(error)
