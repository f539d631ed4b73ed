"""Starting, stopping and seeing runs, against a Ray that only pretends."""
# ruff: noqa: PLR0913, PLR0917  # fixtures are named, not placed

import json
import math
import os
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from scheduler.backends.ray import runs as runs_module
from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.names import Names, RunLabel
from scheduler.backends.ray.runs import Runs
from scheduler.backends.ray.stops import StopOrder
from scheduler.backends.ray.training import Training
from scheduler.control.service import packages
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.unpacking import unpack
from scheduler.jobkit import MARKER
from scheduler.model.errors import ActionFailed, Unreachable
from scheduler.model.observation import Progress, Run, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

NAME = "headroom-7-1"
JOB = JobId("7")


@pytest.fixture(autouse=True)
def ample_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of the fake Ray began in 1970; none of them is late but where that is tested."""
    monkeypatch.setattr(runs_module, "START_S", math.inf)


@pytest.fixture
def training(link: Any, rest: Any, specs: Any, clock: Any, tmp_path: Path) -> Training:
    return Training(link, rest, specs, clock, tmp_path, Names())


@pytest.fixture
def runs(training: Training, link: Any, rest: Any, clock: Any) -> Runs:
    return Runs(training, link, rest, clock)


@pytest.fixture
def start(label: RunLabel) -> StartJob:
    return StartJob(JOB, 1, label.slots)


@pytest.fixture
def open_fleet(fleet: Fleet) -> Iterator[Fleet]:
    """The same hosts, with somebody at their doors."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield replace(fleet, doors=dict.fromkeys("ab", door.getsockname()))


def stop(grace_period_s: float = 60.0) -> PreemptJob:
    return PreemptJob(JOB, 1, grace_period_s, Cause.SERVING)


def one(runs: Runs, link: Any, fleet: Fleet) -> Run:
    (run,) = runs.observe(list(link.groups), fleet)
    return run


def test_a_gang_is_reserved_worker_by_worker_and_its_job_submitted(
    training: Training, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    bundle = {"CPU": 2.0, "GPU": 2.0, "memory": 512.0 * 2**20}
    assert link.groups == {NAME: ([bundle, bundle], [{"host": "a"}, {"host": "b"}])}
    submission = rest.submitted[NAME]
    assert submission["entrypoint"] == "python train.py"
    assert submission["entrypoint_label_selector"] == {"host": "a"}
    assert RunLabel.of(submission["metadata"]) == RunLabel(JOB, 1, start.slots)


def test_the_driver_is_told_all_it_needs(
    training: Training, start: StartJob, fleet: Fleet, rest: Any, tmp_path: Path
) -> None:
    training.start(start, fleet)
    env = rest.submitted[NAME]["runtime_env"]["env_vars"]
    assert env == {
        "LR": "0.1",
        "HEADROOM_JOB_ID": "7",
        "HEADROOM_ATTEMPT": "1",
        "HEADROOM_CHECKPOINT_DIR": str(tmp_path / "checkpoints" / "7"),
        "HEADROOM_WORKERS": "2",
        "HEADROOM_GPUS_PER_WORKER": "2",
        "HEADROOM_DEVICES": '[["a", [0, 1]], ["b", [2, 3]]]',
        "HEADROOM_PLACEMENT_GROUP": NAME,
        "HEADROOM_NAMESPACE": "headroom",
        "RAY_JOB_STOP_WAIT_TIME_S": "6",
    }, "60 s of a world ten times as fast are 6 s of Ray's"


def test_a_job_cannot_overwrite_what_headroom_tells_it(
    training: Training, start: StartJob, fleet: Fleet, rest: Any, specs: Any
) -> None:
    specs.job = replace(specs.job, env=(("HEADROOM_ATTEMPT", "99"),))
    training.start(start, fleet)
    assert rest.submitted[NAME]["runtime_env"]["env_vars"]["HEADROOM_ATTEMPT"] == "1"


def test_an_attempt_after_a_checkpoint_is_told_its_step(
    training: Training, start: StartJob, fleet: Fleet, rest: Any
) -> None:
    folder = training.checkpoint_dir(JOB)
    folder.mkdir(parents=True)
    (folder / MARKER).write_text('{"step": 120}', encoding="utf-8")
    training.start(start, fleet)
    assert rest.submitted[NAME]["runtime_env"]["env_vars"]["HEADROOM_RESUME_STEP"] == "120"


DIGEST = "sha256:" + "ab" * 32


def packed(state_dir: Path, *, is_zip: bool = True) -> None:
    """Put a package on the shelf as an older version, or a failing disk, may leave it: not unpacked."""
    (state_dir / "packages").mkdir()
    file = state_dir / "packages" / f"{'ab' * 32}.zip"
    if not is_zip:
        file.write_bytes(b"no zip at all")
        return
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("train.py", "print('hi')")


def wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)


def test_the_working_directory_goes_along(
    training: Training, start: StartJob, fleet: Fleet, rest: Any, specs: Any, tmp_path: Path
) -> None:
    specs.job = replace(specs.job, working_dir=DIGEST)
    packed(tmp_path)
    folder = PackageShelf(tmp_path / "packages").unpacked(DIGEST)
    training.start(start, fleet)
    assert rest.submitted[NAME]["entrypoint"] == f"cd {folder} && python train.py"
    assert (folder / "train.py").read_text(encoding="utf-8") == "print('hi')"


def test_a_missing_working_directory_leaves_nothing_behind(
    training: Training, start: StartJob, fleet: Fleet, link: Any, rest: Any, specs: Any
) -> None:
    specs.job = replace(specs.job, working_dir=DIGEST)
    with pytest.raises(ActionFailed, match=r"job 7 cannot start: its working directory .* is not there"):
        training.start(start, fleet)
    assert (link.groups, rest.submitted) == ({}, {})


def test_a_start_never_waits_for_unpacking_and_the_next_one_finds_it_done(
    training: Training, start: StartJob, fleet: Fleet, rest: Any, specs: Any, tmp_path: Path
) -> None:
    specs.job = replace(specs.job, working_dir=DIGEST)
    packed(tmp_path)
    go = threading.Event()
    with patch.object(packages, "unpack", side_effect=lambda *args: go.wait(30) and unpack(*args)):
        for _ in range(2):
            with pytest.raises(ActionFailed, match="it is being unpacked again"):
                training.start(start, fleet)
        go.set()
        wait_until((tmp_path / "work" / ("ab" * 32)).is_dir)
    training.start(start, fleet)
    assert NAME in rest.submitted


@pytest.mark.parametrize(("left", "words"), [("no zip", "is not a zip file"), ("nothing", "no package")])
def test_a_package_that_went_bad_on_disk_fails_its_job_by_name(
    training: Training, start: StartJob, fleet: Fleet, specs: Any, tmp_path: Path, left: str, words: str
) -> None:
    specs.job = replace(specs.job, working_dir=DIGEST)
    if left != "nothing":
        packed(tmp_path, is_zip=False)

    def says_why() -> bool:
        with pytest.raises(ActionFailed, match="job 7 cannot start") as caught:
            training.start(start, fleet)
        return words in str(caught.value)

    wait_until(says_why)
    specs.job = replace(specs.job, working_dir="")
    training.start(start, fleet)


def test_a_full_disk_fails_the_job_that_needs_it(training: Training, start: StartJob, fleet: Fleet, link: Any) -> None:
    training.checkpoint_dir(JOB).parent.write_text("no folder", encoding="utf-8")
    with pytest.raises(ActionFailed, match="job 7 cannot start"):
        training.start(start, fleet)
    assert link.groups == {}


def test_without_room_nothing_is_submitted(
    training: Training, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    link.has_room = False
    with pytest.raises(ActionFailed, match="no room for 2 workers on a, b"):
        training.start(start, fleet)
    assert rest.submitted == {}


def test_a_refused_job_gives_its_room_back(
    training: Training, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    rest.refusal = ActionFailed("Ray answers 400")
    with pytest.raises(ActionFailed, match="400"):
        training.start(start, fleet)
    assert link.groups == {}


def test_a_start_that_ray_may_have_heard_keeps_its_room_until_one_looks(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    rest.refusal = Unreachable("timed out")
    with pytest.raises(Unreachable):
        training.start(start, fleet)
    assert NAME in link.groups
    assert runs.observe(list(link.groups), fleet) == ()
    assert link.groups == {}, "a group without a job is an orphan"


def test_the_same_start_again_changes_nothing(
    training: Training, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME]["status"] = "SUCCEEDED"
    link.groups.clear()
    training.start(start, fleet)
    assert rest.submitted[NAME]["status"] == "SUCCEEDED"
    assert link.groups == {}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PENDING", RunState.STARTING),
        ("RUNNING", RunState.RUNNING),
        ("SUCCEEDED", RunState.SUCCEEDED),
        ("STOPPED", RunState.STOPPED),
        ("FAILED", RunState.FAILED),
    ],
)
def test_ray_s_words_become_ours_and_ended_runs_lose_their_room(
    training: Training,
    runs: Runs,
    start: StartJob,
    open_fleet: Fleet,
    link: Any,
    rest: Any,
    status: str,
    state: RunState,
) -> None:
    training.start(start, open_fleet)
    rest.submitted[NAME] |= {"status": status, "end_time": 2_000_000}
    run = one(runs, link, open_fleet)
    assert (run.job_id, run.attempt, run.slots, run.state) == (JOB, 1, start.slots, state)
    assert run.started_at_s == 10_000.0
    assert run.ended_at_s == (None if state.holds_room else 20_000.0)
    assert (NAME in link.groups) == state.holds_room


def test_a_failure_is_told_by_its_last_lines(
    training: Training, runs: Runs, start: StartJob, open_fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, open_fleet)
    words = "\n".join(f"line {n}" for n in range(40)) + "\n\nValueError: NaN\n"
    rest.submitted[NAME] |= {"status": "FAILED", "end_time": 2_000_000, "message": words}
    message = one(runs, link, open_fleet).message
    assert message.endswith("line 39\nValueError: NaN")
    assert len(message.splitlines()) == 15


def test_a_failure_on_a_host_that_does_not_open_is_a_loss_even_when_it_is_back(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, open_fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME] |= {"status": "FAILED", "end_time": 2_000_000, "message": "actor died"}
    assert one(runs, link, fleet).state is RunState.LOST
    assert one(runs, link, open_fleet).state is RunState.LOST


def test_a_dead_supervisor_is_the_cluster_s_fault(
    training: Training, runs: Runs, start: StartJob, open_fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, open_fleet)
    rest.submitted[NAME] |= {"status": "FAILED", "error_type": "JOB_SUPERVISOR_ACTOR_DIED"}
    assert one(runs, link, open_fleet).state is RunState.LOST


def test_a_run_that_loses_a_host_is_ended_and_forgotten_for_good(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME]["status"] = "RUNNING"
    half = replace(fleet, selectors={"a": fleet.selectors["a"]}, gone=frozenset("b"))
    assert one(runs, link, half).state is RunState.LOST
    assert (rest.stopped, link.groups) == ([NAME], {})
    training.forget(JOB, 1)
    assert runs.observe([], fleet) == (), "Ray still takes it down"
    rest.submitted[NAME]["status"] = "STOPPED"
    assert runs.observe([], fleet) == ()
    assert rest.submitted == {}
    assert training.stops.of(NAME) is None


@pytest.mark.parametrize(("status", "state"), [("SUCCEEDED", RunState.SUCCEEDED), ("STOPPED", RunState.STOPPED)])
def test_what_had_ended_before_its_host_was_lost_ended_as_it_did(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any, status: str, state: RunState
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME] |= {"status": status, "end_time": 2_000_000}
    half = replace(fleet, selectors={"a": fleet.selectors["a"]})
    assert one(runs, link, half).state is state
    assert rest.stopped == []


def test_a_run_on_a_host_of_which_ray_says_nothing_may_still_be_there(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME]["status"] = "RUNNING"
    unheard = replace(fleet, selectors={"a": fleet.selectors["a"]})
    assert one(runs, link, unheard).state is RunState.RUNNING
    assert (rest.stopped, NAME in link.groups) == ([], True)
    assert one(runs, link, fleet).state is RunState.RUNNING


@pytest.mark.parametrize(
    ("error", "driver", "state"),
    [
        ("RUNTIME_ENV_SETUP_FAILURE", None, RunState.NOT_STARTED),
        ("JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", None, RunState.NOT_STARTED),
        ("JOB_SUPERVISOR_ACTOR_START_FAILURE", None, RunState.NOT_STARTED),
        ("JOB_SUPERVISOR_ACTOR_START_TIMEOUT", None, RunState.NOT_STARTED),
        ("JOB_SUPERVISOR_ACTOR_DIED", None, RunState.NOT_STARTED),
        ("JOB_SUPERVISOR_ACTOR_DIED", "a", RunState.LOST),
        ("JOB_ENTRYPOINT_COMMAND_ERROR", "a", RunState.FAILED),
        ("JOB_ENTRYPOINT_COMMAND_START_ERROR", "a", RunState.FAILED),
    ],
)
def test_a_start_that_failed_is_told_from_a_job_that_failed(
    training: Training, runs: Runs, start: StartJob, open_fleet: Fleet, link: Any, rest: Any,
    error: str, driver: str | None, state: RunState,
) -> None:  # fmt: skip
    training.start(start, open_fleet)
    rest.submitted[NAME] |= {"status": "FAILED", "error_type": error, "driver_node_id": driver, "message": "why"}
    run = one(runs, link, open_fleet)
    assert (run.state, run.message) == (state, "why")
    assert link.groups == {}


def test_a_driver_that_never_comes_up_is_given_up_and_ended(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.start(start, fleet)
    link.supervisors.add(NAME)
    monkeypatch.setattr(runs_module, "START_S", 60.0)
    assert one(runs, link, fleet).state is RunState.STOPPING, "it was there until now"
    assert (link.groups, link.supervisors) == ({}, set())
    run = one(runs, link, fleet)
    assert run.state is RunState.NOT_STARTED, "Ray may call it pending for as long as it likes"
    assert "did not come up within 60 s on a" in run.message
    assert run.ended_at_s is not None
    training.forget(JOB, 1)
    assert runs.observe([], fleet) == ()


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_the_deadline_of_a_stop_reaches_a_run_in_every_state(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any, status: str
) -> None:
    training.start(start, fleet)
    rest.submitted[NAME]["status"] = status
    link.supervisors.add(NAME)
    training.stops.give(NAME, StopOrder(time.time() - 1))
    assert one(runs, link, fleet).state is RunState.STOPPING
    assert (link.groups, link.supervisors) == ({}, set()), "an actor that hangs hears no order"
    assert one(runs, link, fleet).state is RunState.STOPPED, "nothing is left of it, whatever Ray's list says"


def test_a_supervisor_that_we_ended_is_no_lost_host(
    training: Training, runs: Runs, start: StartJob, open_fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, open_fleet)
    training.stops.give(NAME, StopOrder(time.time() - 1))
    rest.submitted[NAME] |= {"status": "FAILED", "error_type": "JOB_SUPERVISOR_ACTOR_DIED", "driver_node_id": None}
    assert one(runs, link, open_fleet).state is RunState.STOPPED


def test_a_forgotten_run_that_comes_up_late_is_ended(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any
) -> None:
    training.start(start, fleet)
    training.forget(JOB, 1)
    link.groups.clear()
    link.supervisors.add(NAME)
    assert runs.observe([], fleet) == ()
    assert link.supervisors == set()


def test_progress_is_that_of_this_attempt_on_the_world_s_clock(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any
) -> None:
    training.start(start, fleet)
    marker = training.checkpoint_dir(JOB) / MARKER
    marker.write_text('{"step": 5, "total_steps": 9}', encoding="utf-8")
    os.utime(marker, (1500.0, 1500.0))
    assert one(runs, link, fleet).progress == Progress(5, 9, 15_000.0)
    os.utime(marker, (999.0, 999.0))
    assert one(runs, link, fleet).progress is None, "it began at wall second 1000"


def test_a_stop_is_written_down_sent_and_seen(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any, rest: Any
) -> None:
    training.start(start, fleet)
    before_s = time.time()
    training.preempt(stop())
    assert rest.stopped == [NAME]
    assert before_s + 6 <= training.stops.of(NAME).deadline_s <= time.time() + 6
    assert one(runs, link, fleet).state is RunState.STOPPING
    assert NAME in link.groups


def test_past_the_deadline_the_room_is_taken_by_whoever_looks(
    training: Training, runs: Runs, start: StartJob, fleet: Fleet, link: Any
) -> None:
    training.start(start, fleet)
    training.stops.give(NAME, StopOrder(time.time() - 1))
    assert one(runs, link, fleet).state is RunState.STOPPING
    assert link.groups == {}


def test_without_grace_the_room_is_taken_at_once(training: Training, start: StartJob, fleet: Fleet, link: Any) -> None:
    training.start(start, fleet)
    training.preempt(stop(0.0))
    assert link.groups == {}


def test_a_second_order_may_hurry_but_not_delay(training: Training, start: StartJob, fleet: Fleet) -> None:
    training.start(start, fleet)
    training.preempt(stop(60.0))
    first = training.stops.of(NAME)
    training.preempt(stop(600.0))
    assert training.stops.of(NAME) == first
    training.preempt(stop(10.0))
    assert training.stops.of(NAME).deadline_s < first.deadline_s


def test_stopping_what_ray_does_not_know_takes_back_its_room_only(training: Training, link: Any, rest: Any) -> None:
    link.groups[NAME] = ([], [])
    training.preempt(stop())
    assert (link.groups, rest.stopped, training.stops.of(NAME)) == ({}, [], None)


def test_forgetting_keeps_the_output(training: Training, start: StartJob, fleet: Fleet, rest: Any) -> None:
    training.start(start, fleet)
    rest.printed = "step 1\nstep 2\n"
    rest.submitted[NAME]["status"] = "SUCCEEDED"
    training.forget(JOB, 1)
    assert rest.submitted == {}
    assert training.outputs.read(NAME) == "step 1\nstep 2\n"


def test_submissions_of_others_are_left_alone(runs: Runs, fleet: Fleet, rest: Any) -> None:
    rest.submitted["theirs"] = {"metadata": None, "status": "RUNNING"}
    rest.submitted["theirs too"] = {"metadata": {"team": "x"}, "status": "RUNNING"}
    assert runs.observe([], fleet) == ()


def test_a_label_survives_the_way_through_ray(label: RunLabel) -> None:
    assert RunLabel.of(json.loads(json.dumps(label.as_metadata()))) == label
    assert label.name == NAME
    assert label.slots[0] == Slot("a", (0, 1))
