"""The file of a control plane changes under load: what runs goes on, and all of a file counts, or none of it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from records.fault import nobody
from scheduler.cli.composition.people import drafts_of
from scheduler.cli.composition.reloading import Reloader, configured_by
from scheduler.cli.traffic_sources import sources_of
from scheduler.config.loading import load_with_lines
from scheduler.config.model import draft_of, read_model
from scheduler.config.wiring import served_from
from scheduler.control.cycle import Cycle
from scheduler.control.reports.board import Board
from scheduler.control.service.configured import NextConfiguration
from scheduler.control.service.models import ModelForm
from scheduler.control.service.people import Person
from scheduler.control.service.service import ControlService
from scheduler.model.errors import ConfigError, Conflict, NotPermitted, Unreachable
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, ReplicaState
from simulations.work import Work
from simulations.world import World

MONDAY_S = 1_350_259_200.0
PERIOD_S = 10.0
ADA = Person("ada")


def model(name: str, **more: object) -> dict[str, object]:
    """Return a model that serves ten requests a second with one device, and has five of them."""
    capacity = {"kind": "rate", "rps_per_replica": 10}
    runs = {"import_path": "served:build"}
    shape = {"gpus": 1, "cpus": 1, "memory": "1Gi"}
    plain = {"name": name, "capacity": capacity, "traffic": "wiki", "warm_up": 30, "application": runs}
    return {**plain, "resources": shape, "max_replicas": 3, **more}


FILE: dict[str, Any] = {
    "cluster": "life",
    "backend": {"kind": "local", "hosts": [{"name": name, "gpus": 4, "gpu_model": "MI210"} for name in "xy"]},
    "control": {"period": PERIOD_S, "reactive": True, "scale_down_after": "1m"},
    "traffic": {"wiki": {"kind": "replay", "file": "wiki.csv", "timestamp": "at", "value": "requests"}},
    "queues": ["default", "research"],
    "models": [model("tone")],
}


class Site:
    """A simulated cluster, a file, and a control plane that was started from it."""

    def __init__(self, folder: Path) -> None:
        hosts = [Host(name, 16_000, 32_768, tuple(Device(i, 1024) for i in range(4)), "MI210") for name in "xy"]
        self.world, self.path, self.folder = World(MONDAY_S, hosts), folder / "cluster.yaml", folder
        hours = "".join(f"2012-10-{day:02}T{hour:02}:00:00Z,18000\n" for day in range(8, 20) for hour in range(24))
        (folder / "wiki.csv").write_text(f"at,requests\n{hours}", encoding="utf-8")
        self.write()
        self.begin()

    def write(self, **changes: object) -> None:
        """Write a file that is otherwise in some keys."""
        self.path.write_text(yaml.safe_dump({**FILE, **changes}), encoding="utf-8")

    def begin(self) -> None:
        """Begin a process."""
        config, _ = load_with_lines(self.path)
        following, sources, board = NextConfiguration(), sources_of(config), Board()
        first = configured_by(config, sources)
        self.cycle = Cycle(
            cluster=self.world.cluster,
            store=self.world.store,
            clock=self.world.engine,
            served=first.served,
            sources=first.sources,
            policy=first.policy,
            settings=first.settings,
            limits=first.limits,
            board=board,
            read_model=served_from,
            renewed=following.take,
        )
        self.world.cluster.declare([one.declared() for one in first.served])
        self.service = ControlService(
            store=self.world.store,
            board=board,
            clock=self.world.engine,
            policy=first.policy,
            site_limits=first.limits,
            packages=None,  # type: ignore[arg-type]  # nothing is uploaded here
            gate=self.cycle.gate,
            poke=Event(),
            models=ModelForm(drafts_of(config), served_from),
        )
        self.pruner = SimpleNamespace(rules=None)
        parts = (sources, self.cycle, following, self.service, self.pruner, Event(), nobody)
        self.reloader = Reloader(lambda: load_with_lines(self.path), config, *parts)  # type: ignore[arg-type]

    def reload(self, *, dry_run: bool = False, **changes: object) -> list[str]:
        """Write the file otherwise, have it read again, and return what that came to."""
        self.write(**changes)
        return [str(one) for one in self.reloader.reload(ADA, dry_run=dry_run)]

    def turns(self, count: int = 1) -> None:
        """Take turns."""
        for _ in range(count):
            self.cycle.turn()
            self.world.engine.run_until(self.world.engine.now_s() + PERIOD_S)

    def ready(self, name: str) -> int:
        """Return how many replicas of a model answer."""
        there = self.world.cluster.replicas.all
        return sum(one.model == name and one.state is ReplicaState.READY for one in there)

    def submit(self, workers: int = 1, queue: str = "default") -> str:
        """Have a job take devices for an hour."""
        spec = JobSpec("train", "true", Gang(workers, Shape(1000, 1024, 1)), queue=queue, grace_period_s=20.0)
        return self.world.submit(spec, Work(3600.0))

    def events(self) -> list[Any]:
        """Return what was told of the configuration."""
        return [event for event in self.world.store.events(limit=1000) if event.subject == "configuration"]

    @property
    def queues(self) -> dict[str, bool]:
        """Return the queues of the last plan, and whether they are removed."""
        report = self.cycle.board.report
        return {queue.name: queue.removed for queue in report.cycle.snapshot.queues} if report else {}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A control plane whose only model serves."""
    made = Site(tmp_path)
    made.turns(8)
    assert made.ready("tone") == 1
    return made


def test_all_of_a_file_counts_from_the_next_turn_on_and_one_event_says_who_and_what(site: Site) -> None:
    said = site.reload(queues=["default", "product"], models=[model("tone"), model("care")], priorities={"only": 5})
    assert said == [
        "model care comes",
        "queue product comes",
        "queue research goes",
        "priority only comes (5)",
        *(f"priority {name} goes (jobs that have it keep it)" for name in ("urgent", "high", "normal", "low")),
    ]
    assert "product" not in site.queues, "not before the next turn"
    site.turns()
    assert site.queues == {"default": False, "product": False}
    site.turns(8)
    assert (site.ready("tone"), site.ready("care")) == (1, 1)
    (event,) = site.events()
    assert (event.actor, event.title) == ("ada", "cluster.yaml was read again: 8 changes")
    assert event.detail == "; ".join(said)


def test_asked_only_or_as_it_was_it_changes_and_tells_nothing(site: Site) -> None:
    assert site.reload(queues=["default"], dry_run=True) == ["queue research goes"]
    site.turns()
    assert "research" in site.queues
    assert site.reload() == []
    assert site.events() == []


@pytest.mark.parametrize(
    ("changes", "line_says", "message"),
    [
        ({"models": [model("tone", capasity=3)]}, "capasity", 'unknown key "capasity"'),
        ({"models": [model("tone", traffic="wkii")]}, "traffic: wkii", 'unknown traffic source "wkii"'),
        ({"state_dir": "elsewhere"}, "state_dir", "state_dir cannot change while the control plane runs"),
        ({"store": "sqlite:///x"}, "store", "store cannot change"),
        ({"api": {"port": 9}}, "port", "api.port cannot change"),
        ({"control": {"period": "1m"}}, "period", "control.period cannot change"),
        ({"models": [model("tone", resources={"gpus": 2})]}, "resources", "tone: resources cannot change in place"),
        ({"backend": {"kind": "local", "hosts": [{"name": "z"}]}}, "backend", "backend cannot change"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_all_stays(
    site: Site, changes: dict[str, object], line_says: str, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        site.reload(**{"queues": ["default", "product"], **changes})
    fault = refused.value.faults[0]
    assert message in fault.message
    assert fault.help
    assert fault.file == str(site.path)
    assert line_says in site.path.read_text(encoding="utf-8").splitlines()[fault.line - 1]
    site.turns(3)
    assert site.queues == {"default": False, "research": False}
    assert site.ready("tone") == 1
    assert site.events() == []


def test_a_file_of_traffic_that_cannot_be_read_is_refused_before_anything_is_changed(site: Site) -> None:
    (site.folder / "empty.csv").write_text("nothing\n", encoding="utf-8")
    other = {"kind": "replay", "file": "empty.csv", "timestamp": "at", "value": "requests"}
    with pytest.raises(ConfigError):
        site.reload(traffic={**FILE["traffic"], "other": other}, queues=["default"])
    site.turns()
    assert "research" in site.queues


def test_a_store_that_does_not_answer_has_nothing_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(site.world.store), "record", silent)
        with pytest.raises(Unreachable):
            site.reload(queues=["default"])
    site.turns()
    assert "research" in site.queues
    assert site.reload(queues=["default"]) == ["queue research goes"], "it can be asked again"


def test_on_a_signal_what_is_wrong_is_told_in_the_log_and_as_an_event(site: Site) -> None:
    site.path.write_text("cluster: [", encoding="utf-8")
    assert "all stays as it is" in site.reloader.reload_on_signal()
    site.write(queues=["default"])
    assert site.reloader.reload_on_signal() == "queue research goes"
    refused, done = site.events()
    assert "is refused; all stays as it is" in refused.title
    assert str(site.path) in refused.detail
    assert done.actor == "SIGHUP"


def test_a_model_that_goes_answers_until_the_others_are_ready(site: Site) -> None:
    said = site.reload(models=[model("care", warm_up=100)])
    assert said == [
        "model care comes",
        "model tone goes (its replicas answer until all other models are ready, an hour at most)",
    ]
    while not site.ready("care"):
        assert site.ready("tone") == 1
        site.turns()
    site.turns(20)
    assert (site.ready("tone"), site.ready("care")) == (0, 1)


def test_a_queue_with_work_stays_as_removed_until_that_is_over(site: Site) -> None:
    job = site.submit(queue="research")
    site.turns(3)
    assert site.reload(queues=["default"]) == [
        "queue research goes (takes no more; shown as removed until 1 job is over)"
    ]
    site.turns()
    assert site.queues == {"default": False, "research": True}
    assert site.service.job(job).attempts[-1].is_open, "it runs on"
    site.turns(380)
    assert site.service.job(job).state == "Succeeded"
    site.turns()
    assert site.queues == {"default": False}


def test_people_may_what_the_new_file_says_once_it_counts(site: Site) -> None:
    spec = JobSpec("train", "true", Gang(1, Shape(1000, 1024, 1)), priority_class="urgent", queue="product")
    site.reload(queues=["default", "product"], limits={"highest_priority": {"submitter": "high"}})
    with pytest.raises(ConfigError, match="unknown queue"):
        site.service.submit(spec)
    site.turns()
    with pytest.raises(NotPermitted, match="above what role submitter allows"):
        site.service.submit(spec, by=Person("eve", "submitter"))
    assert site.service.submit(spec).job_id


def test_models_of_the_store_are_left_alone_and_what_they_need_is_kept(site: Site) -> None:
    site.service.models.deploy(draft_of(read_model(model("mine")), "mine.yaml"), by=ADA)
    site.turns(10)
    with pytest.raises(ConfigError, match="mine belongs to the store") as refused:
        site.reload(models=[model("tone"), model("mine")])
    assert "name: mine" in site.path.read_text(encoding="utf-8").splitlines()[refused.value.faults[0].line - 1]
    with pytest.raises(ConfigError, match='mine, which belongs to the store, is planned by the traffic source "wiki"'):
        site.reload(models=[], traffic={})
    assert site.reload(models=[model("tone", max_replicas=2)]) == ["model tone changes (max_replicas: 3 → 2)"]
    site.turns(10)
    assert (site.ready("tone"), site.ready("mine")) == (1, 1)


def test_a_model_that_was_taken_over_may_stand_in_the_file_and_counts_there_no_more(site: Site) -> None:
    site.service.models.deploy(draft_of(read_model(model("tone", max_replicas=2)), "t.yaml"), by=ADA, take_over=True)
    site.turns(10)
    said = site.reload(models=[model("tone", max_replicas=1)])
    assert said == ["model tone changes (the model belongs to the store: it stays as it was deployed)"]
    site.reload(models=[])
    site.turns(10)
    assert site.ready("tone") == 1
    assert site.reload() == ["model tone comes (the model belongs to the store: it stays as it was deployed)"]


def test_a_name_is_the_files_as_soon_as_it_is_read_and_free_as_soon_as_it_goes(site: Site) -> None:
    site.reload(models=[model("tone"), model("care")])
    with pytest.raises(Conflict, match="care belongs to the file"):
        site.service.models.deploy(draft_of(read_model(model("care")), "care.yaml"))
    site.reload(models=[])
    assert site.service.models.deploy(draft_of(read_model(model("care")), "care.yaml")).is_new


def test_what_is_known_of_a_source_that_stays_is_kept(site: Site) -> None:
    wiki = site.cycle.sources["wiki"]
    other = {**FILE["traffic"]["wiki"], "scale": 3}
    assert site.reload(traffic={**FILE["traffic"], "more": other}) == ["traffic more comes"]
    site.turns()
    assert site.cycle.sources["wiki"] is wiki
    site.reload(traffic={"wiki": other})
    site.turns(10)
    assert site.ready("tone") == 2, "fifteen requests a second and the margin"


def test_a_later_file_replaces_one_that_no_turn_has_taken_up(site: Site) -> None:
    site.reload(queues=["default", "first"])
    assert site.reload(queues=["default", "second"]) == ["queue second comes", "queue first goes"]
    site.turns()
    assert site.queues == {"default": False, "second": False}


def test_after_a_restart_the_file_counts_as_before(site: Site) -> None:
    site.reload(queues=["default", "product"], models=[model("tone"), model("care")])
    site.begin()
    site.turns(10)
    assert site.queues == {"default": False, "product": False}
    assert (site.ready("tone"), site.ready("care")) == (1, 1)


class Story(RuleBasedStateMachine):
    """Files change while jobs come, hosts fail and the process is started again."""

    def __init__(self) -> None:
        """Begin with a model that serves."""
        super().__init__()
        self.folder = TemporaryDirectory()
        self.site = Site(Path(self.folder.name))
        self.jobs: list[str] = []
        self.changes: dict[str, object] = {}
        self.is_covered = False
        self.turn(8)

    @rule(
        others=st.lists(st.sampled_from(["care", "risk"]), unique=True),
        queues=st.lists(st.sampled_from(["research", "product"]), unique=True),
        most=st.integers(1, 3),
        ageing=st.sampled_from([0, 10]),
        is_wrong=st.booleans(),
    )
    def reload(self, others: list[str], queues: list[str], *, most: int, ageing: int, is_wrong: bool) -> None:
        """Read another file, or one that is refused."""
        models = [*map(model, others[:1]), model("tone", max_replicas=most), *map(model, others[1:])]
        changes: dict[str, object] = {
            "models": models,
            "queues": ["default", *queues],
            "policy": {"ageing_per_hour": ageing},
        }
        if not is_wrong:
            self.changes = changes
            self.site.reload(**changes)
            return
        with pytest.raises(ConfigError):
            self.site.reload(**{**changes, "state_dir": "elsewhere"})
        self.site.write(**self.changes)

    @rule(workers=st.integers(1, 4), queue=st.sampled_from(["default", "research", "product"]))
    def submit(self, workers: int, queue: str) -> None:
        """Have a job take what is left."""
        self.jobs.append(self.site.submit(workers, queue))

    @rule(host=st.sampled_from("xy"))
    def lose(self, host: str) -> None:
        """Lose a host with all that is on it, and have it back."""
        self.site.world.cluster.lose_host(host)
        self.site.cycle.turn()
        self.site.world.cluster.return_host(host)
        self.is_covered = False

    @rule()
    def start_again(self) -> None:
        """Begin anew, with nothing but the file, the store and the cluster."""
        self.site.begin()

    @rule(count=st.integers(1, 12))
    def turn(self, count: int) -> None:
        """Take turns; what was covered stays so."""
        for _ in range(count):
            self.site.turns()
            assert not self.is_covered or self.site.ready("tone") >= 1
            self.is_covered = self.is_covered or self.site.ready("tone") >= 1

    @invariant()
    def nothing_is_refused(self) -> None:
        """No start is ever refused: nothing was over-committed."""
        assert self.site.world.cluster.refused == 0

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every job that was accepted is there."""
        assert {job.job_id for job in self.site.service.jobs(open_only=False)} == set(self.jobs)

    def teardown(self) -> None:
        """Let it settle; then just the models of the file serve."""
        self.turn(100)
        named = {one.model.name for one in self.site.cycle.served}
        assert {one.model for one in self.site.world.cluster.replicas.all} == named
        assert named == {str(one["name"]) for one in list(self.changes.get("models", FILE["models"]))}  # type: ignore[call-overload]
        self.folder.cleanup()


@pytest.mark.slow
def test_whatever_the_file_says_next_what_is_covered_stays_so() -> None:
    run_state_machine_as_test(Story, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))
