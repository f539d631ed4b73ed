"""Pruning: what is open or young is whole, everything else is gone, and nobody who reads meanwhile notices."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select

from scheduler.api.paging import in_chunks
from scheduler.backends.ray.remains import RunRemains
from scheduler.control.model_records import Publication
from scheduler.control.private_files import remove_folder
from scheduler.control.records import AttemptRecord, EventKind, EventRecord, JobRecord, Once, Outcome
from scheduler.control.service.artifacts import ArtifactShelf
from scheduler.control.service.packages import PackageShelf
from scheduler.control.upkeep import pruning
from scheduler.control.upkeep.pruning import Pruner, prune_forever
from scheduler.control.upkeep.retention import Retention
from scheduler.model.errors import NotFound, Superseded, Unreachable
from scheduler.model.jobspec import JobSpec, Publishes
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.engine import writing
from scheduler.store.opening import open_engine
from scheduler.store.sql import SqlStore
from scheduler.store.tables import attempts, events, jobs, publications, submissions

DAY_S = 86_400.0
NOW_S = float(round(time.time()))
"""Files that are asked for become as old as the machine says."""
SPEC = JobSpec("lm", "python train.py", Gang(1, Shape(1000)))
RULES = Retention(90 * DAY_S, 90 * DAY_S, 60 * DAY_S, 30 * DAY_S, 30 * DAY_S, 90 * DAY_S)
OWNER = "0123abcd-0000-0000-0000-000000000000"
NUMBERS = count()


def digest(index: int) -> str:
    return f"sha256:{hashlib.sha256(str(index).encode()).hexdigest()}"


@dataclass
class Clock:
    """A world in which it is what time we say."""

    at_s: float = NOW_S
    speed: float = 1.0

    def now_s(self) -> float:
        return self.at_s

    def to_world_s(self, wall_s: float) -> float:
        return wall_s


@dataclass
class Site:
    """A store with a state directory."""

    store: SqlStore
    state: Path
    clock: Clock = field(default_factory=Clock)
    rules: Retention = RULES
    may_act: Callable[[], object] = lambda: None
    in_use: tuple[str, ...] = ()

    @property
    def shelf(self) -> PackageShelf:
        return PackageShelf(self.state / "packages")

    def pruner(self, **parts: Any) -> Pruner:
        board: Any = SimpleNamespace(report=None)
        known = {
            "remains": RunRemains(self.state, OWNER),
            "packages": self.shelf,
            "artifacts": ArtifactShelf(self.state / "artifacts"),
            "in_use": lambda: self.in_use,
            "archive": self.store.archive,
        }
        return Pruner(
            rules=self.rules, store=self.store, clock=self.clock, board=board, prove=self.may_act, **known | parts
        )

    def job(self, state: JobState, age_days: float, spec: JobSpec = SPEC, tries: int = 1) -> JobRecord:
        """Make a job that ended so many days ago, or was submitted then, with all its files."""
        at_s = NOW_S - age_days * DAY_S
        made = self.store.accept(spec, at_s - 10.0)
        tried = tuple(
            AttemptRecord(made.job_id, number, (), at_s, ended_at_s=at_s, outcome=Outcome.FAILED)
            for number in range(1, tries + 1)
        )
        made = replace(made, state=state, attempts=tried, finished_at_s=at_s if state.is_final else None)
        self.store.save(made)
        for number in range(1, tries + 1):
            self.file(f"logs/headroom-0123abcd-{made.job_id}-{number}.log", 0.0)
        self.file(f"checkpoints/{made.job_id}/deep/checkpoint-7", 0.0)
        return made

    def package(self, index: int, age_days: float) -> None:
        stem = digest(index).removeprefix("sha256:")
        self.file(f"packages/{stem}.zip", age_days)
        self.file(f"work/{stem}/train.py", age_days)
        self.age(self.state / "work" / stem, age_days)

    def file(self, name: str, age_days: float) -> Path:
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        self.age(path, age_days)
        return path

    def age(self, path: Path, age_days: float) -> None:
        os.utime(path, (NOW_S - age_days * DAY_S,) * 2)

    def numbers(self) -> list[str]:
        return [job.job_id for job in self.store.jobs(open_only=False)]

    def names(self, folder: str, pattern: str = "*") -> set[str]:
        return {path.name for path in (self.state / folder).glob(pattern)}

    def titles(self) -> list[str]:
        return [event.title for event in self.store.events(subject=pruning.SUBJECT)]


@pytest.fixture
def new_site(url: str, tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Make sites that have nothing yet, one after the other, all on the same kind of database."""
    opened: list[SqlStore] = []

    def make() -> Site:
        for store in opened:
            store.close()
        folder = tmp_path / f"site-{next(NUMBERS)}"
        if url.startswith("sqlite"):
            opened.append(SqlStore(f"sqlite:///{folder}/headroom.db"))
        else:
            with database(url) as connection:
                for table in (attempts, events, submissions, jobs):
                    connection.execute(delete(table))
            opened.append(SqlStore(url))
        return Site(opened[-1], folder)

    yield make
    for store in opened:
        store.close()


@contextmanager
def database(url: str) -> Iterator[Connection]:
    engine = open_engine(url)
    with writing(engine) as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    return new_site()


def until_nothing_is_left(pruner: Pruner) -> None:
    while pruner.step():
        pass


AGES = st.sampled_from([0.0, 0.9, 1.1, 6.5, 7.5, 29.0, 31.0, 89.0, 91.0, 400.0])
LIVES = st.tuples(st.sampled_from(JobState), AGES, st.integers(0, 2), st.integers(-1, 3))
KEPT = st.sampled_from([0.0, DAY_S, 7 * DAY_S, 30 * DAY_S, 90 * DAY_S])


@st.composite
def rules(draw: st.DrawFn) -> Retention:
    """Draw rules as a configuration makes them: what belongs to a job goes with it at the latest."""
    jobs_s, logs_s, checkpoints_s = (draw(KEPT) for _ in range(3))
    capped = [min(kept_s or jobs_s, jobs_s or kept_s) for kept_s in (logs_s, checkpoints_s)]
    return Retention(jobs_s, draw(KEPT), *capped, draw(KEPT), draw(KEPT))


def is_over(age_days: float, kept_s: float) -> bool:
    return kept_s > 0 and age_days * DAY_S > kept_s


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lives=st.lists(LIVES, min_size=1, max_size=9), sent=st.lists(AGES, min_size=4, max_size=4), kept=rules())
def test_what_is_open_or_young_is_whole_and_everything_else_is_gone(
    new_site: Callable[[], Site],
    lives: list[tuple[JobState, float, int, int]],
    sent: list[float],
    kept: Retention,
) -> None:
    site = new_site()
    site.rules = kept
    for index, age_days in enumerate(sent):
        site.package(index, age_days)
    made = {}
    for state, age_days, tries, package in lives:
        spec = replace(SPEC, working_dir=digest(package) if package >= 0 else "")
        made[site.job(state, age_days, spec, tries).job_id] = (state, age_days, tries, package)
    for job_id, (_, age_days, _, _) in sorted(made.items(), key=lambda item: -item[1][1]):
        site.store.record(EventRecord(NOW_S - age_days * DAY_S, 1, EventKind.TRAINING, job_id, "told"))
        site.store.record(EventRecord(NOW_S - age_days * DAY_S, 1, EventKind.HOST, "gpu-1", "told"))
    before = {job.job_id: job for job in site.store.jobs(open_only=False)}
    until_nothing_is_left(site.pruner())

    newest = max(made, key=int)
    stay = {
        job_id
        for job_id, (state, age_days, _, _) in made.items()
        if not state.is_final or not is_over(age_days, kept.jobs_s) or job_id == newest
    }
    assert {job.job_id: job for job in site.store.jobs(open_only=False)} == {each: before[each] for each in stay}
    checkpoints, logs = (
        {each for each, (state, age, _, _) in made.items() if not state.is_final or not is_over(age, kept_s)}
        for kept_s in (kept.checkpoints_s, kept.logs_s)
    )
    assert site.names("checkpoints") == checkpoints
    assert {name.split("-")[2] for name in site.names("logs")} == {each for each in logs if made[each][2]}
    needed = {
        made[each][3] for each in stay if not made[each][0].is_final or not is_over(made[each][1], kept.packages_s)
    }
    packages = {digest(i)[7:] for i in range(4) if i in needed or not is_over(sent[i], kept.packages_s)}
    assert site.names("work") == packages == {name.removesuffix(".zip") for name in site.names("packages")}
    opened = {each for each in stay if not made[each][0].is_final}
    ages = sorted((age for _, age, _, _ in made.values() if not is_over(age, kept.events_s)), reverse=True)
    assert [(NOW_S - e.at_s) / DAY_S for e in site.store.events(subject="gpu-1")] == pytest.approx(ages)
    for each, (_, age_days, _, _) in made.items():
        told = bool(site.store.events(subject=each))
        assert told == (each in opened or not is_over(age_days, kept.events_s))
    until_nothing_is_left(site.pruner())
    assert set(site.numbers()) == stay


def test_a_reader_with_a_cursor_survives_pruning_between_pages(site: Site) -> None:
    for age_days in [400.0] * 5 + [1.0] * 5:
        site.job(JobState.SUCCEEDED, age_days)
    numbers = [int(each) for each in site.numbers()]
    pages = in_chunks(lambda after, _: site.store.jobs_after(after, 3), numbers[0] - 1)
    first = [int(next(pages).job_id) for _ in range(3)]
    until_nothing_is_left(site.pruner())
    assert first + [int(job.job_id) for job in pages] == [*numbers[:3], *numbers[5:]]


def test_numbers_of_jobs_are_never_given_again_and_nothing_seems_lost(site: Site, url: str) -> None:
    last = [site.job(JobState.FAILED, 400.0) for _ in range(3)][-1]
    totals = site.store.attempt_totals()
    until_nothing_is_left(site.pruner())
    assert site.numbers() == [last.job_id]
    assert site.store.attempt_totals() == totals, "what was counted stays counted"
    site.store.close()
    again = SqlStore(url if url.startswith("postgresql") else f"sqlite:///{site.state}/headroom.db")
    assert int(again.accept(SPEC, NOW_S).job_id) == int(last.job_id) + 1
    again.close()


def test_a_job_whose_submission_may_be_sent_again_stays(site: Site) -> None:
    once = Once("ada", "key", "digest", NOW_S + 60.0)
    job = site.store.accept(SPEC, NOW_S - 400 * DAY_S, once=once)
    site.store.save(replace(job, state=JobState.STOPPED, finished_at_s=NOW_S - 300 * DAY_S))
    site.job(JobState.RUNNING, 0.0)
    until_nothing_is_left(site.pruner())
    assert site.store.accept(SPEC, NOW_S, once=once).job_id == job.job_id
    site.clock.at_s += 120.0
    until_nothing_is_left(site.pruner())
    assert job.job_id not in site.numbers()


def test_checkpoints_that_an_open_job_names_stay_with_their_job(site: Site) -> None:
    old = site.job(JobState.SUCCEEDED, 400.0)
    folder = str(site.state / "checkpoints" / old.job_id)
    reader = site.job(JobState.PENDING, 0.0, replace(SPEC, env=(("WARM_START", folder),)))
    until_nothing_is_left(site.pruner())
    assert site.numbers() == [old.job_id, reader.job_id]
    assert site.names("checkpoints") == {old.job_id, reader.job_id}
    site.store.save(replace(reader, state=JobState.STOPPED, finished_at_s=NOW_S))
    until_nothing_is_left(site.pruner())
    assert site.numbers() == [reader.job_id]
    assert site.names("checkpoints") == {reader.job_id}


def test_a_step_looks_at_a_few_of_each_and_says_that_there_is_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("JOBS", 2), ("EVENTS", 2), ("PACKAGES", 2)):
        monkeypatch.setattr(pruning, name, most)
    for index in range(5):
        site.package(index, 400.0)
        site.job(JobState.SUCCEEDED, 400.0)
        site.store.record(EventRecord(NOW_S - 400 * DAY_S, 1, EventKind.HOST, "gpu-1", "told"))
    site.job(JobState.RUNNING, 0.0)
    pruner = site.pruner()
    for left in (3, 1):
        assert pruner.step()
        gone = (len(site.numbers()) - 1, len(site.store.events(subject="gpu-1")), len(site.names("packages")))
        assert gone == (left, left, left)
    assert not pruner.step()
    assert (len(site.numbers()), site.names("packages"), site.store.events(subject="gpu-1")) == (1, set(), ())


def test_what_cannot_be_removed_holds_up_nothing_else_and_is_told_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *_ = [site.job(JobState.SUCCEEDED, 400.0) for _ in range(4)]
    running = site.job(JobState.RUNNING, 400.0)
    site.package(1, 400.0)

    def refuse(path: Path) -> None:
        if path.name == stuck.job_id:
            raise PermissionError(13, "not ours", str(path))
        remove_folder(path)

    monkeypatch.setattr("scheduler.backends.ray.remains.remove_folder", refuse)
    pruner = site.pruner()
    for _ in range(5):
        pruner.step()
        site.clock.at_s += 700.0
    assert site.numbers() == [stuck.job_id, running.job_id]
    assert site.names("packages") == set()
    failed = "pruning of jobs failed; what is old is kept meanwhile"
    assert [title for title in site.titles() if not title.startswith("pruned ")] == [failed]
    monkeypatch.undo()
    pruner.step()
    assert site.numbers() == [running.job_id]
    assert site.titles()[-1] == "pruning of jobs works again"


def test_one_event_a_day_says_what_was_pruned(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as few:
        few.setattr(pruning, "JOBS", 1)
        site.job(JobState.SUCCEEDED, 400.0, tries=2)
        site.job(JobState.SUCCEEDED, 400.0, tries=0)
        site.job(JobState.RUNNING, 0.0)
        until_nothing_is_left(site.pruner())
    assert site.titles() == ["pruned 2 logs, 2 checkpoint folders, 2 jobs"]
    pruner = site.pruner()
    for _ in range(2):
        site.job(JobState.SUCCEEDED, 400.0)
        site.job(JobState.RUNNING, 0.0)
        pruner.step()
    assert len(site.titles()) == 1
    site.clock.at_s += DAY_S
    pruner.step()
    assert site.titles()[1:] == ["pruned 2 logs, 2 checkpoint folders, 2 jobs"]


def test_only_who_leads_prunes(site: Site) -> None:
    site.job(JobState.SUCCEEDED, 400.0)
    site.package(1, 400.0)
    site.file("packages/x.part", 1.0)
    site.job(JobState.RUNNING, 0.0)
    before = {
        str(path) for folder in ("logs", "checkpoints", "packages", "work") for path in (site.state / folder).rglob("*")
    }

    def superseded() -> None:
        raise Superseded("another control plane leads")

    site.may_act = superseded
    with pytest.raises(Superseded):
        site.pruner().step()
    assert len(site.numbers()) == 2
    assert {
        str(path) for folder in ("logs", "checkpoints", "packages", "work") for path in (site.state / folder).rglob("*")
    } == before


def test_rows_are_dropped_under_the_fence(url: str) -> None:
    leader = SqlStore(url, fence=1)
    with database(url) as connection:
        connection.exec_driver_sql("UPDATE identity SET fence = 2")
    with pytest.raises(Superseded):
        leader.archive.drop_jobs([JobId("1")], NOW_S, NOW_S)
    leader.close()


@pytest.mark.parametrize("error", [Unreachable("the store is silent"), RuntimeError("a defect")])
def test_the_thread_goes_on_after_whatever_a_step_raises_until_another_leads(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in ("FIRST_S", "BUSY_S", "IDLE_S"):
        monkeypatch.setattr(pruning, name, 0.0)
    steps: list[Any] = [True, error, False, Superseded("another one leads"), True]

    def step() -> bool:
        done = steps.pop(0)
        if isinstance(done, Exception):
            raise done
        return done

    pruner: Any = SimpleNamespace(step=step)
    prune_forever(pruner, Event())
    assert steps == [True]


def test_what_an_interrupted_upload_or_unpacking_left_is_swept_after_an_hour(site: Site) -> None:
    hour = 1 / 24
    drafts = ("packages/{}.12-34.part", "logs/.{}.log.12.part", ".{}.held.12.part", "work/.new-{}/x", "work/.old-{}/x")
    for draft in drafts:
        for name, age_days in (("late", 1.1 * hour), ("young", 0.9 * hour)):
            path = site.file(draft.format(name), age_days)
            site.age(path if draft.endswith("part") else path.parent, age_days)
    others = [site.file(name, 400.0) for name in ("packages/notes.txt", "work/mine/x", "store.held", "x.part")]
    site.pruner().step()
    left = {path.name for folder in ("packages", "logs", "work", ".") for path in (site.state / folder).iterdir()}
    assert not [name for name in left if "late" in name]
    assert len([name for name in left if "young" in name]) == len(drafts)
    assert all(path.exists() for path in others)


def test_a_package_that_is_wanted_again_is_not_taken_away_before_its_job_is_there(site: Site) -> None:
    site.package(1, 400.0)
    shelf = site.shelf

    class Asks:
        """A store before whose answer somebody submits a job with the package."""

        def __getattr__(self, name: str) -> Any:
            return getattr(site.store.archive, name)

        def is_named(self, text: str, since_s: float | None = None) -> bool:
            found = site.store.archive.is_named(text, since_s)
            shelf.wanted(digest(1))
            return found

    site.pruner(archive=Asks(), packages=shelf).step()
    assert shelf.path(digest(1)).is_file()
    assert (shelf.work_of(digest(1)) / "train.py").is_file()
    site.package(1, 400.0)
    site.pruner().step()
    with pytest.raises(NotFound):
        shelf.wanted(digest(1))


def test_sending_a_package_again_makes_it_young(site: Site) -> None:
    site.package(1, 400.0)
    site.shelf.save(digest(1), [])
    site.pruner().step()
    assert site.shelf.path(digest(1)).is_file()


def test_a_folder_whose_owner_made_it_read_only_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil  # noqa: PLC0415  # beside its one use

    inner = tmp_path / "work" / "cache"
    inner.mkdir(parents=True)
    (inner / "module").write_text("x")
    inner.chmod(0o500)
    really = shutil.rmtree

    def as_anybody_but_root(path: Path) -> None:
        if inner.stat().st_mode & 0o200 == 0:
            raise PermissionError(13, "Permission denied", str(inner))
        really(path)

    monkeypatch.setattr(shutil, "rmtree", as_anybody_but_root)
    remove_folder(tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_an_artifact_goes_when_it_is_old_and_no_revision_needs_it(new_site: Callable[[], Site]) -> None:
    site, stems = new_site(), [digest(index).removeprefix("sha256:") for index in range(3)]
    for stem, age_days in zip(stems, (91.0, 91.0, 89.0), strict=True):
        site.file(f"artifacts/{stem}/weights", age_days)
        site.age(site.state / "artifacts" / stem, age_days)
    site.in_use = ("{}", f'{{"args": {{"artifact": "/state/artifacts/{stems[1]}"}}}}')
    until_nothing_is_left(site.pruner())
    assert site.names("artifacts") == {stems[1], stems[2]}
    site.in_use = ()
    until_nothing_is_left(site.pruner())
    assert site.names("artifacts") == {stems[2]}, "its revision is history"
    site.rules = replace(RULES, artifacts_s=0.0)
    site.age(site.state / "artifacts" / stems[2], 9999.0)
    until_nothing_is_left(site.pruner())
    assert site.names("artifacts") == {stems[2]}


def test_with_a_pruned_job_goes_what_it_was_to_publish(new_site: Callable[[], Site]) -> None:
    site, spec = new_site(), replace(SPEC, publishes=Publishes("tone"))
    for state in (JobState.FAILED, JobState.SUCCEEDED):
        job = site.job(state, 91.0, spec)
        if state is JobState.SUCCEEDED:
            published = Publication(job.job_id, 1, "tone", "ada", 5.0, digest(1))
            site.store.publish(published)
    site.job(JobState.FAILED, 91.0)
    until_nothing_is_left(site.pruner())
    assert site.numbers() == ["3"]
    assert site.store.publication(JobId("2")) == published, "where a revision came from is known for good"
    with site.store.engine.connect() as connection:
        assert connection.scalars(select(publications.c.job_id)).all() == [2]
