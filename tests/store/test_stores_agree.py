"""What is simulated is what runs: the store in memory answers as the one on disk, whatever is done to them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scheduler.control.ports import Store
from scheduler.control.records import (
    AttemptRecord,
    CycleRecord,
    DesiredState,
    EventKind,
    EventRecord,
    HostMark,
    JobRecord,
    Outcome,
)
from scheduler.model.demand import Demand
from scheduler.model.errors import NotFound
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan, PreemptJob, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.sql import SqlStore
from simulations.memory_store import CYCLES_KEPT, MemoryStore

SPEC = JobSpec("lm", "run", Gang(1, Shape(1000, 1024, 1)), priority=50)
NUMBERS = st.integers(1, 6)
NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def attempts(draw: st.DrawFn, job_id: JobId) -> tuple[AttemptRecord, ...]:
    """Return the attempts of a job, numbered from 1, with or without what they saved."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from([None, 7])), max_size=3))
    return tuple(
        AttemptRecord(job_id, number, (Slot("a", (0,)),), 1.0, outcome=outcome, checkpoint_step=step, lost_gpu_s=2.0)
        for number, (outcome, step) in enumerate(drawn, 1)
    )


@st.composite
def records(draw: st.DrawFn) -> JobRecord:
    """Return a record that somebody may wish to save, of a job that may never have been accepted."""
    job_id = JobId(str(draw(NUMBERS)))
    spec = replace(SPEC, priority=draw(st.sampled_from([25, 75])))
    state, desired = draw(st.sampled_from(JobState)), draw(st.sampled_from(DesiredState))
    return JobRecord(
        job_id, spec, state, desired, 5.0, draw(st.sampled_from([None, 9.0])), attempts=draw(attempts(job_id))
    )


EVENTS = st.builds(EventRecord, st.floats(0, 9), st.just(1), st.sampled_from(EventKind), NAMES, NAMES, st.just(""))
MARKS = st.builds(
    HostMark,
    NAMES,
    st.sampled_from([HostState.CORDONED, HostState.DRAINING]),
    NAMES,
    st.floats(0, 9),
    st.sampled_from([None, 20.0]),
)


class TwoStores(RuleBasedStateMachine):
    """Does the same to both stores and asks both the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="headroom-stores-")
        self.disk = SqlStore(f"sqlite:///{Path(self.folder.name)}/state.db", cycles_kept=CYCLES_KEPT)
        self.memory = MemoryStore()
        self.cycle = 0

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()

    def both(self, ask: Callable[[Store], object]) -> None:
        """Ask both; they answer alike, or both find nothing."""
        answers = []
        for store in (self.disk, self.memory):
            try:
                answers.append(ask(store))
            except NotFound:
                answers.append(NotFound)
        assert answers[0] == answers[1]

    @initialize()
    def accept_some(self) -> None:
        for at_s in range(4):
            self.accept(float(at_s))

    @rule(at_s=st.floats(0, 9))
    def accept(self, at_s: float) -> None:
        self.both(lambda store: store.accept(SPEC, at_s))

    @rule(jobs=st.lists(records(), min_size=1, max_size=3), events=st.lists(EVENTS, max_size=2))
    def save(self, jobs: list[JobRecord], events: list[EventRecord]) -> None:
        jobs = list(map(self.still_final, jobs))
        self.both(lambda store: store.save_all(jobs, events))

    @rule(job=records())
    def save_one(self, job: JobRecord) -> None:
        self.both(lambda store: store.save(self.still_final(job)))

    def still_final(self, job: JobRecord) -> JobRecord:
        """Return a record as a service may save it: what was final once stays final."""
        known = {one.job_id for one in self.memory.jobs(open_only=False) if one.state.is_final}
        return replace(job, state=JobState.STOPPED) if job.job_id in known else job

    @rule(events=st.lists(EVENTS, max_size=3))
    def record(self, events: list[EventRecord]) -> None:
        self.both(lambda store: store.record(*events))

    @rule(mark=MARKS)
    def mark(self, mark: HostMark) -> None:
        self.both(lambda store: store.mark_host(mark))

    @rule(host=NAMES)
    def unmark(self, host: str) -> None:
        self.both(lambda store: store.unmark_host(host))

    @rule(
        moved=st.sets(NUMBERS, max_size=3),
        other=st.sampled_from([Cause.SERVING, Cause.GROWTH]),
        holders=st.lists(NAMES),
    )
    def journal(self, moved: set[int], other: Cause, holders: list[str]) -> None:
        self.cycle += 1
        stops = [PreemptJob(JobId(str(number)), 1, 30.0, Cause.CONSOLIDATION, "9") for number in sorted(moved)]
        plan = Plan(
            self.cycle,
            (*stops, PreemptJob(JobId("9"), 1, 30.0, other, "m")),
            tuple(Reservation(holder, (Slot("a", (0,)),), 0.0, 10.0) for holder in holders),
        )
        cycle = CycleRecord(self.cycle, 10.0 * self.cycle, Snapshot.of(version=self.cycle), Demand(), plan, 0.0)
        self.both(lambda store: store.journal(cycle))

    @rule(number=NUMBERS)
    def ask_for_one(self, number: int) -> None:
        self.both(lambda store: store.job(JobId(str(number))))
        self.both(lambda store: store.spec(JobId(str(number))))

    @rule(limit=st.integers(0, 4), after_id=st.integers(0, 9), subject=st.sampled_from(["", "a", "z"]))
    def ask_for_some(self, limit: int, after_id: int, subject: str) -> None:
        self.both(lambda store: store.jobs(limit=limit))
        self.both(lambda store: store.jobs(open_only=False, limit=limit))
        self.both(lambda store: store.events(after_id=after_id, subject=subject, limit=limit))
        self.both(lambda store: store.cycles(limit=limit))
        self.both(lambda store: store.moves(10.0 * limit))

    @invariant()
    def all_is_alike(self) -> None:
        self.both(lambda store: (store.jobs(), store.jobs(open_only=False)))
        self.both(lambda store: (store.events(), store.host_marks(), store.reservations(), store.moves(0.0)))


def test_the_store_in_memory_answers_as_the_one_on_disk() -> None:
    run_state_machine_as_test(TwoStores, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
