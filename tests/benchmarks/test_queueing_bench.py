"""The queueing benchmark: choices see the same arrivals, numbers add up, and what is told is what was played."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from benchmarks.queueing.comparisons import COMPARISONS, by_size
from benchmarks.queueing.measured import ALL, Measured
from benchmarks.queueing.report import document, groups_of, runs_of, summary
from benchmarks.queueing.running import Task, play, play_all, tasks_of
from benchmarks.queueing.scenes import WEIGHTS, Recorded
from scheduler.cli.main import app
from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState
from simulations.holding import BIN_S, held_gpus
from simulations.wiring import setup_of

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of a small cluster: many jobs of one device, some of eight and sixteen, more than fit at once."""
    rng = np.random.default_rng(4)
    file = tmp_path_factory.mktemp("trace") / "jobs.csv"
    hours = np.sort(rng.uniform(0, 14 * 24, 900))
    rows = [
        f"2017-09-{4 + int(hour // 24):02d} {int(hour % 24):02d}:{rng.integers(60):02d}:00,"
        f"{rng.exponential(6000) + 1:.0f},{rng.choice([1, 1, 1, 1, 8, 16])}"
        for hour in hours
    ]
    file.write_text("\n".join(["timestamp,duration,num_gpus", *rows]))
    return file


@pytest.fixture(scope="module")
def window(trace: Path) -> Recorded:
    return Recorded(trace, "2017-09-05T00:00:00+00:00", days=0.4, hosts=2, share=1.0)


@pytest.fixture(scope="module")
def found(window: Recorded) -> dict[Task, Measured]:
    tasks = [task for name in ("bookings", "victims") for task in tasks_of(name, None, [window])]
    return play_all(tasks, 1, lambda _: None)


def job_of(gpus: int, workers: int, attempts: list[tuple[float, float | None]]) -> JobRecord:
    shape = Shape(cpu_milli=1, gpu_count=gpus)
    spec = JobSpec(name="j", entrypoint="x", gang=Gang(workers, shape))
    slots = tuple(Slot("a", tuple(range(gpus))) for _ in range(workers))
    records = tuple(
        AttemptRecord(JobId("1"), number, slots, began_s, began_s, ended_s, Outcome.OPEN)
        for number, (began_s, ended_s) in enumerate(attempts, start=1)
    )
    return JobRecord(JobId("1"), spec, JobState.RUNNING, DesiredState.RUN, 0.0, attempts=records)


@given(
    gpus=st.integers(1, 4),
    workers=st.integers(1, 3),
    times=st.lists(st.tuples(st.floats(-5000, 20_000), st.floats(0, 20_000)), max_size=4),
    ends_s=st.floats(1.0, 20_000),
)
def test_devices_held_are_what_attempts_held_inside_the_time(
    gpus: int, workers: int, times: list[tuple[float, float]], ends_s: float
) -> None:
    attempts = [(began_s, began_s + length_s) for began_s, length_s in times]
    held = held_gpus([job_of(gpus, workers, list(attempts))], 0.0, ends_s)
    widths_s = np.diff(np.append(np.arange(0.0, ends_s, BIN_S), ends_s))
    inside_s = sum(max(0.0, min(ends_s, end_s) - max(0.0, began_s)) for began_s, end_s in attempts)
    assert float(held @ widths_s) == pytest.approx(inside_s * gpus * workers, abs=1e-6)


def test_an_attempt_that_lasts_holds_its_devices_to_the_end() -> None:
    assert held_gpus([job_of(2, 3, [(HOUR_S, None)])], 0.0, 4 * HOUR_S) == pytest.approx([0, 6, 6, 6])


def test_jobs_are_grouped_by_the_devices_of_the_whole_gang() -> None:
    sizes = [(1, 1), (2, 1), (8, 1), (4, 3)]
    assert [by_size(job_of(*size, [])) for size in sizes] == ["1 GPU", "2-8 GPUs", "2-8 GPUs", "9+ GPUs"]


def test_the_groups_of_a_run_add_up_to_all_of_it(found: dict[Task, Measured]) -> None:
    for run in found.values():
        parts = [group for name, group in run.groups.items() if name != ALL]
        whole = run.groups[ALL]
        assert len(parts) > 1
        assert sorted(np.concatenate([part.wait_s for part in parts])) == sorted(whole.wait_s)
        assert sum(part.stops for part in parts) == whole.stops
        assert sum(part.lost_gpu_s for part in parts) == pytest.approx(whole.lost_gpu_s)
        assert sum(part.held_gpus for part in parts) == pytest.approx(whole.held_gpus)
        assert 0 <= whole.stopped <= whole.stops
        assert (whole.completion_s >= whole.wait_s).all()


def test_devices_held_are_those_in_use_where_nothing_is_served(found: dict[Task, Measured]) -> None:
    for run in found.values():
        assert run.groups[ALL].mean_gpus == pytest.approx(16 * run.in_use, rel=1e-6)
        assert 0.3 < run.in_use <= 1.0


def test_every_choice_sees_the_same_arrivals(found: dict[Task, Measured]) -> None:
    for name in ("bookings", "victims"):
        jobs = {len(run.groups[ALL].wait_s) for task, run in found.items() if task.comparison == name}
        assert len(jobs) == 1


def test_a_window_has_a_third_of_its_jobs_from_later_and_more_important(window: Recorded) -> None:
    (task, *_) = tasks_of("victims", None, [window])
    found = play(task)
    high, normal = (len(found.groups[name].wait_s) for name in ("high", "normal"))
    assert high / (high + normal) == pytest.approx(1 / 3, abs=0.12)


def test_equal_runs_come_out_equal(window: Recorded, found: dict[Task, Measured]) -> None:
    task = tasks_of("victims", None, [window])[0]
    again = play(task)
    assert np.array_equal(again.groups[ALL].completion_s, found[task].groups[ALL].completion_s)
    assert again.groups[ALL].stops == found[task].groups[ALL].stops


def test_important_jobs_have_others_stopped_for_them(found: dict[Task, Measured]) -> None:
    rows = summary("victims", found)
    for row in rows.values():
        assert row.groups["normal"].stops > 0
        assert row.groups["high"].wait_s.mean < row.groups["normal"].wait_s.mean


def test_changes_are_against_the_first_choice(found: dict[Task, Measured]) -> None:
    first, *others = summary("victims", found).values()
    assert all(group.change is None for group in first.groups.values())
    for row in others:
        change = row.groups["normal"].change
        ratio = row.groups["normal"].completion_s.mean / first.groups["normal"].completion_s.mean
        assert change is not None
        assert change.mean == pytest.approx(ratio - 1)


def test_every_scene_can_be_played_under_every_choice() -> None:
    for name, asked in COMPARISONS.items():
        kinds = set()
        for choice, change in asked.choices.items():
            setup = setup_of(change(asked.scene()), seed=1)
            assert setup.arrivals, (name, choice)
            kinds.add((repr(setup.policy), repr(setup.arrivals)))
        assert len(kinds) == len(asked.choices), "no two choices are the same"


def test_queues_are_held_against_what_their_weights_make(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = COMPARISONS["fair-share"]
    short = asked.scene().model_copy(update={"days": 0.1})
    monkeypatch.setattr("benchmarks.queueing.running._scene", lambda _: short)
    tasks = tasks_of("fair-share", [1])
    rows = summary("fair-share", play_all(tasks, 1, lambda _: None))
    for row in rows.values():
        whole = row.groups[ALL].held_gpus.mean
        parts = [row.groups[queue].by_weight_gpus or 0.0 for queue in WEIGHTS]
        assert sum(parts) == pytest.approx(whole)
        assert parts[0] == pytest.approx(4 * parts[2])
        assert row.groups[ALL].by_weight_gpus is None


def test_one_group_alone_is_not_shown_beside_all(found: dict[Task, Measured]) -> None:
    runs = runs_of(found, "victims", "lost-work")
    assert groups_of("victims", runs) == ("high", "normal", ALL)
    alone = [Measured({name: run.groups[name] for name in ("normal", ALL)}, 0.0, 1.0) for run in runs]
    assert groups_of("victims", alone) == (ALL,)


def test_the_document_has_numbers_only(found: dict[Task, Measured]) -> None:
    text = json.dumps(document(["bookings", "victims"], found), allow_nan=False)
    assert set(json.loads(text)["comparisons"]["bookings"]["choices"]) == {f"bookings: {n}" for n in (0, 1, 4)}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bench", "queueing", *map(str, arguments)])


def small(trace: Path) -> Iterator[object]:
    yield from ("--trace", trace, "--window", "2017-09-05", "--days", 0.2, "--hosts", 2, "--share", 1, "--workers", 1)


def test_the_command_prints_tables_and_pictures(trace: Path, tmp_path: Path) -> None:
    picture = tmp_path / "queueing.png"
    shown = run(*small(trace), "--compare", "bookings", "--compare", "size-aware", "--plot", picture)
    assert shown.exit_code == 0, shown.output
    assert "bookings: room booked" in shown.stdout
    assert {row.split("\t")[0] for row in shown.stdout.splitlines()} >= {"CHOICE", "bookings: 4", "displacing"}
    assert picture.stat().st_size > 5000
    assert f"picture in {picture}" in shown.stderr


def test_the_command_reads_a_trace_as_it_says_it_is_written(trace: Path, tmp_path: Path) -> None:
    file = tmp_path / "local.csv"
    header, *rows = trace.read_text(encoding="utf-8").splitlines()
    jobs = [row.split(",") for row in rows]
    short = [f"{at};{min(int(lasts), 999)},000;{gpus}" for at, lasts, gpus in jobs]
    file.write_text("\n".join([header.replace(",", ";"), *short]), encoding="utf-8")
    said = ("--compare", "victims", "--seeds", "1-1", "--json")
    unsaid = run(*small(file), *said)
    assert "is 999 or 999,000" in str(unsaid.exception)
    told = run(*small(file), *said, "--decimal", ",", "--local-times", "--zone", "Europe/Berlin")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["comparisons"]["victims"]["runs"] == 1


def test_the_command_prints_json(trace: Path) -> None:
    shown = run(*small(trace), "--compare", "victims", "--json")
    found: dict[str, Any] = json.loads(shown.stdout)["comparisons"]["victims"]
    assert found["runs"] == 1
    group = found["choices"]["newest-first"]["groups"]["high"]
    assert math.isfinite(group["wait_s"]["p99"])
    assert group["completion_change"]["half_width"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--compare", "boking"], 'did you mean "bookings"?'),
        (["--window", "2017-09-05"], "--window goes with --trace"),
        (["--trace", "TRACE", "--window", "yesterday"], '"yesterday" is no date'),
        (["--trace", "TRACE", "--compare", "elastic"], "on a trace: bookings"),
        (["--trace", "TRACE", "--window", "2031-01-01", "--workers", "1"], "no job arrives"),
        (["--trace", "nowhere.csv"], "nowhere.csv: not readable"),
        (["--seeds", "few"], "names no seeds"),
    ],
)
def test_what_is_wrong_is_named(trace: Path, arguments: list[str], said: str) -> None:
    shown = run(*(str(trace) if one == "TRACE" else one for one in arguments))
    assert shown.exit_code != 0
    told = shown.output if shown.exception is None else shown.output + str(shown.exception)
    assert said in told or said in "".join(fault.help for fault in getattr(shown.exception, "faults", ()))
