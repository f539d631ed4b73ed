"""All that the planner knows of the world at one moment."""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from scheduler.model.differing import differing
from scheduler.model.host_table import HostTable
from scheduler.model.hosts import Host
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Reservation
from scheduler.model.queues import MeanUse, Queue
from scheduler.model.resources import Held, Shape, Slot
from scheduler.model.running import Running, place_of
from scheduler.model.waiting import Waiting
from scheduler.model.work import NOTHING_SEEN, WorkSeen
from scheduler.model.workloads import (
    JobId,
    JobState,
    Moved,
    Replica,
    ReplicaState,
    ServingModel,
    TrainingJob,
    rank_of,
    trial_name,
)

MOST_CHANGES: Final = 3000
"""Changes of jobs beyond which counting anew is quicker than following each of them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world at one moment; build it with `Snapshot.of`, or with a ledger kept up to date elsewhere.

    Attributes:
        version: grows with every change of the world.
        taken_at_s: epoch seconds; the only "now" the planner knows.
        hosts: sorted by name.
        jobs: every job that is not final, sorted by submission then id.
        models: every served model, most important first.
        replicas: every replica that holds room, sorted by id.
        reservations: those of earlier plans.
        held: those that their owners or operators hold, in their order.
        by_id: `jobs` by their id.
        moves: recent moves of running jobs, of those that are over by now too.
        work: what jobs and models have asked for up to now, for policies that learn from it.
        queues: as the site declares them; empty where it shares by nothing but the order of the queue.
        usage: what was used lately, by queue and owner.
        foreign: room that somebody holds whom the planner can neither start nor stop, see `Stray`.
        occupied: room that other work takes on the hosts, see `Observation`; sorted by slot.
        running: those of `jobs` that hold room, as columns.
        queued: those of `jobs` with `state.is_waiting`, as columns.
        living: the replicas of each of `models` that are not stopping and whose hosts are known: ready ones, then
            others. Those of a revision on trial are its own, not its model's.
        ledger: free capacity with `jobs`, `replicas`, `foreign` and `occupied` in place; reservations are not in it.
    """

    version: int
    taken_at_s: float
    hosts: tuple[Host, ...]
    jobs: tuple[TrainingJob, ...]
    models: tuple[ServingModel, ...]
    replicas: tuple[Replica, ...]
    reservations: tuple[Reservation, ...]
    ledger: Ledger = field(compare=False, repr=False)
    running: Running = field(compare=False, repr=False)
    queued: Waiting = field(compare=False, repr=False)
    held: tuple[TrainingJob, ...] = field(compare=False, repr=False)
    by_id: Mapping[str, TrainingJob] = field(compare=False, repr=False)
    living: Mapping[str, tuple[Replica, ...]] = field(compare=False, repr=False)
    moves: tuple[Moved, ...] = ()
    work: WorkSeen = NOTHING_SEEN
    queues: tuple[Queue, ...] = ()
    usage: tuple[MeanUse, ...] = ()
    foreign: tuple[Held, ...] = ()
    occupied: tuple[Held, ...] = ()

    @classmethod
    def of(  # noqa: PLR0913  # one argument per attribute, all by name
        cls,
        *,
        version: int = 0,
        taken_at_s: float = 0.0,
        hosts: Iterable[Host] = (),
        jobs: Iterable[TrainingJob] = (),
        models: Iterable[ServingModel] = (),
        replicas: Iterable[Replica] = (),
        reservations: Iterable[Reservation] = (),
        moves: Iterable[Moved] = (),
        queues: Iterable[Queue] = (),
        usage: Iterable[MeanUse] = (),
        foreign: Iterable[Held] = (),
        occupied: Iterable[Held] = (),
    ) -> "Snapshot":
        """Put the parts in their order and count the ledger from scratch."""
        in_order = tuple(sorted(hosts, key=lambda host: host.name))
        foreign, occupied = tuple(foreign), _by_slot(occupied)
        jobs, models = tuple(sorted(jobs, key=rank_of)), tuple(models)
        replicas = tuple(sorted(replicas, key=lambda replica: replica.replica_id))
        ledger = Ledger.of(in_order, (*_taken(jobs, models, replicas), *foreign, *occupied))
        return cls(
            version=version,
            taken_at_s=taken_at_s,
            hosts=in_order,
            jobs=jobs,
            models=models,
            replicas=replicas,
            reservations=tuple(reservations),
            ledger=ledger,
            running=Running.of(jobs, ledger.table),
            queued=Waiting.of(jobs),
            held=tuple(job for job in jobs if job.state is JobState.HELD),
            by_id={str(job.job_id): job for job in jobs},
            living=_living(replicas, models, ledger.table),
            moves=tuple(moves),
            queues=tuple(queues),
            usage=tuple(usage),
            foreign=foreign,
            occupied=occupied,
        )

    def after(  # noqa: PLR0913  # one argument per part, all by name
        self,
        *,
        version: int,
        taken_at_s: float,
        hosts: tuple[Host, ...],
        changed: Mapping[JobId, TrainingJob | None],
        replicas: Iterable[Replica] = (),
        reservations: Iterable[Reservation] = (),
        moves: Iterable[Moved] = (),
        usage: Iterable[MeanUse] = (),
        foreign: Iterable[Held] = (),
        occupied: Iterable[Held] = (),
    ) -> "Snapshot":
        """Return the next snapshot: equal to one made by `of` from all the parts, but for the price of what changed.

        Args:
            version: see the attributes; so are the others, whole as for `of`.
            taken_at_s: likewise.
            hosts: likewise, sorted by name.
            changed: every job that is new or not as it was, or None for one that is over.
            replicas: likewise.
            reservations: likewise.
            moves: likewise.
            usage: likewise.
            foreign: likewise.
            occupied: likewise.
        """
        others, occupied = tuple(foreign), tuple(occupied)
        occupied = self.occupied if occupied == self.occupied else _by_slot(occupied)
        there = tuple(replicas)
        if there == self.replicas:
            there = self.replicas
        else:
            there = tuple(sorted(there, key=lambda replica: replica.replica_id))
        gone = [job for job_id in changed if (job := self.by_id.get(job_id))]
        come = [job for job in changed.values() if job]
        jobs = _replaced(self.jobs, gone, come)
        table = self.ledger.table.with_states(hosts)
        if table is None or len(gone) + len(come) > MOST_CHANGES:
            return Snapshot.of(
                version=version,
                taken_at_s=taken_at_s,
                hosts=hosts,
                jobs=jobs,
                models=self.models,
                replicas=there,
                reservations=reservations,
                moves=moves,
                queues=self.queues,
                usage=usage,
                foreign=others,
                occupied=occupied,
            )
        come_others, gone_others = differing((*self.foreign, *self.occupied), (*others, *occupied))
        left, started = _moved(self.replicas, there) if there is not self.replicas else ([], [])
        return Snapshot(
            version=version,
            taken_at_s=taken_at_s,
            hosts=hosts,
            jobs=jobs,
            models=self.models,
            replicas=there,
            reservations=tuple(reservations),
            ledger=self.ledger.after(
                (*_taken(gone, self.models, left), *gone_others),
                (*_taken(come, self.models, started), *come_others),
                table,
            ),
            running=self.running.after(gone, come, table),
            queued=self.queued.after(*_those(_waits, gone, come)),
            held=_replaced(self.held, *_those(_is_held, gone, come)),
            by_id=_updated(self.by_id, changed),
            living=self.living if there is self.replicas else _living(there, self.models, table),
            moves=tuple(moves),
            queues=self.queues,
            usage=tuple(usage),
            foreign=others,
            occupied=occupied,
        )

    @property
    def served(self) -> tuple[ServingModel, ...]:
        """Those of `models` that people know: without revisions that are tried beside them."""
        return tuple(model for model in self.models if not model.of)

    @property
    def waiting(self) -> tuple[TrainingJob, ...]:
        """Those of `jobs` with `state.is_waiting`, in their order."""
        return self.queued.jobs

    def otherwise(
        self, changed: Mapping[JobId, TrainingJob | None], hosts: tuple[Host, ...] | None = None
    ) -> "Snapshot":
        """Return this moment with some jobs, or hosts, otherwise; all else stays, what was learned of work included.

        Args:
            changed: as for `after`.
            hosts: all of them, sorted by name; None for those there are.
        """
        after = self.after(
            version=self.version,
            taken_at_s=self.taken_at_s,
            hosts=self.hosts if hosts is None else hosts,
            changed=changed,
            replicas=self.replicas,
            reservations=self.reservations,
            moves=self.moves,
            usage=self.usage,
            foreign=self.foreign,
            occupied=self.occupied,
        )
        return replace(after, work=self.work)

    def model(self, name: str) -> ServingModel | None:
        """Return a served model by name, or None when there is none."""
        return next((model for model in self.models if model.name == name), None)


def _by_slot(occupied: Iterable[Held]) -> tuple[Held, ...]:
    return tuple(sorted(occupied, key=lambda held: (held[0].host, held[0].devices)))


def _waits(job: TrainingJob) -> bool:
    return job.state.is_waiting


def _is_held(job: TrainingJob) -> bool:
    return job.state is JobState.HELD


def _those(
    rule: Callable[[TrainingJob], bool], gone: Iterable[TrainingJob], come: Iterable[TrainingJob]
) -> tuple[list[TrainingJob], list[TrainingJob]]:
    return [job for job in gone if rule(job)], [job for job in come if rule(job)]


def _replaced(
    jobs: tuple[TrainingJob, ...], gone: Iterable[TrainingJob], come: Iterable[TrainingJob]
) -> tuple[TrainingJob, ...]:
    """Return sorted jobs without some of them and with others."""
    there = list(jobs)
    for job in gone:
        del there[place_of(job, there)]
    for job in come:
        insort(there, job, key=rank_of)
    return tuple(there)


def _updated(
    by_id: Mapping[str, TrainingJob], changed: Mapping[JobId, TrainingJob | None]
) -> Mapping[str, TrainingJob]:
    updated = dict(by_id)
    for job_id, job in changed.items():
        updated.pop(job_id, None)
        if job is not None:
            updated[job_id] = job
    return updated


def _living(
    replicas: Iterable[Replica], models: Iterable[ServingModel], table: HostTable
) -> dict[str, tuple[Replica, ...]]:
    """Return sorted replicas by model: those that answer before those that only start."""
    on_trial = {model.name for model in models if model.of}
    ready: dict[str, list[Replica]] = {}
    starting: dict[str, list[Replica]] = {}
    for replica in replicas:
        if replica.slot.host in table.rows and replica.state is not ReplicaState.STOPPING:
            tried = trial_name(replica.model, replica.revision) if on_trial else ""
            name = tried if tried in on_trial else replica.model
            (ready if replica.state is ReplicaState.READY else starting).setdefault(name, []).append(replica)
    return {model: (*ready.get(model, ()), *starting.get(model, ())) for model in {**ready, **starting}}


def _moved(before: Iterable[Replica], now: Iterable[Replica]) -> tuple[list[Replica], list[Replica]]:
    """Return the replicas that hold their room no more, and those that do since."""
    left = {replica.replica_id: replica for replica in before}
    started = []
    for replica in now:
        old = left.get(replica.replica_id)
        if old is not None and (old is replica or _holds(old) == _holds(replica)):
            del left[replica.replica_id]
        else:
            started.append(replica)
    return list(left.values()), started


def _holds(replica: Replica) -> tuple[str, Slot, Shape | None]:
    return replica.model, replica.slot, replica.shape


def shape_held(replica: Replica, shapes: Mapping[str, Shape]) -> Shape:
    """Return what a replica holds, given the shapes of the models that are declared.

    Where neither its cluster nor its model says so, whole devices are the safe reading.
    """
    return replica.shape or shapes.get(replica.model) or Shape(gpu_count=len(replica.slot.devices))


def _taken(
    jobs: Iterable[TrainingJob], models: Iterable[ServingModel], replicas: Iterable[Replica]
) -> Iterator[tuple[Slot, Shape]]:
    for job in jobs:
        for slot in job.slots:
            yield slot, job.gang.shape
    shapes = {model.name: model.shape for model in models}
    for replica in replicas:
        yield replica.slot, shape_held(replica, shapes)
