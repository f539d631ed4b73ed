# ruff: noqa: S104  # a wildcard address is what is tested
"""Whatever the world is like: nothing that is not everybody's is in any answer without a token."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.capacity import TargetRate
from scheduler.control.isolation.bulkheads import Part, Trouble
from scheduler.control.model_records import ModelRecord, Proposal, Revision, Rollout, RolloutPhase
from scheduler.control.records import (
    AttemptRecord,
    DesiredState,
    EventKind,
    EventRecord,
    HostMark,
    JobRecord,
    Outcome,
)
from scheduler.control.reports.board import Report
from scheduler.control.reports.unheard import Unheard
from scheduler.control.settings import Application, ModelCard, Served
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Stray, StrayKind
from scheduler.model.plan import Reason, Unplaced
from scheduler.model.queues import MeanUse
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.telemetry.metrics import Metrics
from simulations.memory_store import MemoryStore
from tests.api.conftest import GIB, MODELS, NOW_S, QUEUES, replicas, report, slot, world_of
from tests.api.test_access import SECRETS, TOKENS
from tests.api.test_every_route import routes

MARK = "zqxj"
"""Stands in every place that is not everybody's, and nowhere else."""
SOMETIMES = st.sampled_from([MARK, f"a {MARK} of mine", ""])
STATES = st.sampled_from(JobState)
SHAPE = Shape(100, GIB, 1, 10)


@st.composite
def jobs(draw: st.DrawFn, number: int) -> JobRecord:
    """A job of somebody's, with something of theirs in all that they may write."""
    state, job_id = draw(STATES), JobId(str(number))
    attempts = tuple(draw(attempt(job_id, at)) for at in range(1, draw(st.integers(0, 3)) + 1))
    if state.holds_room and not attempts:
        attempts = (AttemptRecord(job_id, 1, (slot("1009", 0),), NOW_S - 90, NOW_S - 80),)
    if attempts and state.holds_room:
        attempts = (*attempts[:-1], replace(attempts[-1], ended_at_s=None, outcome=Outcome.OPEN))
    spec = JobSpec(
        f"job-{number}", f"python {MARK}.py", Gang(1, SHAPE), MARK, draw(st.sampled_from(QUEUES)).name,
        env=((MARK, MARK),), working_dir=f"sha256:{MARK}", secrets=((MARK, MARK),), origin=draw(SOMETIMES),
    )  # fmt: skip
    desired = DesiredState.HOLD if state is JobState.HELD else DesiredState.RUN
    return JobRecord(
        job_id, spec, state, desired, NOW_S - draw(st.integers(1, 10_000)), hold_reason=draw(SOMETIMES),
        attempts=attempts, finished_at_s=NOW_S - 1 if state.is_final else None,
    )  # fmt: skip


def attempt(job_id: JobId, number: int) -> st.SearchStrategy[AttemptRecord]:
    return st.builds(
        AttemptRecord,
        job_id=st.just(job_id), number=st.just(number), slots=st.just((slot("1009", number % 2),)),
        decided_at_s=st.just(NOW_S - 900), started_at_s=st.just(NOW_S - 800), ended_at_s=st.just(NOW_S - 700),
        outcome=st.sampled_from([one for one in Outcome if one is not Outcome.OPEN]),
        cause=SOMETIMES, message=SOMETIMES, checkpoint_step=st.sampled_from([None, 5]),
        checkpointed_at_s=st.sampled_from([None, NOW_S - 750]),
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn, known: list[JobRecord]) -> Report:
    """A report of these jobs on hosts, with models, that people have said things of."""
    base = report()
    states = st.sampled_from(HostState)
    labelled = ((MARK, MARK),)
    hosts = tuple(
        replace(host, state=draw(states), reason=draw(SOMETIMES), labels=labelled, since_s=NOW_S - 60)
        for host in base.cycle.snapshot.hosts
    )
    planned = [
        TrainingJob(
            job.job_id, job.spec.name, job.spec.gang, job.spec.queue, MARK, 50, state=job.state,
            submitted_at_s=job.submitted_at_s, slots=job.attempts[-1].slots if job.state.holds_room else (),
        )
        for job in known if not job.state.is_final
    ]  # fmt: skip
    human = st.sampled_from([Reason.HELD_BY_OWNER, Reason.NO_HOST_MATCHES])
    unplaced = tuple(Unplaced(job.job_id, draw(human), MARK) for job in planned if not job.slots)
    snapshot = Snapshot.of(
        version=base.cycle.number, taken_at_s=NOW_S, hosts=hosts, models=MODELS, replicas=replicas(), jobs=planned,
        queues=tuple(replace(queue, submitters=(MARK,)) for queue in QUEUES),
        usage=(MeanUse("product", MARK, gpu_milli=100.0),),
    )  # fmt: skip
    plan = replace(base.cycle.plan, actions=(), unplaced=unplaced, bookings=(), reservations=())
    return replace(
        base, cycle=replace(base.cycle, snapshot=snapshot, plan=plan), degraded=draw(SOMETIMES),
        troubles=tuple(Trouble(Part(MARK, model.name, MARK), MARK, NOW_S) for model in snapshot.models[:2]),
        served=tuple(_served(model) for model in snapshot.models),
        deployed=(ModelRecord("edit-check", 1, 1, rollout=_rollout(draw(st.sampled_from(RolloutPhase)))),),
        observation=replace(base.observation, hosts=hosts, strays=(Stray(MARK, StrayKind.RUN, MARK),), faults=(MARK,)),
    )  # fmt: skip


def _served(model: Any) -> Served:
    application = Application(f"{MARK}:build", {MARK: MARK}, {MARK: MARK})
    card, rule = ModelCard("d", trained_by=MARK), TargetRate(1.0)
    return Served(model, "wikipedia-en", 1.0, rule, owner=MARK, application=application, card=card)


def _rollout(phase: RolloutPhase) -> Rollout:
    return Rollout(2, 2, NOW_S - 50, phase=phase, phase_s=NOW_S - 40, reason=MARK)


@dataclass(frozen=True)
class Made:
    """Jobs of a store, and the report of them."""

    known: list[JobRecord]
    shown: Report


@st.composite
def worlds(draw: st.DrawFn) -> Made:
    """Draw them together."""
    known = [draw(jobs(number)) for number in range(1, draw(st.integers(1, 5)) + 1)]
    return Made(known, draw(reports(known)))


def filled(known: list[JobRecord]) -> MemoryStore:
    """A store with these jobs, and with more of what people write."""
    store, body = MemoryStore(known), json.dumps({"name": "tone", "owner": MARK, "application": {"args": {MARK: MARK}}})
    for kind in EventKind:
        for subject in ("1", "edit-check", MARK):
            store.record(EventRecord(NOW_S, 1, kind, subject, f"by {MARK}", f"since {MARK}", actor=MARK))
    store.mark_host(HostMark("ml-serve1009", HostState.CORDONED, MARK, NOW_S))
    revision = Revision("edit-check", 1, body, MARK, NOW_S, MARK, 1, (MARK,), MARK)
    store.save_model(ModelRecord("edit-check", 1, 1), (revision,))
    store.propose(Proposal("tone", body, MARK, NOW_S, MARK), EventRecord(NOW_S, 1, EventKind.SERVING, "tone", MARK))
    return store


def addresses(world: Any, known: list[JobRecord]) -> Iterator[str]:
    """Yield every address that can be read, with each job in its turn, and what may be asked of lists."""
    for path in sorted(path for method, path in routes(world) if method == "GET" and path != "/api/v1/stream"):
        yield from {path.replace("401", str(job.job_id)) for job in known}
    yield from (
        "/openapi.json",
        "/api/v1/jobs?all=true",
        "/api/v1/jobs?all=true&limit=2",
        "/page/chart?model=edit-check",
    )
    yield from ("/api/v1/capacity?model=edit-check", "/api/v1/jobs/99", "/nowhere", "/jobs/99", "/?model=edit-check")


def told(answer: httpx.Response) -> str:
    return f"{answer.headers} {answer.text}".lower()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where packages would lie."""
    return tmp_path_factory.mktemp("public")


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a world in which the property fails
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=worlds(), is_before_the_first=st.booleans())
def test_no_answer_without_a_token_has_anything_of_anybodys(made: Made, is_before_the_first: bool, folder: Any) -> None:  # noqa: FBT001  # drawn
    known, shown = made.known, made.shown
    world = world_of(filled(known), folder)
    metrics = Metrics(world.board)
    world.board.wait_for(Unheard((MARK,), 3, (MARK,)))
    if is_before_the_first:
        world.board.degrade(MARK)
    else:
        world.publish(shown)
    parts = {"bind_host": "0.0.0.0", "tokens": TOKENS, "public": True, "metrics": metrics.text}
    stranger = world.http(**parts)
    for address in addresses(world, known):
        answer = stranger.get(address)
        assert answer.status_code < 500 or answer.status_code == 503, address
        assert MARK not in told(answer), address


def test_the_mark_is_there_for_those_who_may_see_it(folder: Any) -> None:
    """Else the property above would hold of a world in which nothing was marked."""
    known = [_held(), _failed()]
    world = world_of(filled(known), folder)
    base = report()
    hosts = tuple(replace(host, reason=MARK) for host in base.cycle.snapshot.hosts)
    world.publish(
        replace(
            base,
            cycle=replace(base.cycle, snapshot=replace(base.cycle.snapshot, hosts=hosts)),
            served=tuple(_served(model) for model in base.cycle.snapshot.models),
            degraded=MARK,
        )
    )
    mine = world.http(SECRETS["operator"], bind_host="0.0.0.0", tokens=TOKENS, public=True)
    marked = {address for address in addresses(world, known) if MARK in told(mine.get(address))}
    api = {"jobs", "jobs/1", "jobs?all=true", "hosts", "models", "events", "status", "proposals"}
    pages = {"/", "/events", "/jobs/1", "/page/update"}
    assert marked >= pages | {f"/api/v1/{path}" for path in api | {"models/edit-check/revisions"}}


def _held() -> JobRecord:
    spec = JobSpec("job-1", MARK, Gang(1, SHAPE), MARK)
    return JobRecord(JobId("1"), spec, JobState.HELD, DesiredState.HOLD, NOW_S - 9, hold_reason=MARK)


def _failed() -> JobRecord:
    over = AttemptRecord(
        JobId("2"), 1, (), NOW_S - 8, NOW_S - 7, ended_at_s=NOW_S, outcome=Outcome.FAILED, message=MARK
    )
    return replace(_held(), job_id=JobId("2"), state=JobState.FAILED, finished_at_s=NOW_S, attempts=(over,))
