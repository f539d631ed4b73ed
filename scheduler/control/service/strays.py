"""Strays: what operators may say of them, and how the loop carries it out.

A stray is left alone, and its room is taken as occupied, until somebody says what shall become of it. An order stays in
the store until its stray is gone, or one of ours: a control plane that dies in between finds it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Final

from scheduler.control.ports import Clock, Cluster, Store
from scheduler.control.records import EventKind, EventRecord, Outcome, StrayOrder, StrayVerb
from scheduler.control.reports.board import Board
from scheduler.model.errors import ActionFailed, Conflict, NotFound
from scheduler.model.observation import Observation, Stray, StrayKind
from scheduler.model.workloads import JobId

GRACE_S: Final = 30.0
"""Seconds of the world that a stray gets to end by itself."""
SUBJECT: Final = 255
"""Longest subject of an event; what others name may be longer."""
DONE: Final = {StrayVerb.ADOPT: "adopted", StrayVerb.EVICT: "evicted"}


@dataclass(frozen=True, slots=True)
class StrayService:
    """What people can ask about strays; answers from the last report and the store."""

    store: Store
    board: Board
    clock: Clock
    poke: Event

    def all(self) -> tuple[Stray, ...]:
        """Return the strays last seen, by name.

        Raises:
            Conflict: the cluster was not observed yet.
        """
        if self.board.report is None:
            raise Conflict("no plan yet: the cluster was not observed", help="try again in a moment")
        return self.board.report.observation.strays

    def why_not_adopted(self, stray: Stray) -> str:
        """Return why a stray cannot be taken over, or "" when it can."""
        if stray.kind is StrayKind.GROUP:
            return "nothing is known of what holds this room"
        return why_not_ours(stray, self.store) if stray.kind is StrayKind.RUN else ""

    def adopt(self, names: Sequence[str], by: str) -> tuple[Stray, ...]:
        """Take strays over; without names all that can be.

        Raises:
            NotFound: there is no such stray.
            Conflict: one that was named cannot be taken over.
        """
        chosen = self._named(names) if names else [one for one in self.all() if not self.why_not_adopted(one)]
        for stray in chosen:
            if why := self.why_not_adopted(stray):
                raise Conflict(f"{stray.name} cannot be adopted: {why}", help="leave it, or headroom evict-strays")
        return self._order(chosen, StrayVerb.ADOPT, by)

    def evict(self, names: Sequence[str], by: str) -> tuple[Stray, ...]:
        """End strays; without names all of them.

        Raises:
            NotFound: there is no such stray.
        """
        return self._order(self._named(names) if names else self.all(), StrayVerb.EVICT, by)

    def _named(self, names: Sequence[str]) -> list[Stray]:
        known = {stray.name: stray for stray in self.all()}
        if missing := [name for name in names if name not in known]:
            raise NotFound(f"no stray {', '.join(missing)}", help="headroom strays lists them")
        return [known[name] for name in dict.fromkeys(names)]

    def _order(self, strays: Sequence[Stray], verb: StrayVerb, by: str) -> tuple[Stray, ...]:
        now_s, report = self.clock.now_s(), self.board.report
        number = report.cycle.number if report else 0
        for stray in strays:
            self.store.order_stray(StrayOrder(stray.name, verb, by, now_s))
            title = f"{stray.name} is to be {DONE[verb]}, says {by}"
            self.store.record(EventRecord(now_s, number, EventKind.CONTROL, stray.name[:SUBJECT], title))
        self.poke.set()
        return tuple(strays)


def why_not_ours(stray: Stray, store: Store) -> str:
    """Return why a run cannot be an attempt of a job in this store, or "" when it can."""
    if not stray.job_id:
        return "it says nothing of a job"
    try:
        attempt = store.job(JobId(stray.job_id)).attempt
    except NotFound:
        return f"job {stray.job_id} is not in this store"
    if attempt is None or attempt.outcome is not Outcome.OPEN or attempt.number != stray.attempt:
        return f"attempt {stray.attempt} of job {stray.job_id} is not open in this store"
    if attempt.slots != tuple(slot for slot, _ in stray.held):
        return f"it is not where attempt {stray.attempt} of job {stray.job_id} was put"
    return ""


def obey(cluster: Cluster, store: Store, seen: Observation, number: int) -> None:
    """Carry out the orders about strays.

    Raises:
        Unreachable: the cluster or the store does not answer; the orders stay.
    """
    known = {stray.name: stray for stray in seen.strays}
    for order in store.stray_orders():
        said = _obeyed(order, known.get(order.name), cluster, lambda stray: why_not_ours(stray, store))
        if said:
            store.drop_stray_order(order.name)
            kind = EventKind.CONTROL if order.name not in known else EventKind.FAILURE
            store.record(EventRecord(seen.taken_at_s, number, kind, order.name[:SUBJECT], said))


def _obeyed(order: StrayOrder, stray: Stray | None, cluster: Cluster, why_not: Callable[[Stray], str]) -> str:
    """Carry out one order; return what there is to say when it is over, else ""."""
    if stray is None:
        return f"{order.name} is {DONE[order.verb]}"
    try:
        if order.verb is StrayVerb.EVICT:
            cluster.evict(stray, GRACE_S)
        elif stray.kind is StrayKind.RUN and (why := why_not(stray)):
            return f"{order.name} cannot be adopted: {why}"
        else:
            cluster.adopt(stray)
    except ActionFailed as refusal:
        return f"{order.name} cannot be {DONE[order.verb]}: {refusal}"
    return ""
