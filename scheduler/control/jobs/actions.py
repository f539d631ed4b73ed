"""Carrying out a plan, action by action: one that fails keeps none of the others from being tried."""

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from scheduler.control.isolation.bulkheads import Bulkheads, Part, spoken
from scheduler.control.isolation.warmups import Warmups
from scheduler.control.jobs.event_text import refusal
from scheduler.control.jobs.intents import not_started
from scheduler.control.patience import Patience
from scheduler.control.ports import Cluster, Store
from scheduler.control.records import EventKind, EventRecord
from scheduler.model.errors import ActionFailed, Superseded, Unreachable
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica


@dataclass(slots=True)
class ActionRunner:
    """Applies actions and writes down those that the cluster refuses.

    Attributes:
        cluster, store: see `scheduler.control.ports`.
        gate: held while records are read, changed and saved.
        patience: with starts that fail.
        walls: keep an action that fails from the others.
        warmups: told of replicas that the cluster refuses to start.
        refused: actions that were refused since the process began, by kind.
    """

    cluster: Cluster
    store: Store
    gate: AbstractContextManager[object]
    patience: Patience
    walls: Bulkheads
    warmups: Warmups
    refused: Counter[str] = field(default_factory=Counter)

    def act(self, actions: Iterable[Action], number: int, now_s: float) -> str:
        """Act in order; return why it had to be broken off, or "".

        What fails in a way that nobody foresaw may or may not have begun: the next observations tell.

        Raises:
            Superseded: another control plane leads.
        """
        for action in actions:
            part = part_of(action)
            try:
                self._apply(action, number, now_s)
            except Unreachable as failure:
                self.store.record(EventRecord(now_s, number, EventKind.FAILURE, "cluster", str(failure)))
                return str(failure)
            except Superseded:
                raise
            except Exception as error:  # noqa: BLE001  # of this action; the others are tried
                self.walls.failed(part, error)
            else:
                self.walls.works(part)
        return ""

    def _apply(self, action: Action, number: int, now_s: float) -> None:
        try:
            self.cluster.apply(action)
        except ActionFailed as failure:
            self._refused(action, str(failure), number, now_s)

    def _refused(self, action: Action, message: str, number: int, now_s: float) -> None:
        self.refused[type(action).__name__] += 1
        part = part_of(action)
        plain = EventRecord(now_s, number, EventKind.FAILURE, part.subject, f"{part.name} was refused", message)
        event = spoken(lambda: refusal(action, message, number, now_s), plain)
        if isinstance(action, StartReplica):
            self.warmups.refused(action.model, message)
        if not isinstance(action, StartJob):
            self.walls.tell(f"{part.name}: {message}", "refused", event.kind, event.subject, event.title, event.detail)
            return
        with self.gate:
            job = not_started(self.store.job(action.job_id), message, self.patience, now_s)
            self.store.save_all([job], [event])


def part_of(action: Action) -> Part:
    """Return an action as something that may fail."""
    if isinstance(action, StartJob | PreemptJob):
        verb = "starting" if isinstance(action, StartJob) else "stopping"
        return Part(f"{verb} job {action.job_id}", action.job_id, "it is looked at again in the next cycle")
    verb = type(action).__name__.removesuffix("Replica").lower()
    return Part(f"the order to {verb} replicas of {action.model}", action.model, "it is tried again")
