"""Job traces as sites publish them: read as they are meant, or refused with row and column; all left out is told."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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

SWF = """\
; Version: 2.2
; UnixStartTime: 1600000000
; MaxProcs: 64
1 0 5 3600 16 -1 -1 16 7200 -1 1 3 1 -1 2 -1 -1 -1
2 60 0 600 -1 -1 -1 1 -1 -1 0 4 1 -1 2 -1 -1 -1
3 90 0 300 8 -1 -1 8 200 -1 1 3 1 -1 1 -1 -1 -1
3 90 0 100 8 -1 -1 8 200 -1 2 3 1 -1 1 -1 -1 -1
4 95 0 -1 8 -1 -1 8 200 -1 5 3 1 -1 1 -1 -1 -1
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
        ("; Version: 2\n1 0 5 3600 8 -1 -1 8\n", 2, "not 18 numbers, as Standard Workload Format has them"),
        (SWF, 0, "there are processors and no GPUs in Standard Workload Format"),
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


OWNED = rows(
    "0,100,1,ann,a,300",
    "10,200,2,bob,b,100",
    "20,5000,1,ann,b,",
    head="timestamp,duration,num_gpus,user,cluster,requested_time",
)


def test_owners_queues_and_times_asked_for_are_the_trace_s(tmp_path: Path) -> None:
    said: list[str] = []
    specs = [a.spec for a in played(tmp_path, OWNED, said)]
    assert [(spec.owner, spec.queue) for spec in specs] == [("ann", "a"), ("bob", "b"), ("ann", "b")]
    assert [spec.max_runtime_s for spec in specs] == [300.0, 260.0, None], "start-up of a minute counts as run time"
    assert "owner user, queue cluster, requested time requested_time" in said[0]
    assert "past the time asked for: 1 of 3 jobs" in said[-1]
    without = [a.spec for a in played(tmp_path, OWNED, user="none", queue_column="none", requested_time="none")]
    assert {(spec.owner, spec.queue, spec.max_runtime_s) for spec in without} == {("", "default", None)}
    fixed = [a.spec for a in played(tmp_path, OWNED, owner="us", queue="ours", says_runtime=True)]
    assert {(spec.owner, spec.queue) for spec in fixed} == {("us", "ours")}
    assert fixed[0].max_runtime_s == 2 * 160.0
    with pytest.raises(ConfigError, match="person: there is no such column"):
        played(tmp_path, OWNED, user="person")


def test_jobs_are_cut_to_the_longest_duration_and_that_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    found = played(tmp_path, OWNED, said, max_duration="20m")
    assert [a.work.duration_s for a in found] == [100, 200, 1200]
    assert "cut to 20m (max_duration): 1 of 3 jobs" in said[-1]


def test_nodes_and_processors_count_as_gpus_where_it_is_said_how_many_make_one(tmp_path: Path) -> None:
    nodes = rows("0,60,128", "1,60,300", "2,60,129", head="timestamp,duration,num_nodes")
    assert gangs(played(tmp_path, nodes, gpus="num_nodes", units_per_gpu=128)) == [
        (1, 1, 1000),
        (1, 3, 1000),
        (1, 2, 1000),
    ]


def test_a_log_in_standard_workload_format_is_played(tmp_path: Path) -> None:
    said: list[str] = []
    found = played(tmp_path, SWF, said, units_per_gpu=8)
    assert [(a.at_s, a.work.duration_s, a.spec.owner, a.spec.queue) for a in found] == [
        (0, 3600, "3", "2"),
        (60, 600, "4", "2"),
        (90, 300, "3", "1"),
    ]
    assert gangs(found) == [(1, 2, 1000), (1, 1, 1000), (1, 1, 1000)]
    assert [a.spec.max_runtime_s for a in found] == [7200, None, 360]
    told = "\n".join(said)
    assert "left out: 1 of 5 lines: parts of jobs" in told
    assert "left out: 1 of 4 rows: 1 without a duration (line 8)" in told
    trace = JobTrace(file=tmp_path / "trace.csv", units_per_gpu=8)
    assert first_day(trace) == "2020-09-13", "from the start that its header says"


BAD = rows(
    "2020-07-01 00:00,60,1", "yesterday,60,1", "2020-07-01 00:10,soon,1", "2020-07-01 00:20,60,two",
    "2020-07-01 00:30,60", "2020-07-01 00:40,90,2", "2020-07-01 00:50,30,4", "2020-07-01 01:00,30,4",
)  # fmt: skip


def test_bad_rows_are_left_out_counted_and_named_where_that_is_asked_for(tmp_path: Path) -> None:
    said: list[str] = []
    found = played(tmp_path, BAD, said, skip_bad_rows=True)
    assert [a.at_s for a in found] == [0, 2400, 3000, 3600]
    told = "\n".join(said)
    assert "left out: 1 row not as long as the header (line 6)" in told
    assert 'left out: 3 rows that cannot be read (line 3: timestamp: "yesterday" is not a time' in told
    with pytest.raises(ConfigError, match=r"2 cells, but the header"):
        played(tmp_path, BAD)


def test_a_column_that_cannot_be_read_at_all_is_refused_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        played(tmp_path, rows("0,soon,1", "1,later,1", "2,60,1"), skip_bad_rows=True)
    broken = SWF + "what is this\n"
    with pytest.raises(ConfigError, match="not 18 numbers"):
        played(tmp_path, broken, units_per_gpu=8)
    assert len(played(tmp_path, broken, units_per_gpu=8, skip_bad_rows=True)) == 3


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example writes anew
@given(
    bad=st.sets(st.integers(0, 39), max_size=15),
    column=st.integers(0, 2),
    junk=st.sampled_from(["x", "--", "1h?"]),
)
def test_all_rows_but_the_bad_ones_are_played(tmp_path: Path, bad: set[int], column: int, junk: str) -> None:
    cells = [[str(n * 10), str(60 + n), "1"] for n in range(40)]
    for n in bad:
        cells[n][column] = junk
    said: list[str] = []
    found = played(tmp_path, rows(*map(",".join, cells)), said, skip_bad_rows=True)
    kept = [n for n in range(40) if n not in bad]
    assert [a.at_s for a in found] == [(n - kept[0]) * 10 for n in kept]
    assert [a.work.duration_s for a in found] == [60 + n for n in kept]
    assert bool(re.search(rf"left out: {len(bad)} (of 40 )?row", "\n".join(said))) == bool(bad)


def test_words_have_the_error_that_is_asked_for_and_habits_of_their_owners(tmp_path: Path) -> None:
    text = rows(*(f"{n},1000,1,u{n % 40}" for n in range(4000)), head="timestamp,duration,num_gpus,user")
    found = played(tmp_path, text, runtime_error=1.0, start_up=0)
    logs = np.log([(a.spec.max_runtime_s or 0.0) / 1000.0 for a in found])
    assert logs.min() >= 0.0, "nobody says less than the job takes: it would be stopped"
    assert np.sqrt(np.mean(logs**2)) == pytest.approx(1.0, rel=0.15)
    by_owner = np.array([logs[n::40].mean() for n in range(40)])
    assert by_owner.std() > 3 * logs.std() / np.sqrt(100), "owners differ by more than chance"
    again = played(tmp_path, text, runtime_error=1.0, start_up=0)
    assert [a.spec for a in found] == [a.spec for a in again]
    without = played(tmp_path, text, start_up=0)
    assert [a.work for a in found] == [a.work for a in without], "words change nothing else"


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


def test_a_simulation_shares_between_the_queues_of_its_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scenario(tmp_path, OWNED)
    assert run(["simulate", file, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"]["jobs_succeeded"] == 3


def test_the_command_leaves_bad_rows_out_when_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = scenario(tmp_path, BAD)
    assert run(["simulate", file]) == 2
    assert run(["simulate", file, "--skip-bad-rows", "--drain", "1d"]) == 0
    out, err = capsys.readouterr()
    assert "3 rows that cannot be read" in err
    assert "drained in   0s" in out
    assert run(["simulate", file, "--drain", "long"]) == 2


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
    (tmp_path / "t.csv").write_text(rows("2020-07-01,60,1", "2020-07-01,soon,1", "2020-07-01,60,1"), encoding="utf-8")
    line = ["bench", "queueing", "--trace", str(tmp_path / "t.csv"), "--share", "1", "--days", "0.05", "--hosts", "1"]
    assert run(line) == 2
    capsys.readouterr()
    assert run([*line, "--skip-bad-rows", "--compare", "bookings", "--workers", "1", "--seeds", "1"]) == 0
    assert "1 row that cannot be read (line 3" in capsys.readouterr().err
    for flag, value in (("--gpu-unit", "pounds"), ("--time-format", "d/m/y"), ("--duration-unit", "ages")):
        assert run(["bench", "queueing", "--trace", str(tmp_path / "t.csv"), flag, value]) == 2
        assert f"error: {flag}: " in capsys.readouterr().err
