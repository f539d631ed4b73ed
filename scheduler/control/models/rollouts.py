"""The rollouts of all models, turn by turn: what is seen moves them on, and it is saved before anything is done."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.isolation.warmups import LATE_AFTER, LEAST_WALL_S
from scheduler.control.model_records import ModelRecord, Revision, RevisionCounts
from scheduler.control.models.judging import Look
from scheduler.control.models.rollout import Advanced, advanced
from scheduler.control.models.roster import Reader, Roster, Stored, roster_of
from scheduler.control.ports import Store
from scheduler.control.records import EventRecord
from scheduler.control.reports.board import RequestCounts
from scheduler.control.settings import RolloutTerms, Served
from scheduler.model.observation import Observation
from scheduler.model.workloads import Replica

Counts = Mapping[tuple[str, int], RevisionCounts]
"""Requests that each revision of each model has had; a model that is not there was not counted yet."""
SIGN: Final = "@"
"""Between a model and the number of its revision in the names under which requests are counted."""
_TERMS: Final = RolloutTerms()


def models_in(counts: Mapping[str, RequestCounts]) -> dict[str, RequestCounts]:
    """Return the requests by model alone."""
    return {name: of for name, of in counts.items() if SIGN not in name}


def revisions_in(counts: Mapping[str, RequestCounts]) -> dict[tuple[str, int], RevisionCounts]:
    """Return the requests by model and revision, those under names of revisions (`trial_name`)."""
    parts = {name: name.partition(SIGN) for name in counts if SIGN in name}
    return {
        (model, int(number)): RevisionCounts(counts[name].total, counts[name].late, counts[name].failed)
        for name, (model, _, number) in parts.items()
    }


@dataclass(slots=True)
class Rollouts:
    """Moves rollouts on, and says what is served.

    Attributes:
        store: what was deployed.
        gate: held while records are read, changed and saved.
        declared: models of the file.
        read: makes a model of what the store has kept of its section.
        walls: keep a model that cannot be read from the others.
        measured: warm-ups by which models are planned, where their starts were measured.
    """

    store: Store
    gate: AbstractContextManager[object]
    declared: Sequence[Served]
    read: Callable[[str], Served]
    walls: Bulkheads
    measured: Mapping[str, float] = field(default_factory=dict)
    _reader: Reader = field(init=False)
    _replicas: tuple[Replica, ...] = ()

    def __post_init__(self) -> None:
        self._reader = Reader(self.read, self._revision)

    def roster(self) -> Roster:
        """Return what is served, by what was last seen."""
        return roster_of(self.declared, self._stored(self.store.models()), self._replicas)

    def advance(self, seen: Observation, counts: Counts, number: int) -> Roster:
        """Move every rollout on by what is seen, save that, and return what is served then."""
        self._replicas = seen.replicas
        with self.gate:
            before = self._stored(self.store.models())
            steps = [(one, self._step(one, seen, counts)) for one in before]
            for one, step in steps:
                if step.record != one.record:
                    self._save(one.record, step, number, seen.taken_at_s)
        after = [replace(one, record=step.record) for one, step in steps]
        return roster_of(self.declared, after, seen.replicas)

    def _revision(self, name: str, number: int) -> Revision:
        return self.store.revision(name, number)

    def _stored(self, records: Sequence[ModelRecord]) -> list[Stored]:
        return [one for record in records if (one := self._one(record)) is not None]

    def _one(self, record: ModelRecord) -> Stored | None:
        part = Part(f"reading model {record.name}", record.name, "it is not served")
        return self.walls.within(part, lambda: self._reader.stored(record), lambda: None)

    def _step(self, one: Stored, seen: Observation, counts: Counts) -> Advanced:
        record = one.record
        if record.removed_s is not None:
            return Advanced(record)
        newest = one.revisions.get(record.rollout.to if record.rollout else record.serving)
        warm_up_s = max(newest.model.warm_up_s if newest else 0.0, self.measured.get(record.name, 0.0))
        look = Look(
            seen.taken_at_s,
            [replica for replica in seen.replicas if replica.model == record.name],
            {revision: of for (model, revision), of in counts.items() if model == record.name} or None,
            max(LEAST_WALL_S * self.walls.speed, LATE_AFTER * warm_up_s),
        )
        return advanced(record, newest.rollout if newest else _TERMS, look)

    def _save(self, before: ModelRecord, step: Advanced, cycle: int, now_s: float) -> None:
        event = EventRecord(now_s, cycle, step.kind, before.name, step.title, step.detail)
        revisions: tuple[Revision, ...] = ()
        if step.fate and step.record.rollout is not None:
            revision = self.store.revision(before.name, step.record.rollout.to)
            revisions = (replace(revision, fate=step.fate),)
        self.store.save_model(step.record, revisions, (event,) if step.title else ())
