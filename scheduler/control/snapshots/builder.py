"""The planner's view of the world, kept up to date from turn to turn for the price of what has changed."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from scheduler.control.records import HostMark, JobRecord
from scheduler.control.runtimes import RunTimes
from scheduler.control.snapshots.parts import marked, stray_job, training_job, with_deadlines
from scheduler.model.differing import differing
from scheduler.model.hosts import Host
from scheduler.model.observation import Observation, Run
from scheduler.model.plan import Reservation
from scheduler.model.queues import DEFAULT_QUEUE, MeanUse, Queue
from scheduler.model.resources import Held
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, Moved, Replica, ServingModel, TrainingJob

MOST_EXPECTED_ANEW: Final = 500
"""Jobs of which it is looked at in one turn whether they are expected to run for another time."""
MOST_GANGS: Final = 100_000
"""Different gangs remembered; when there are more, all are forgotten."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """What goes into every job or host: when it changes, all of them are looked at again."""

    marks: tuple[HostMark, ...] = ()
    models: tuple[ServingModel, ...] = ()
    queues: tuple[Queue, ...] = ()
    restart_cost_s: float = 0.0


@dataclass(slots=True)
class SnapshotBuilder:
    """Makes the snapshot of each turn from that of the turn before; equal to one made of all the parts from scratch.

    Records and hosts that are the same objects as in the turn before cost nothing, equal ones a comparison. Equal gangs
    become one object, so that the planner can tell by identity that it has tried a like one. When run times have been
    learned, what is expected of the jobs there are is looked at again, some of them each turn.
    """

    _snapshot: Snapshot | None = None
    _settings: _Settings = field(default_factory=_Settings)
    _records: dict[JobId, JobRecord] = field(default_factory=dict)
    _seen: tuple[JobRecord, ...] = ()
    """The records in the order given: objects that are the same are quick to tell."""
    _strays: Mapping[JobId, TrainingJob] = field(default_factory=dict)
    _seen_hosts: tuple[Host, ...] = ()
    _gangs: dict[Gang, Gang] = field(default_factory=dict)
    _run_times: RunTimes = field(default_factory=RunTimes)
    _version: int = 0
    _stale: list[JobId] = field(default_factory=list)
    _retired_s: dict[str, float] = field(default_factory=dict)
    _in_queue: Counter[str] = field(default_factory=Counter)

    def snapshot(  # noqa: PLR0913  # the world has that many parts, all by name
        self,
        *,
        version: int,
        seen: Observation,
        jobs: Iterable[JobRecord],
        strays: Iterable[Run],
        marks: Iterable[HostMark],
        reservations: Iterable[Reservation],
        models: Iterable[ServingModel],
        restart_cost_s: float,
        moves: Iterable[Moved] = (),
        run_times: RunTimes | None = None,
        queues: Iterable[Queue] = (),
        usage: Iterable[MeanUse] = (),
        foreign: Iterable[Held] = (),
    ) -> Snapshot:
        """Return what the planner sees now.

        Args:
            version: number of the turn.
            seen: hosts, replicas, what other work occupies, and the time.
            jobs: reconciled; final ones are passed over.
            strays: runs without an open attempt; they hold their room until they are gone.
            marks: what operators said of hosts.
            reservations: reservations of the last plan.
            models: served models, most important first.
            restart_cost_s: time an attempt needs before it makes progress again.
            moves: recent moves of jobs.
            run_times: how long jobs like these took, for those that do not say how long they run.
            queues: as the site declares them.
            usage: what was used lately.
            foreign: room that strays hold.
        """
        settings = _Settings(tuple(marks), tuple(models), tuple(queues), restart_cost_s)
        before = self._snapshot if settings == self._settings else None
        self._snapshot, self._settings, self._run_times = None, settings, run_times or self._run_times
        if before is None:
            self._records, self._seen, self._strays, self._in_queue = {}, (), {}, Counter()
        changed = self._changes(jobs, strays)
        changed |= self._expected_otherwise(changed, before)
        hosts = self._marked(seen.hosts, before)
        replicas = self._dated(seen)
        there = (*settings.queues, *self._removed_queues())
        if before is None:
            self._snapshot = Snapshot.of(
                version=version,
                taken_at_s=seen.taken_at_s,
                hosts=hosts,
                jobs=(job for job in changed.values() if job is not None),
                models=settings.models,
                replicas=replicas,
                reservations=reservations,
                moves=moves,
                queues=there,
                usage=usage,
                foreign=foreign,
                occupied=seen.occupied,
            )
        else:
            kept = before if before.queues == there else replace(before, queues=there)
            self._snapshot = kept.after(
                version=version,
                taken_at_s=seen.taken_at_s,
                hosts=hosts,
                changed=changed,
                replicas=replicas,
                reservations=reservations,
                moves=moves,
                usage=usage,
                foreign=foreign,
                occupied=seen.occupied,
            )
        return self._snapshot

    def _changes(self, jobs: Iterable[JobRecord], strays: Iterable[Run]) -> dict[JobId, TrainingJob | None]:
        """Return every job that is new or another than in the turn before, None for one that is over."""
        listed = tuple(jobs)
        added, dropped = differing(self._seen, listed)
        self._seen = listed
        new = {job.job_id: job for job in added}
        gone = {job.job_id for job in dropped} - new.keys()
        changed = {job_id: self._planned(job) for job_id, job in new.items() if self._records.get(job_id) != job}
        self._in_queue.update(job.spec.queue for job_id, job in new.items() if job_id not in self._records)
        self._records |= new
        for job_id in gone:
            self._in_queue[self._records.pop(job_id).spec.queue] -= 1
        return {**changed, **dict.fromkeys(gone), **self._stray_changes(strays)}

    def _expected_otherwise(
        self, changed: Container[JobId], before: Snapshot | None
    ) -> dict[JobId, TrainingJob | None]:
        """Return unchanged jobs that are expected to run for another time than they were."""
        if self._version != self._run_times.version:
            self._version, self._stale = self._run_times.version, list(self._records) if before else []
        now, self._stale = self._stale[:MOST_EXPECTED_ANEW], self._stale[MOST_EXPECTED_ANEW:]
        known = before.by_id if before else {}
        here = ((self._records[job_id], known.get(job_id)) for job_id in now if job_id in self._records)
        differ = [job for job, was in here if job.job_id not in changed and self._is_expected_otherwise(job, was)]
        return {job.job_id: self._planned(job) for job in differ}

    def _is_expected_otherwise(self, job: JobRecord, was: TrainingJob | None) -> bool:
        expected = self._run_times.expected_s(job), self._run_times.doubt(job.spec)
        return was is not None and (was.expected_runtime_s, was.doubt) != expected

    def _stray_changes(self, strays: Iterable[Run]) -> dict[JobId, TrainingJob | None]:
        known = self._strays
        listed = (stray_job(run, self._records.get(run.job_id)) for run in strays)
        self._strays = {job.job_id: job for job in listed}
        changed = {job_id: job for job_id, job in self._strays.items() if known.get(job_id) != job}
        return {**changed, **dict.fromkeys(known.keys() - self._strays.keys())}

    def _planned(self, job: JobRecord) -> TrainingJob | None:
        if job.state.is_final:
            return None
        expected_s = self._run_times.expected_s(job)
        made = training_job(job, self._settings.restart_cost_s, expected_s, self._run_times.doubt(job.spec))
        planned = with_deadlines(made, self._settings.marks)
        if len(self._gangs) >= MOST_GANGS:
            self._gangs.clear()
        gang = self._gangs.setdefault(planned.gang, planned.gang)
        return planned if gang is planned.gang else replace(planned, gang=gang)

    def _removed_queues(self) -> Iterator[Queue]:
        """Yield the queues that jobs are in and that the site declares no longer, where it declares any."""
        declared = {queue.name for queue in self._settings.queues}
        with_jobs = {name for name, count in self._in_queue.items() if count} if declared else set()
        yield from (Queue(name, removed=True) for name in sorted(with_jobs - declared - {DEFAULT_QUEUE}))

    def _dated(self, seen: Observation) -> tuple[Replica, ...]:
        """Return the replicas, with the time at which a model was first missed on those of undeclared ones."""
        served = {model.name for model in self._settings.models}
        missed = {replica.model for replica in seen.replicas} - served
        self._retired_s = {model: self._retired_s.get(model, seen.taken_at_s) for model in sorted(missed)}
        if not missed:
            return seen.replicas
        return tuple(replace(one, retired_s=self._retired_s.get(one.model)) for one in seen.replicas)

    def _marked(self, hosts: tuple[Host, ...], before: Snapshot | None) -> tuple[Host, ...]:
        known, self._seen_hosts = self._seen_hosts, hosts
        if before is not None and hosts == known:
            return before.hosts
        return tuple(sorted(marked(hosts, self._settings.marks), key=attrgetter("name")))
