"""Cycles as what has changed since the cycle before: on a large site nearly everything has not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from pydantic import ConfigDict, TypeAdapter

from scheduler.control.records import CycleRecord
from scheduler.model.differing import differing
from scheduler.model.plan import Unplaced
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Held, Slot
from scheduler.model.work import NOTHING_SEEN
from scheduler.store.codec import CycleBody, body_of, decode_body, record_of

_Item = TypeVar("_Item")
_Name = TypeVar("_Name")


@dataclass(frozen=True, slots=True)
class _Change:
    """One cycle after another.

    Attributes:
        cycle: as it is, but with those hosts, jobs, replicas and occupied slots only that are new or not as they were,
            without models, work and policy that are the same, and without reasons.
        gone_hosts, gone_jobs, gone_replicas: names of those that are there no more.
        same_models, same_work, same_policy: whether these are as they were; the last is policy and release.
        subjects: whoever waits, in order.
        which: which of `reasons` each has.
        reasons: each once, whoever it names.
        gone_occupied: slots that other work has left.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="constants")

    cycle: CycleBody
    gone_hosts: tuple[str, ...]
    gone_jobs: tuple[str, ...]
    gone_replicas: tuple[str, ...]
    same_models: bool
    same_work: bool
    subjects: tuple[str, ...]
    which: tuple[int, ...]
    reasons: tuple[Unplaced, ...]
    gone_occupied: tuple[Slot, ...] = ()
    same_policy: bool = False


_CHANGE: TypeAdapter[_Change] = TypeAdapter(_Change)
_NO_POLICY: Final[Mapping[str, Any]] = MappingProxyType({"choices": None, "release": ""})


def encode_change(before: CycleRecord, after: CycleRecord) -> bytes:
    """Return one cycle as JSON that `Replay.follow` reads after the cycle before."""
    old, new = before.snapshot, after.snapshot
    hosts, gone_hosts = _changed(old.hosts, new.hosts, lambda host: host.name)
    jobs, gone_jobs = _changed(old.jobs, new.jobs, lambda job: str(job.job_id))
    replicas, gone_replicas = _changed(old.replicas, new.replicas, lambda replica: str(replica.replica_id))
    occupied, gone_occupied = _changed(old.occupied, new.occupied, _slot)
    same_models, same_work = old.models == new.models, old.work == new.work
    same_policy = _policy(before) == _policy(after)
    body = body_of(replace(after, plan=replace(after.plan, unplaced=())))
    snapshot = replace(
        body.snapshot,
        hosts=hosts,
        jobs=jobs,
        replicas=replicas,
        occupied=occupied,
        models=() if same_models else new.models,
        work=NOTHING_SEEN if same_work else new.work,
    )
    subjects, which, reasons = _shared(Reasons.of(after.plan.unplaced))
    gone = (gone_hosts, gone_jobs, gone_replicas)
    body = replace(body, snapshot=snapshot, **(_NO_POLICY if same_policy else {}))
    same = (same_models, same_work)
    change = _Change(body, *gone, *same, subjects, which, reasons, gone_occupied, same_policy)
    return _CHANGE.dump_json(change)


class Replay:
    """A cycle put together again from one that was written whole and the changes after it."""

    def __init__(self, whole: bytes) -> None:
        """Begin with a cycle as `encode_cycle` wrote it.

        Raises:
            ConfigError: it is none.
        """
        body = decode_body(whole)
        self._last = body
        self._hosts = {host.name: host for host in body.snapshot.hosts}
        self._jobs = {str(job.job_id): job for job in body.snapshot.jobs}
        self._replicas = {str(replica.replica_id): replica for replica in body.snapshot.replicas}
        self._occupied = {_slot(held): held for held in body.snapshot.occupied}

    def follow(self, change: bytes) -> None:
        """Go on to the next cycle, as `encode_change` wrote it."""
        made = _CHANGE.validate_json(change)
        now, before = made.cycle.snapshot, self._last.snapshot
        _bring_up(self._hosts, made.gone_hosts, {host.name: host for host in now.hosts})
        _bring_up(self._jobs, made.gone_jobs, {str(job.job_id): job for job in now.jobs})
        _bring_up(self._replicas, made.gone_replicas, {str(one.replica_id): one for one in now.replicas})
        _bring_up(self._occupied, made.gone_occupied, {_slot(held): held for held in now.occupied})
        snapshot = replace(
            now,
            models=before.models if made.same_models else now.models,
            work=before.work if made.same_work else now.work,
        )
        reasons = Reasons(made.subjects, [made.reasons[number] for number in made.which])
        plan = replace(made.cycle.plan, unplaced=tuple(reasons))
        by = self._last if made.same_policy else made.cycle
        self._last = replace(made.cycle, snapshot=snapshot, plan=plan, choices=by.choices, release=by.release)

    def record(self) -> CycleRecord:
        """Return the cycle where it stands."""
        whole = replace(
            self._last.snapshot,
            hosts=tuple(self._hosts.values()),
            jobs=tuple(self._jobs.values()),
            replicas=tuple(self._replicas.values()),
            occupied=tuple(self._occupied.values()),
        )
        return record_of(replace(self._last, snapshot=whole))


def _policy(cycle: CycleRecord) -> tuple[object, str]:
    return cycle.choices, cycle.release


def _slot(held: Held) -> Slot:
    return held[0]


def _changed(
    before: Sequence[_Item], after: Sequence[_Item], name: Callable[[_Item], _Name]
) -> tuple[tuple[_Item, ...], tuple[_Name, ...]]:
    """Return what is new or not the same object as before, and the names of what is there no more."""
    if before is after:
        return (), ()
    changed, left = differing(before, after)
    there = set(map(name, changed))
    return tuple(changed), tuple(gone for gone in map(name, left) if gone not in there)


def _bring_up(known: dict[_Name, _Item], gone: Sequence[_Name], changed: dict[_Name, _Item]) -> None:
    for name in gone:
        del known[name]
    known.update(changed)


def _shared(reasons: Reasons) -> tuple[tuple[str, ...], tuple[int, ...], tuple[Unplaced, ...]]:
    """Return subjects, the number of the reason of each, and the different reasons."""
    numbers: dict[int, int] = {}
    different, subjects, which = list[Unplaced](), list[str](), list[int]()
    for subject, why in reasons.shared:
        number = numbers.setdefault(id(why), len(different))
        if number == len(different):
            different.append(why)
        subjects.append(subject)
        which.append(number)
    return tuple(subjects), tuple(which), tuple(different)
