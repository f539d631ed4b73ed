"""From what the cluster shows and the store knows to the snapshot of a turn, with what was learned of the past."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.isolation.sidelining import runs_of, without_culprits
from scheduler.control.isolation.warmups import Warmups
from scheduler.control.jobs.reconcile import Reconciled, reconcile
from scheduler.control.ports import Cluster, Store
from scheduler.control.records import JobRecord
from scheduler.control.runtimes import REMEMBERED_JOBS, RunTimes
from scheduler.control.settings import Settings
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.control.snapshots.usage import METERED_JOBS, Meter
from scheduler.control.snapshots.workload_stats import REMEMBERED, WorkloadStats
from scheduler.model.observation import Observation
from scheduler.model.plan import Consolidation
from scheduler.model.policy import Policy
from scheduler.model.queues import MeanUse
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import NOTHING_SEEN, WorkSeen
from scheduler.model.workloads import Moved, ServingModel

_RUN_TIMES: Final = Part("learning of run times", "control", "planned by what is known")
_FORGETTING: Final = Part("forgetting of ended runs", "cluster", "they stay listed there")
_USAGE: Final = Part("metering of use", "control", "planned as if nothing was used lately")
_WARM_UPS: Final = Part("watching replicas that do not get ready", "control", "all models are started as wanted")
_LESSONS: Final = Part("learning from work", "control", "planned as if nothing was learned")


@dataclass(slots=True)
class Experience:
    """What a loop has learned from the past, each None until it is first asked for.

    Attributes:
        run_times: how long jobs took.
        workload_stats: what work has asked for.
        meter: what was used lately.
    """

    run_times: RunTimes | None = None
    workload_stats: WorkloadStats | None = None
    meter: Meter | None = None


@dataclass(slots=True)
class Surveyor:
    """Moves jobs on to what the cluster shows, and makes the snapshot of them; remembers between turns.

    Attributes:
        cluster, store: see `scheduler.control.ports`.
        gate: held while records are read, changed and saved.
        models: served ones, most important first.
        policy: how the site decides.
        settings: see `Settings`.
        walls: keep a job that breaks something, and what is only learned, from all else.
        warmups: which models are given up for a while.
        experience: what was learned from the past.
    """

    cluster: Cluster
    store: Store
    gate: AbstractContextManager[object]
    models: Sequence[ServingModel]
    policy: Policy
    settings: Settings
    walls: Bulkheads
    warmups: Warmups
    experience: Experience = field(default_factory=Experience)
    _builder: SnapshotBuilder = field(default_factory=SnapshotBuilder)

    def survey(self, seen: Observation, number: int) -> tuple[Reconciled, Snapshot]:
        """Return what follows of an observation for the jobs (it is saved), and the snapshot to plan from."""
        reconciled, aside = self._reconcile(seen, number)
        models = self.walls.within(_WARM_UPS, lambda: self.warmups.limited(self.models, seen), lambda: (*self.models,))
        run_times = self.learned()
        others = (*self.store.host_marks(),), self.store.reservations(), self._moves(seen.taken_at_s)
        usage = self.walls.within(_USAGE, lambda: self._usage(seen), lambda: ())

        def snapshot(builder: SnapshotBuilder, jobs: Sequence[JobRecord]) -> Snapshot:
            left = aside if len(jobs) == len(reconciled.jobs) else (*aside, *_left_out(reconciled.jobs, jobs))
            return builder.snapshot(
                version=number,
                seen=seen,
                jobs=jobs,
                strays=(*reconciled.strays, *runs_of(left, seen)),
                marks=others[0],
                reservations=others[1],
                moves=others[2],
                models=models,
                restart_cost_s=self.settings.restart_cost_s,
                run_times=run_times,
                queues=self.settings.queues,
                usage=usage,
                foreign=reconciled.foreign,
            )

        step, try_out = partial(snapshot, self._builder), lambda job: snapshot(SnapshotBuilder(), (job,))
        made, _ = without_culprits(reconciled.jobs, step, try_out, self.walls)
        meter = self.experience.meter
        self.walls.within(_USAGE, lambda: meter.see(made) if meter else None, self._forget_usage)
        work = self.walls.within(_LESSONS, lambda: self._work(seen, reconciled.jobs), lambda: NOTHING_SEEN)
        return reconciled, replace(made, work=work)

    def learned(self) -> RunTimes:
        """Return the run times of past jobs; read from the store once."""
        return self.walls.within(_RUN_TIMES, self._learned, RunTimes)

    def _reconcile(self, seen: Observation, number: int) -> tuple[Reconciled, tuple[JobRecord, ...]]:
        """Move all jobs on; return what follows, and the jobs that had to be left aside."""
        run_times = self.learned()
        with self.gate:
            jobs = self.store.jobs()

            def step(some: Sequence[JobRecord]) -> Reconciled:
                left_out = {job.job_id for job in _left_out(jobs, some)} if len(some) < len(jobs) else set()
                runs = tuple(run for run in seen.runs if run.job_id not in left_out) if left_out else seen.runs
                return reconcile(some, replace(seen, runs=runs), self.settings.patience, number, seen.taken_at_s)

            done, aside = without_culprits(jobs, step, lambda job: step((job,)), self.walls)
            if done.changed or done.events:
                self.store.save_all(done.changed, done.events)
        self.walls.within(_RUN_TIMES, lambda: run_times.learn(done.changed), lambda: None)
        for job_id, attempt in done.over:
            self.walls.within(_FORGETTING, partial(self.cluster.forget, job_id, attempt), lambda: None)
        return done, aside

    def _learned(self) -> RunTimes:
        if self.experience.run_times is None:
            run_times = RunTimes()
            run_times.learn(self.store.jobs(open_only=False, limit=REMEMBERED_JOBS))
            self.experience.run_times = run_times
        return self.experience.run_times

    def _usage(self, seen: Observation) -> tuple[MeanUse, ...]:
        """Return what was used lately; read from the records when the loop begins."""
        if not self.settings.usage_half_life_s:
            return ()
        if self.experience.meter is None:
            past = self.store.jobs(open_only=False, limit=METERED_JOBS)
            self.experience.meter = Meter(self.settings.usage_half_life_s, seen.taken_at_s, past, seen.hosts)
        return self.experience.meter.usage(seen.taken_at_s)

    def _forget_usage(self) -> None:
        """Begin anew with the records: nobody knows what was metered."""
        self.experience.meter = None

    def _work(self, seen: Observation, jobs: Sequence[JobRecord]) -> WorkSeen:
        """Return what work has asked for up to now; a process begins with what the store remembers."""
        if self.experience.workload_stats is None:
            jobs = self.store.jobs(open_only=False, limit=REMEMBERED)
            self.experience.workload_stats = WorkloadStats()
        return self.experience.workload_stats.look(jobs, seen.replicas, self.models)

    def _moves(self, now_s: float) -> tuple[Moved, ...]:
        if self.policy.consolidation is Consolidation.OFF:
            return ()
        return self.store.moves(now_s - self.policy.moves_remembered_s)


def _left_out(jobs: Sequence[JobRecord], kept: Sequence[JobRecord]) -> tuple[JobRecord, ...]:
    known = {job.job_id for job in kept}
    return tuple(job for job in jobs if job.job_id not in known)
