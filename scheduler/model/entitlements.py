"""What queues are entitled to, as rows of whole numbers: one account a queue, one column a resource.

Columns: CPU (milli), memory (MiB), devices of any model (milli), then devices of each model that some queue names. A
partition of a device counts as its share of the device: one of eight as 125.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Slot
from scheduler.model.running import Running
from scheduler.model.workloads import Gang

Row = tuple[int, ...]
"""Amounts, one a column."""
CPU: Final = 0
MEMORY: Final = 1
GPU: Final = 2
PLAIN: Final = 3
"""Columns before those of GPU models."""
NO_LIMIT: Final = 2**62


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one queue may have.

    Attributes:
        queue: as declared.
        is_guaranteed: whether it is guaranteed anything.
        named: in which columns its guarantee says something; in all when it is guaranteed nothing at all.
        guarantee: 0 where it says nothing.
        ceiling: the most that it may hold.
        kept: the part of its guarantee that others may never use.
    """

    queue: Queue
    is_guaranteed: bool
    named: tuple[bool, ...]
    guarantee: Row
    ceiling: Row
    kept: Row

    def has_room(self, held: Sequence[float], asked: Row) -> bool:
        """Whether what is held and what is asked for together are at most the guarantee, in all that it names."""
        terms = zip(held, asked, self.guarantee, self.named, strict=True)
        return not any(named and has + wants > most for has, wants, most, named in terms)


def protected(named: Sequence[bool], amounts: Sequence[int]) -> tuple[bool, ...]:
    """Return in which columns the guarantee of its queue protects a running job.

    Work on devices is protected as long as its queue has no more devices than guaranteed, whatever else it holds;
    other work likewise by cores. Where the guarantee says nothing of these, everything it does say counts.

    Args:
        named: in which columns the guarantee says something.
        amounts: what the job holds.
    """
    uses_devices = amounts[GPU] > 0
    main = tuple(says and (c >= GPU if uses_devices else c == CPU) for c, says in enumerate(named))
    return main if any(main) else tuple(named)


class Entitlements:
    """The entitlements of all queues by name; a queue that nobody declared is one that is guaranteed nothing.

    Attributes:
        models: GPU models that have a column, in order.
        capacity: what all hosts have together.
        keeps_any: whether any queue keeps a part of its guarantee from others.
    """

    def __init__(self, queues: Sequence[Queue], table: HostTable) -> None:
        """Tabulate queues for the hosts there are."""
        named = (amounts for q in queues for amounts in (q.guarantee, q.borrow_limit, q.lend_limit))
        self.models = tuple(sorted({model for amounts in named for model, _ in amounts.gpu_models}))
        self.capacity = _capacity(table, self.models)
        self._table = table
        self._most_asked: dict[int, tuple[Gang, Row]] = {}
        self._by_name = {queue.name: self._tabulated(queue) for queue in queues}
        self.keeps_any = any(any(one.kept) for one in self._by_name.values())

    def __getitem__(self, name: str) -> Entitlement:
        """Return what the queue of a name is entitled to."""
        if name not in self._by_name:
            self._by_name[name] = self._tabulated(Queue(name))
        return self._by_name[name]

    @property
    def declared(self) -> tuple[Entitlement, ...]:
        """Those of all queues known so far."""
        return tuple(self._by_name.values())

    def asked_by(self, gang: Gang, *, at_most: bool = False) -> Row:
        """Return what a gang would hold; one that takes devices of several models counts for each of them.

        Args:
            gang: what would start.
            at_most: count the largest devices that suit it; else the smallest, which it gets while there are any.
        """
        fewest, most = self._table.parts_for(gang.shape)
        return self._asked(gang, gang.shape.total_gpu_milli // (fewest if at_most else most))

    def asked_on(self, gang: Gang, rows: Sequence[int]) -> Row:
        """Return what a gang would hold at most whose workers sit on these host rows."""
        return tuple(len(rows) * amount for amount in self.asked_each(gang, rows))

    def asked_each(self, gang: Gang, rows: Sequence[int]) -> Row:
        """Return what a worker of a gang would hold at most that sits on one of these host rows."""
        if not self._table.is_cut or not len(rows):
            return self._asked(gang.of_size(1), gang.shape.total_gpu_milli)
        here = np.unique(rows)
        suits = self._table.matching(gang.shape)[here] & self._table.device_exists[here]
        parts = self._table.device_parts[here].min(initial=NO_LIMIT, where=suits)
        return self._asked(gang.of_size(1), gang.shape.total_gpu_milli // int(parts))

    def _asked(self, gang: Gang, each: int) -> Row:
        shape, workers = gang.shape, gang.workers
        gpu_milli = workers * each
        by_model = (gpu_milli if not shape.gpu_models or m in shape.gpu_models else 0 for m in self.models)
        return (workers * shape.cpu_milli, workers * shape.memory_mib, gpu_milli, *by_model)

    def held_at(self, gang: Gang, slots: Iterable[Slot]) -> Row:
        """Return what a gang holds in these slots."""
        shape, row = gang.shape, [0] * (PLAIN + len(self.models))
        for slot in slots:
            row[CPU] += shape.cpu_milli
            row[MEMORY] += shape.memory_mib
            gpu_milli = round(self._table.gpus_at(slot, shape) * WHOLE_DEVICE_MILLI)
            row[GPU] += gpu_milli
            model = self._model_at(slot.host)
            if model in self.models:
                row[PLAIN + self.models.index(model)] += gpu_milli
        return tuple(row)

    def held(self, running: Running) -> NDArray[np.int64]:
        """Return what each of J running jobs holds, int64 (J, 3 + M)."""
        columns = [running.held]
        for model in self.models:
            here = self.has_model(model)[running.row]
            gpu_milli = running.gpu_milli * here
            columns.append(_summed(running.who, gpu_milli, len(running.jobs))[:, None])
        return np.concatenate(columns, axis=1)

    def has_model(self, model: str) -> NDArray[np.bool_]:
        """Return which hosts have devices of a model, bool (H,)."""
        return _hosts_with(self._table, model)

    def covers(self, name: str, held: Sequence[float], gang: Gang) -> bool:
        """Whether a queue that holds so much, and gets a gang, stays within a guarantee made for such work."""
        one = self[name]
        if not one.is_guaranteed or not self._is_meant(one, gang):
            return False
        if id(gang) not in self._most_asked:
            self._most_asked[id(gang)] = (gang, self.asked_by(gang, at_most=True))
        return one.has_room(held, self._most_asked[id(gang)][1])

    def _is_meant(self, one: Entitlement, gang: Gang) -> bool:
        """Whether a guarantee says something of what a gang needs most: of devices if it uses any, else of cores."""
        guarantee, shape = one.queue.guarantee, gang.shape
        if not shape.gpu_count:
            return guarantee.cpu_milli is not None
        if guarantee.gpu_milli is not None or not shape.gpu_models:
            return guarantee.gpu_milli is not None
        return shape.gpu_models <= {model for model, _ in guarantee.gpu_models}

    def _model_at(self, host: str) -> str:
        row = self._table.rows.get(host)
        return "" if row is None else self._table.gpu_models[self._table.gpu_model[row]]

    def _tabulated(self, queue: Queue) -> Entitlement:
        guarantee = self._row(queue.guarantee)
        named = tuple(one is not None for one in guarantee)
        if not queue.guarantee.names_any:
            named = (True,) * len(named)
        elif queue.guarantee.gpu_models:
            named = (*named[:PLAIN], *(True for _ in self.models))
        have = tuple(one or 0 for one in guarantee)
        ceiling = tuple(
            NO_LIMIT if more is None else amount + more
            for amount, more in zip(have, self._row(queue.borrow_limit), strict=True)
        )
        kept = tuple(
            0 if lent is None else max(0, amount - lent)
            for amount, lent in zip(have, self._row(queue.lend_limit), strict=True)
        )
        return Entitlement(queue, queue.guarantee.names_any, named, have, ceiling, kept)

    def _row(self, amounts: Amounts) -> tuple[int | None, ...]:
        models = dict(amounts.gpu_models)
        return (*amounts.plain, *(models.get(model) for model in self.models))


def dominant_share(amounts: Sequence[float], capacity: Sequence[int]) -> float:
    """Return the largest share of CPU, memory or devices, 0 to 1: Ghodsi et al., "Dominant Resource Fairness", 2011.

    A resource that the site has none of counts for nothing.
    """
    pairs = zip(amounts[:PLAIN], capacity[:PLAIN], strict=True)
    return max((amount / whole for amount, whole in pairs if whole > 0), default=0.0)


def dominant_shares(amounts: NDArray[np.int64] | NDArray[np.float64], capacity: Sequence[int]) -> NDArray[np.float64]:
    """Return `dominant_share` of each of N rows of amounts, float64 (N,)."""
    there = [column for column, whole in enumerate(capacity[:PLAIN]) if whole > 0]
    shares: NDArray[np.float64] = (amounts[:, there] / np.array(capacity)[there]).max(axis=1, initial=0.0)
    return shares


def _capacity(table: HostTable, models: tuple[str, ...]) -> Row:
    hosts = table.hosts
    gpu_milli = table.in_whole(table.device_exists * WHOLE_DEVICE_MILLI)
    by_model = [int(gpu_milli[_hosts_with(table, model)].sum()) for model in models]
    plain = table.remembered(
        "capacity", lambda: (sum(host.cpu_milli for host in hosts), sum(host.memory_mib for host in hosts))
    )
    return (*plain, int(gpu_milli.sum()), *by_model)


def _hosts_with(table: HostTable, model: str) -> NDArray[np.bool_]:
    number = table.gpu_models.index(model) if model in table.gpu_models else -1
    there: NDArray[np.bool_] = table.gpu_model == number
    return there


def _summed(who: NDArray[np.int64], amounts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.bincount(who, weights=amounts, minlength=size).astype(np.int64)
