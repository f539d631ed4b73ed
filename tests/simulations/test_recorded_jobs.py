"""Job traces as sites publish them: read as they are meant, or refused with row and column; all left out is told."""

from pathlib import Path

import pytest

from scheduler.cli.main import run
from scheduler.config.scenario import JobTrace
from scheduler.model.errors import ConfigError
from simulations.arrivals import DAY_S, Arrival
from simulations.traces import first_day, from_trace

PRIORITIES = {"normal": 50}
SCENARIO = """\
scenario: s
start: "2020-07-01T00:00:00Z"
days: 1
lead_in: 0s
hosts: [{name: gpu1, count: 2, cpus: 96, memory: 512Gi, gpus: 8, gpu_model: V100}]
jobs: {traces: [{file: trace.csv%s}]}
"""


def played(
    folder: Path, text: str, said: list[str] | None = None, *, days: float = 1.0, **keys: object
) -> list[Arrival]:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    trace = JobTrace.model_validate({"file": path, **keys})
    say = (said if said is not None else []).append
    return list(from_trace(trace, PRIORITIES, 0.0, days * DAY_S, seed=1, say=say))


def rows(*cells: str, head: str = "timestamp,duration,num_gpus") -> str:
    return "\n".join([head, *cells]) + "\n"


def gangs(found: list[Arrival]) -> list[tuple[int, int, int]]:
    shapes = [(a.spec.gang.workers, a.spec.gang.shape) for a in found]
    return [(workers, shape.gpu_count, shape.gpu_milli) for workers, shape in shapes]


def test_openb_has_thousandths_of_devices_and_seconds_from_its_beginning(tmp_path: Path) -> None:
    head = (
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
    )
    text = rows(
        "a,12000,16384,1,1000,,LS,Running,0,7200,0.0",
        "b,6000,12288,1,460,,LS,Running,100,3800,200.0",
        "c,20000,65536,0,0,,LS,Running,150,9000,150.0",
        "d,8000,30517,2,1000,,LS,Pending,200,,",
        "e,8000,30517,2,1000,V100,LS,Running,300,400,300.0",
        head=head,
    )
    said: list[str] = []
    found = played(tmp_path, text, said)
    assert [(a.at_s, a.work.duration_s) for a in found] == [(0, 7200), (100, 3600), (300, 100)]
    assert gangs(found) == [(1, 1, 1000), (1, 1, 460), (1, 2, 1000)]
    assert "left out: 2 of 5 rows: 1 without a duration (line 5), 1 without a GPU (line 4)" in "\n".join(said)
    assert "deletion_time less scheduled_time" in said[0]


def test_helios_has_names_of_its_own(tmp_path: Path) -> None:
    head = "job_id,user,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue"
    one = "1,u,8,40,1,COMPLETED,2020-04-01 00:10:00,2020-04-01 00:10:05,2020-04-01 02:10:05,7200,5"
    other = "2,u,16,4,1,CANCELLED,2020-04-01 00:20:00,2020-04-01 00:20:05,2020-04-01 00:40:05,1200,5"
    said: list[str] = []
    found = played(tmp_path, rows(one, other, head=head), said, max_gpus=16)
    assert [(a.at_s, a.work.duration_s) for a in found] == [(0, 7200), (600, 1200)]
    assert gangs(found) == [(1, 8, 1000), (2, 8, 1000)]
    assert any("1 job of more than 8 GPUs are gangs of equal workers" in text for text in said)


def test_shares_percents_and_instances_of_devices(tmp_path: Path) -> None:
    halves = played(tmp_path, rows("0,60,0.5", "1,60,1", "2,60,0.25"))
    assert gangs(halves) == [(1, 1, 500), (1, 1, 1000), (1, 1, 250)]
    assert halves[0].spec.gang.shape.cpu_milli * 2 == halves[1].spec.gang.shape.cpu_milli
    assert gangs(played(tmp_path, rows("0,60,50 %", "1,60,200%"))) == [(1, 1, 500), (1, 2, 1000)]
    assert gangs(played(tmp_path, rows("0,60,50", "1,60,100"), gpu_unit="percent")) == [(1, 1, 500), (1, 1, 1000)]
    pai = rows("0,60,50,3", "1,60,200,2", head="submit_time,duration,plan_gpu,inst_num")
    assert gangs(played(tmp_path, pai)) == [(3, 1, 500), (2, 2, 1000)]


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("5,None,1", "1 without a duration (line 3)"),
        ("5,,1", "1 without a duration (line 3)"),
        ("5,inf,1", "1 without an end (line 3)"),
        ("5,-30,1", "1 that end before they begin (line 3)"),
        ("5,0,1", "1 that last no time (line 3)"),
        (",60,1", "1 without a time (line 3)"),
        ("5,60,", "1 without a number of GPUs (line 3)"),
        ("5,60,inf", "1 without a number of GPUs (line 3)"),
        ("5,60,0", "1 without a GPU (line 3)"),
        ("5,60,-2", "1 with less than no GPU (line 3)"),
        ("5,60,0.0001", "1 with less than a thousandth of a GPU (line 3)"),
        ("5,60,1.5", "1 with whole GPUs and a part of one (line 3)"),
        ("5,60,13", "1 with more than 8 GPUs (max_gpus) (line 3)"),
    ],
)
def test_what_is_left_out_is_counted_by_cause(row: str, cause: str, tmp_path: Path) -> None:
    said: list[str] = []
    found = played(tmp_path, rows("0,3600,2", row, "9,60,1"), said)
    assert gangs(found) == [(1, 2, 1000), (1, 1, 1000)]
    assert f"trace.csv: left out: 1 of 3 rows: {cause}" in said


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (rows("2020-07-01,soon,1"), 2, 'duration: "soon" is not a duration'),
        (rows("2020-07-01,10:00,1"), 2, 'duration: "10:00" is not a duration'),
        (rows("2020-07-01,60,two"), 2, 'num_gpus: "two" is not a number'),
        (rows("2020-07-01,60,1", "01/02/2020,60,1"), 3, 'timestamp: "01/02/2020" is not a time'),
        (rows("01/02/2020,60,1"), 2, "is 1 February or 2 January"),
        (rows("2020-07-01,1.234,1"), 2, 'duration: "1.234" is 1.234 or 1,234'),
        (rows("2020-07-01,60"), 2, "2 cells, but the header"),
        (rows(), 0, "no rows"),
        ("", 0, "empty"),
        ("timestamp,duration\n2020-07-01,5\n", 0, "num_gpus: there is no such column"),
        (rows("2020-07-01,60,50", "2020-07-01,60,100"), 0, "no job can be played; left out: 2 of 2 rows"),
        (rows("2020-07-01,-1,1"), 0, "no job can be played"),
        ("a1f3,tensorflow,1.0,Terminated,16.0,17.0,600.0,29.3,50.0,MISC\n", 0, "there is no header"),
        ("1 0 5 3600 8 -1 -1 8\n", 0, "there is no header"),
        ("; Version: 2\n1 0 5 3600 8 -1 -1 8\n", 0, "Standard Workload Format"),
    ],
)
def test_what_cannot_be_read_names_row_and_column(text: str, line: int, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        played(tmp_path, text)
    fault = refused.value.faults[0]
    assert told in fault.message
    assert (fault.line, fault.file) == (line, str(tmp_path / "trace.csv"))
    assert fault.help


def test_jobs_that_are_days_apart_stay_so_and_those_outside_are_counted(tmp_path: Path) -> None:
    text = rows("0,3600,1", "427061,3600,1", "600000,3600,2")
    said: list[str] = []
    assert [a.at_s for a in played(tmp_path, text, said)] == [0]
    assert "2 of its 3 jobs come before or after the 1d that are played" in said[-1]
    assert [a.at_s for a in played(tmp_path, text, days=8)] == [0, 427061, 600000]
    in_milliseconds = played(tmp_path, text, days=8, time_format="unix-ms")
    assert [a.at_s for a in in_milliseconds] == pytest.approx([0, 427.061, 600])


def test_columns_may_be_named_and_units_said(tmp_path: Path) -> None:
    text = rows("2020-07-01 00:00,90,1", head="when,minutes,cards")
    found = played(tmp_path, text, timestamp="when", duration="minutes", gpus="cards", duration_unit="min")
    assert found[0].work.duration_s == 5400
    trace = JobTrace(file=tmp_path / "trace.csv", timestamp="when", duration="minutes", gpus="cards")
    assert first_day(trace) == "2020-07-01"


def scenario(folder: Path, text: str, keys: str = "") -> str:
    (folder / "trace.csv").write_text(text, encoding="utf-8")
    (folder / "s.yaml").write_text(SCENARIO % keys, encoding="utf-8")
    return str(folder / "s.yaml")


def test_a_simulation_says_once_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = rows("2020-07-01 00:00:00,0 days 02:00:00,1.5", "2020-07-01 00:10:00,0 days 01:00:00,1")
    assert run(["simulate", scenario(tmp_path, text), "--seeds", "2"]) == 0
    out, err = capsys.readouterr()
    assert "1 jobs" in out
    assert err.count("warning: trace.csv: left out: 1 of 2 rows: 1 with whole GPUs and a part of one (line 2)") == 1


def test_a_simulation_without_a_single_job_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = scenario(tmp_path, rows("2020-07-01,3600,1"), ', first: "2019-01-01T00:00:00Z"')
    assert run(["simulate", file]) == 2
    assert "no job of the traces comes within the 1 days" in capsys.readouterr().err
    assert run(["simulate", scenario(tmp_path, rows("2020-07-01,3600,1"), ", time_format: d/m/y")]) == 2
    assert 's.yaml:6: time_format "d/m/y" is no format of times' in capsys.readouterr().err


def test_the_bench_takes_how_a_trace_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text(rows("01/02/2020,60,1"), encoding="utf-8")
    assert run(["bench", "queueing", "--trace", str(tmp_path / "t.csv")]) == 2
    assert "is 1 February or 2 January" in capsys.readouterr().err
    for flag, value in (("--gpu-unit", "pounds"), ("--time-format", "d/m/y"), ("--duration-unit", "ages")):
        assert run(["bench", "queueing", "--trace", str(tmp_path / "t.csv"), flag, value]) == 2
        assert f"error: {flag}: " in capsys.readouterr().err
