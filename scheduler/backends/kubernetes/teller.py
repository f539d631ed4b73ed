"""Writes on objects what the loop says of their jobs: one annotation, and an event when the reason is another."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from scheduler.backends.kubernetes import patches
from scheduler.backends.kubernetes.attempts import objects_of
from scheduler.backends.kubernetes.caches import Caches, Watches
from scheduler.backends.kubernetes.connection import Connection, Refused
from scheduler.backends.kubernetes.marks import STATUS
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.telling import REFUSED, Said, due, event_of, sayings
from scheduler.backends.kubernetes.tireless import Tireless
from scheduler.control.records import EventRecord, JobRecord
from scheduler.control.reports.board import Report
from scheduler.model.errors import NotFound
from scheduler.model.workloads import JobId

PAUSE_S: Final = 60.0
"""Seconds between two sentences under one code."""
MOST_AT_ONCE: Final = 100
"""Objects that are written in one turn; the others follow with the next."""
LONGEST_SUBJECT: Final = 255


class Records(Protocol):
    """What is read of the store."""

    def job(self, job_id: JobId) -> JobRecord:
        """Return a job.

        Raises:
            NotFound: there is none.
        """

    def events(
        self, *, after_id: int = 0, before_id: int = 0, subject: str = "", limit: int = 100
    ) -> tuple[EventRecord, ...]:
        """Return the newest events, oldest first."""


@dataclass(slots=True)
class Teller:
    """Tells what reports say, in a thread of its own: the loop never waits for it.

    Attributes:
        connection: to the API server.
        watches: what is known of it.
        records: the store.
        now_s: the world's time.
        instance: this process, for people.
    """

    connection: Connection
    watches: Watches
    records: Records
    now_s: Callable[[], float]
    instance: str
    _report: Report | None = None
    _origins: dict[JobId, str] = field(default_factory=dict)
    _open: set[JobId] = field(default_factory=set)
    _told_s: dict[str, float] = field(default_factory=dict)
    _woken: threading.Event = field(default_factory=threading.Event)
    _tireless: Tireless = field(default_factory=lambda: Tireless("telling on objects"))
    _is_over: bool = False
    _thread: threading.Thread | None = None

    @property
    def fault(self) -> str:
        """What fails of telling; "" for nothing."""
        return self._tireless.fault

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
        self._thread.start()

    def hear(self, report: Report) -> None:
        """Take note of a report; only the last one is told."""
        self._report = report
        self._woken.set()

    def close(self) -> None:
        """End it."""
        self._is_over = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def tell(self, report: Report) -> None:
        """Write what is due.

        Raises:
            Unreachable: the cluster or the store does not answer.
            Superseded: another control plane leads.
        """
        caches, now_s = self.watches.now(), self.now_s()
        objects = list(objects_of(caches))
        said = self._said(report, objects)
        for seen, what, is_event in due(said, objects, self._told_s, now_s, PAUSE_S)[:MOST_AT_ONCE]:
            self._told_s[seen.origin] = now_s
            with suppress(Refused):  # it may be gone by now, or may not be written there; the others are told
                self._write(seen, what, caches)
                if is_event:
                    where = f"/apis/events.k8s.io/v1/namespaces/{seen.namespace}/events"
                    self.connection.post(where, event_of(seen, what, now_s, self.instance))
        self._open = {job.job_id for job in report.cycle.snapshot.jobs}
        there = {seen.origin for seen in objects}
        self._told_s = {origin: at_s for origin, at_s in self._told_s.items() if origin in there}

    def _said(self, report: Report, objects: list[TrainingObject]) -> dict[str, Said]:
        """Return what is to be said, by origin: of open jobs, of those that just ended, and of what was refused."""
        jobs, plan = report.cycle.snapshot.jobs, report.cycle.plan
        said = {self._origin(job_id): what for job_id, what in sayings(jobs, plan)}
        now = {job.job_id for job in jobs}
        for job_id in self._open - now:
            said[self._origin(job_id)] = _ended(self.records.job(job_id))
        known = set(self._origins.values())
        for seen in objects:
            if seen.origin not in known and (why := self._refusal(seen)):
                said[seen.origin] = Said(REFUSED, why)
        return said

    def _refusal(self, seen: TrainingObject) -> str:
        """Return why an object was not taken; "" when nobody said so."""
        events = self.records.events(subject=seen.origin[:LONGEST_SUBJECT], limit=1)
        return events[-1].detail if events else ""

    def _origin(self, job_id: JobId) -> str:
        if job_id not in self._origins:
            try:
                self._origins[job_id] = self.records.job(job_id).spec.origin
            except NotFound:
                return ""
        return self._origins[job_id]

    def _write(self, seen: TrainingObject, said: Said, caches: Caches) -> None:
        answer = self.connection.patch(seen.path, patches.annotate(seen, {STATUS: said.text}))
        caches.learn(seen.kind.plural, answer)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            report = self._report
            if self._is_over:
                return
            if report is not None:
                self._tireless.do(partial(self.tell, report))  # what is not told now is told with the next report


def _ended(job: JobRecord) -> Said:
    last = job.attempts[-1].message if job.attempts else ""
    return Said(job.state.value, f"job {job.job_id}{': ' + last if last else ''}")
