"""Which models are served now: those of the file, and those that were deployed since, each with its revisions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scheduler.control.model_records import ModelRecord, Revision
from scheduler.control.settings import Declared, Served
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.workloads import Replica, ReplicaState, ServingModel, trial_name


@dataclass(frozen=True, slots=True)
class Roster:
    """What is served at one moment.

    Attributes:
        served: models with a load of their own, most important first.
        others: what is planned without one, as many replicas as its demand says: revisions on trial, and none of what
            is being removed.
        declared: all revisions that have replicas, or may get some.
        records: models that the store owns, removed ones too.
    """

    served: tuple[Served, ...] = ()
    others: tuple[tuple[ServingModel, ModelDemand], ...] = ()
    declared: tuple[Declared, ...] = ()
    records: tuple[ModelRecord, ...] = ()

    @property
    def models(self) -> tuple[ServingModel, ...]:
        """All of them, as the planner knows them."""
        return (*(one.model for one in self.served), *(model for model, _ in self.others))

    def demand(self, of_load: Demand) -> Demand:
        """Return the demand that comes of load with that of what has none: it comes last."""
        return Demand((*of_load.models, *(demand for _, demand in self.others)), of_load.pools)


@dataclass(frozen=True, slots=True)
class Stored:
    """A model that the store owns, read.

    Attributes:
        record: how far it is.
        revisions: by number, those that have replicas or may get some; its model has the number that replicas carry.
    """

    record: ModelRecord
    revisions: Mapping[int, Served]

    @property
    def served(self) -> Served | None:
        """It as it serves; None when it is not to."""
        main = self.record.main
        if not main or not self.record.is_there or main not in self.revisions:
            return None
        served = self.revisions[main]
        withdrawn = frozenset(self.record.withdrawn) - {served.model.revision}
        return replace(served, model=replace(served.model, withdrawn=withdrawn))

    @property
    def other(self) -> tuple[ServingModel, ModelDemand] | None:
        """What is planned beside it: a revision on trial, or that nothing of it shall run."""
        if (served := self.served) is None:
            return self._nothing()
        tried = self.revisions.get(self.record.on_trial)
        if tried is None:
            return None
        name, count = trial_name(self.record.name, tried.model.revision), tried.model.surge
        model = replace(
            tried.model, name=name, of=served.model.name, min_replicas=0, max_replicas=count, survive_host_losses=0
        )
        return model, ModelDemand(name, 0, count, count, rps_per_replica=tried.rule.rps_per_replica)

    def declared(self, replicas: Sequence[Replica]) -> list[Declared]:
        """Return its revisions as a cluster must know them; `replicas` are its own."""
        last = sorted(self.revisions, key=lambda number: (number == self.record.main, number))
        runs = {self.revisions[number].model.revision: self.revisions[number] for number in last}
        return [one.declared(self._share(one, replicas)) for _, one in sorted(runs.items())]

    def _share(self, one: Served, replicas: Sequence[Replica]) -> float | None:
        """Return the part of the requests that a revision gets: one that is withdrawn none, once others can do it."""
        record, rollout, runs = self.record, self.record.active, one.model.revision
        if rollout is not None and record.on_trial and runs == rollout.runs:
            return rollout.share
        main = self.served.model.revision if self.served is not None else 0
        ready = [each.revision for each in replicas if each.state is ReplicaState.READY]
        is_done_without = ready.count(main) >= ready.count(runs)
        return 0.0 if runs in record.withdrawn and runs != main and is_done_without else None

    def _nothing(self) -> tuple[ServingModel, ModelDemand] | None:
        if self.record.removed_s is not None or not self.revisions:
            return None
        model = self.revisions[max(self.revisions)].model
        bare = replace(model, min_replicas=0, max_replicas=0, survive_host_losses=0)
        return bare, ModelDemand(model.name, 0, 0, 0)


def numbers_of(record: ModelRecord) -> tuple[int, ...]:
    """Return the revisions of a model that have replicas, or may get some."""
    if record.removed_s is not None:
        return ()
    last = record.rollout.to if record.rollout is not None else 0
    return tuple(sorted({record.serving, last, *record.withdrawn} - {0}))


@dataclass(slots=True)
class Reader:
    """Reads revisions, each once: they never change.

    Attributes:
        read: makes a model of what is kept of its section.
        revision: reads one from the store.
    """

    read: Callable[[str], Served]
    revision: Callable[[str, int], Revision]
    _known: dict[tuple[str, int], Served] = field(default_factory=dict)

    def stored(self, record: ModelRecord) -> Stored:
        """Return a model with its revisions."""
        return Stored(record, {number: self._served(record.name, number) for number in numbers_of(record)})

    def _served(self, name: str, number: int) -> Served:
        if (name, number) not in self._known:
            revision = self.revision(name, number)
            self._known[name, number] = self.read(revision.body).as_revision(revision.runs)
        return self._known[name, number]


def roster_of(declared: Sequence[Served], stored: Sequence[Stored], replicas: Iterable[Replica] = ()) -> Roster:
    """Return what is served.

    Args:
        declared: models of the file; one that the store owns too is the store's.
        stored: those that were deployed, oldest first.
        replicas: what runs.
    """
    owned = {one.record.name for one in stored}
    own = [served for one in stored if (served := one.served) is not None]
    ordered = in_order([one for one in declared if one.model.name not in owned], own)
    others = tuple(other for one in stored if (other := one.other) is not None)
    if any(one.record.active for one in stored):
        ordered = [replace(one, surge=0) for one in ordered]  # the room held for one update is what it takes
    running = tuple(replicas)
    seen = [one for one in declared if one.workload is not None or not one.model.elsewhere]
    known = [one.declared() for one in seen if one.model.name not in owned]
    for one in stored:
        known += one.declared([each for each in running if each.model == one.record.name])
    return Roster(tuple(ordered), others, tuple(known), tuple(one.record for one in stored))


def in_order(declared: Sequence[Served], deployed: Iterable[Served]) -> list[Served]:
    """Return all models, most important first: those of the file in its order, others of their kind after them.

    The kinds are the organisation's own, and then the community's.
    """
    new = list(deployed)
    ours = [one for one in new if not one.model.community]
    last = max((at for at, one in enumerate(declared, 1) if not one.model.community), default=0)
    return [*declared[:last], *ours, *declared[last:], *(one for one in new if one.model.community)]
