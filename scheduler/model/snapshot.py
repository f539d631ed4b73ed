"""All that the planner knows of the world at one moment."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from scheduler.model.hosts import Host
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import Running
from scheduler.model.workloads import Moved, Replica, ServingModel, TrainingJob


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
        reservations: promises of earlier plans.
        moves: recent moves of running jobs, of those that are over by now too.
        running: those of `jobs` that hold room, as columns.
        ledger: free capacity with all of `jobs` and `replicas` in place (reservations are not taken from it).
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
    moves: tuple[Moved, ...] = ()

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
    ) -> "Snapshot":
        """Put the parts in their order and count the ledger from scratch."""
        in_order = tuple(sorted(hosts, key=lambda host: host.name))
        jobs, models = tuple(sorted(jobs, key=lambda j: (j.submitted_at_s, len(j.job_id), j.job_id))), tuple(models)
        replicas = tuple(sorted(replicas, key=lambda replica: replica.replica_id))
        ledger = Ledger.of(in_order, _taken(jobs, models, replicas))
        promises, moved = tuple(reservations), tuple(moves)
        running = Running.of(jobs, ledger.table)
        return cls(version, taken_at_s, in_order, jobs, models, replicas, promises, ledger, running, moved)

    def model(self, name: str) -> ServingModel | None:
        """Return a served model by name, or None when there is none."""
        return next((model for model in self.models if model.name == name), None)


def _taken(
    jobs: tuple[TrainingJob, ...], models: tuple[ServingModel, ...], replicas: tuple[Replica, ...]
) -> Iterator[tuple[Slot, Shape]]:
    for job in jobs:
        for slot in job.slots:
            yield slot, job.gang.shape
    shapes = {model.name: model.shape for model in models}
    for replica in replicas:
        if replica.model in shapes:
            yield replica.slot, shapes[replica.model]
