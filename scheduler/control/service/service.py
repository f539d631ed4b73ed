"""What people can ask of the control plane; the API translates HTTP to these calls and back.

Nothing here acts on the cluster: a wish is stored, the loop is poked, the next turn carries it out.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Event, Lock
from typing import Final

from scheduler.control.models.draft import ModelDraft
from scheduler.control.ports import Clock, Store
from scheduler.control.records import DesiredState, EventKind, EventRecord, HostMark, JobRecord, Once
from scheduler.control.reports.board import Board, Report
from scheduler.control.service.admission import SiteLimits, faults_of
from scheduler.control.service.adopting import not_held_there, refuse_what_the_cluster_says
from scheduler.control.service.models import ModelForm, ModelService
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.people import SOMEBODY, Person
from scheduler.control.service.strays import StrayService
from scheduler.control.whatif.drain import DrainOutlook, drain_outlook
from scheduler.control.whatif.submission import SubmitOutlook, submit_outlook
from scheduler.model.counting import counted, plural
from scheduler.model.errors import ConfigError, Conflict, NotFound
from scheduler.model.hosts import Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.policy import Policy
from scheduler.model.workloads import JobId, JobState
from scheduler.planning.reasons.wording import size

KEY_KEPT_S: Final = 86_400.0
"""Wall seconds for which a submission is known by its key."""


class ControlService:
    """The use-cases. Thread-safe; every call answers from the store and the last report, never from the cluster."""

    def __init__(  # noqa: PLR0913  # the parts of a control plane, all by name
        self,
        *,
        store: Store,
        board: Board,
        clock: Clock,
        policy: Policy,
        site_limits: SiteLimits,
        packages: PackageShelf,
        gate: AbstractContextManager[object],
        poke: Event,
        models: ModelForm | None = None,
    ) -> None:
        """Share the store and `gate` (held while records are read, changed and saved) with the cycle."""
        self.store = store
        self.board = board
        self.packages = packages
        self.strays = StrayService(store, board, clock, poke)
        self.models = ModelService(store, board, clock, policy, models or ModelForm(), gate, poke)
        self._clock = clock
        self._policy = policy
        self._site_limits = site_limits
        self._gate = gate
        self._poke = poke
        self._submitting = Lock()

    def go_by(self, limits: SiteLimits, policy: Policy) -> None:
        """Answer by other limits and another policy from now on."""
        with self._gate:
            self._site_limits, self._policy = limits, policy
            self.models = replace(self.models, policy=policy)

    def own(self, declared: Mapping[str, ModelDraft]) -> None:
        """Know other models as those of the file from now on."""
        with self._gate:
            self.models = replace(self.models, form=replace(self.models.form, declared=declared))

    def submit(self, spec: JobSpec, *, by: Person = SOMEBODY, key: str = "", digest: str = "") -> JobRecord:
        """Accept a job; it is on disk when this returns.

        Args:
            spec: what is asked for.
            by: who submits it.
            key: chosen by the sender; the same again within a day is the same submission, and gives the same job.
            digest: of what was sent with the key.

        Raises:
            ConfigError: unknown queue or package, a grace period longer than allowed, or a gang that fits on no set
                of the hosts last seen.
            NotPermitted: a priority above what this person may use in that queue.
            Conflict: its owner has too many jobs waiting, or the key was used for something else.
        """
        now_s = self._clock.now_s()
        once = Once(spec.owner, key, digest, now_s + KEY_KEPT_S * self._clock.speed) if key else None
        with self._submitting:
            if once is not None and (earlier := self.store.submitted(once)) is not None:
                return earlier
            self._check(spec, by)
            self._site_limits.refuse_one_more(spec.owner, self.store.jobs())
            job = self.store.accept(spec, now_s, once=once, told=lambda job: self._accepted(job, by))
        self._poke.set()
        return job

    def try_out(self, spec: JobSpec, *, by: Person = SOMEBODY) -> SubmitOutlook:
        """Say what would become of a job, and accept nothing; its working directory need not be there yet.

        Raises:
            ConfigError: as `submit`.
            NotPermitted: likewise.
            Conflict: no plan was made yet, so nobody can say.
        """
        self._check(replace(spec, working_dir=""), by)
        return submit_outlook(self._observed().cycle, spec, self._policy)

    def printed_by(self, job_id: JobId, *, by: Person = SOMEBODY) -> JobRecord:
        """Return a job whose output somebody wants to read.

        Raises:
            NotFound: there is none.
            NotPermitted: it is none of theirs.
        """
        job = self.store.job(job_id)
        self._site_limits.refuse_output(job.spec, by)
        return job

    def job(self, job_id: JobId) -> JobRecord:
        """Return one job with its attempts.

        Raises:
            NotFound: there is none.
        """
        return self.store.job(job_id)

    def jobs(self, *, open_only: bool = True, limit: int | None = None) -> tuple[JobRecord, ...]:
        """Return jobs, oldest first."""
        return self.store.jobs(open_only=open_only, limit=limit)

    def jobs_after(self, after: int, limit: int) -> tuple[JobRecord, ...]:
        """Return at most `limit` jobs, open or not, with numbers above `after`, oldest first."""
        return self.store.jobs_after(after, limit)

    def events(
        self, *, after_id: int = 0, before_id: int = 0, subject: str = "", limit: int = 100
    ) -> tuple[EventRecord, ...]:
        """Return the newest events, oldest first."""
        return self.store.events(after_id=after_id, before_id=before_id, subject=subject, limit=limit)

    def stop(self, job_id: JobId, *, by: Person = SOMEBODY) -> JobRecord:
        """End a job for good; a running attempt gets its grace period. Stopping a stopped job changes nothing.

        Raises:
            NotFound: there is none.
            Conflict: it has succeeded or failed already.
        """
        return self._change(
            job_id, lambda job: replace(job, desired=DesiredState.STOP), "stop asked", by=by, already=JobState.STOPPED
        )

    def hold(self, job_id: JobId, reason: str = "", *, by: Person = SOMEBODY) -> JobRecord:
        """Let a job wait until it is resumed; a running attempt saves and stops.

        Raises:
            NotFound: there is none.
            Conflict: it is final, or a stop was asked for.
        """
        return self._change(
            job_id,
            lambda job: replace(_not_stopping(job), desired=DesiredState.HOLD, hold_reason=reason),
            "put on hold",
            reason,
            by=by,
        )

    def resume(self, job_id: JobId, *, by: Person = SOMEBODY) -> JobRecord:
        """Let a held job run again.

        Raises:
            NotFound: there is none.
            Conflict: it is final, a stop was asked for, or the cluster itself holds it.
        """
        return self._change(
            job_id,
            lambda job: replace(
                _not_stopping(not_held_there(job)), desired=DesiredState.RUN, hold_reason="", not_before_s=0.0
            ),
            "resumed",
            by=by,
        )

    def set_priority(self, job_id: JobId, priority_class: str, *, by: Person = SOMEBODY) -> JobRecord:
        """Give a job another priority class.

        Raises:
            NotFound: no such job.
            ConfigError: no such class.
            NotPermitted: it is above what this person may use in the job's queue.
            Conflict: the job is final, or was given to the cluster itself.
        """
        value = self._site_limits.priority(priority_class)

        def change(job: JobRecord) -> JobRecord:
            refuse_what_the_cluster_says(job)
            self._site_limits.refuse_priority(priority_class, job.spec.queue, by)
            return replace(job, spec=replace(job.spec, priority_class=priority_class, priority=value))

        return self._change(job_id, change, f"priority {priority_class}", by=by)

    def host_marks(self) -> tuple[HostMark, ...]:
        """Return what operators said of hosts."""
        return self.store.host_marks()

    def cordon(self, host: str, reason: str = "", *, by: Person = SOMEBODY) -> HostMark:
        """Let a host keep its work and take no more.

        Raises:
            NotFound: no such host was seen.
            Conflict: no plan was made yet, so nobody knows the hosts.
        """
        self._known(host)
        return self._mark(HostMark(host, HostState.CORDONED, reason, self._clock.now_s()), "cordoned", by)

    def uncordon(self, host: str, *, by: Person = SOMEBODY) -> None:
        """Let a cordoned or draining host take work again; nothing changes when it does already.

        Raises:
            NotFound: no such host was seen.
            Conflict: no plan was made yet, so nobody knows the hosts; or the cluster itself has it cordoned.
        """
        marked = any(mark.host == host for mark in self.store.host_marks())
        if not marked:
            self._known(host)
            self._refuse_what_the_cluster_keeps(host)
            return
        self.store.unmark_host(host)
        self._tell(EventKind.HOST, host, f"{host} takes work again", by=by)
        self._poke.set()

    def drain(  # noqa: PLR0913  # what may be asked of it, all by name
        self,
        host: str,
        *,
        reason: str = "",
        deadline_s: float | None = None,
        force: bool = False,
        dry_run: bool = False,
        by: Person = SOMEBODY,
    ) -> DrainOutlook:
        """Empty a host, or say what that would do.

        Args:
            host: its name.
            reason: for people.
            deadline_s: seconds from now; jobs that end by themselves before it are not preempted.
            force: even when serving falls short.
            dry_run: change nothing.
            by: who asks.

        Returns:
            What moves, whether serving stays covered, and whether the drain was begun (not when it would leave
            serving short and `force` is not given).

        Raises:
            NotFound: no such host was seen.
            Conflict: no plan was made yet, so nobody can say what it would do.
        """
        self._known(host)
        now_s = self._clock.now_s()
        mark = HostMark(host, HostState.DRAINING, reason, now_s, None if deadline_s is None else now_s + deadline_s)
        outlook = drain_outlook(self._observed().cycle, mark, self._policy)
        if dry_run or not (outlook.covered or force):
            return outlook
        self._mark(mark, "draining", by)
        return replace(outlook, applied=True)

    def _check(self, spec: JobSpec, by: Person) -> None:
        report = self.board.report
        hosts = report.cycle.snapshot.hosts if report is not None else None
        faults = tuple(faults_of(spec, self._site_limits, self.packages, hosts))
        if faults:
            raise ConfigError(*faults)
        self._site_limits.refuse_priority(spec.priority_class, spec.queue, by)

    def _change(  # noqa: PLR0913  # what is changed, and what is told of it
        self,
        job_id: JobId,
        change: Callable[[JobRecord], JobRecord],
        title: str,
        detail: str = "",
        *,
        by: Person,
        already: JobState | None = None,
    ) -> JobRecord:
        with self._gate:
            job = self.store.job(job_id)
            if job.state is already:
                return job
            if job.state.is_final:
                raise Conflict(f"job {job_id} {job.spec.name} has {job.state.lower()} already", help="submit it anew")
            changed = change(job)
            if changed == job:
                return job
            event = self._event(EventKind.TRAINING, job_id, f"{job_id} {job.spec.name}: {title}", detail, by)
            self.store.save_all([changed], [event])
        self._poke.set()
        return changed

    def _mark(self, mark: HostMark, word: str, by: Person) -> HostMark:
        before = next((m for m in self.store.host_marks() if m.host == mark.host), None)
        if before is not None and replace(before, since_s=mark.since_s) == mark:
            return before
        self.store.mark_host(mark)
        self._tell(EventKind.HOST, mark.host, f"{mark.host} {word}", mark.reason, by=by)
        self._poke.set()
        return mark

    def _observed(self) -> Report:
        if self.board.report is None:
            raise Conflict("no plan yet: the cluster was not observed", help="try again in a moment")
        return self.board.report

    def _known(self, host: str) -> Host:
        hosts = self._observed().cycle.snapshot.hosts
        found = next((known for known in hosts if known.name == host), None)
        if found is None:
            raise NotFound(f"no host {host}", help="headroom hosts lists them")
        return found

    def _refuse_what_the_cluster_keeps(self, host: str) -> None:
        seen = next((one for one in self._observed().observation.hosts if one.name == host), None)
        if seen is not None and seen.state is HostState.CORDONED:
            why = f": {seen.reason}" if seen.reason else ""
            raise Conflict(f"{host} is cordoned in the cluster itself{why}", help="let it take work again there")

    def _accepted(self, job: JobRecord, by: Person) -> EventRecord:
        title = f"{job.job_id} {job.spec.name} accepted"
        return self._event(EventKind.TRAINING, job.job_id, title, _asks(job.spec), by)

    def _tell(self, kind: EventKind, subject: str, title: str, detail: str = "", *, by: Person) -> None:
        self.store.record(self._event(kind, subject, title, detail, by))

    def _event(self, kind: EventKind, subject: str, title: str, detail: str, by: Person) -> EventRecord:
        report = self.board.report
        number = report.cycle.number if report else 0
        return EventRecord(self._clock.now_s(), number, kind, subject, title, detail, actor=by.name)


def _not_stopping(job: JobRecord) -> JobRecord:
    if job.desired is DesiredState.STOP:
        raise Conflict(f"job {job.job_id} {job.spec.name} is being stopped", help="submit it anew when it has ended")
    return job


def _asks(spec: JobSpec) -> str:
    gpus, cpus = (
        spec.gang.workers * each / 1000 for each in (spec.gang.shape.total_gpu_milli, spec.gang.shape.cpu_milli)
    )
    what = counted(gpus, "GPU") if gpus else counted(cpus, "CPU")
    workers = f"{size(spec.gang)} workers" if spec.gang.is_elastic else plural(spec.gang.workers, "worker")
    return f"{spec.priority_class}, {workers}, {what}"
