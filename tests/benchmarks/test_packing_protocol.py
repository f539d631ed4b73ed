"""The packing benchmark: its files, its protocols, its command, and the published numbers on the published data."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.packing import peers
from benchmarks.packing.contenders import CONTENDERS, chosen, mix_of
from benchmarks.packing.packers import ClusteringPacker, Packer, RandomPacker
from benchmarks.packing.protocol import INFLATION, MARKS, arrivals, churn, churn_of, fill, listed
from benchmarks.packing.report import document, measure
from benchmarks.packing.room import Room, Seat, ShapeTable
from benchmarks.packing.workload import Fleet, Pods, read_hosts, read_pods
from scheduler.cli.bench import app
from scheduler.cli.seeds import seeds_of
from scheduler.model.errors import ConfigError
from scheduler.model.resources import Shape

NODES = "sn,cpu_milli,memory_mib,gpu,model\na,96000,100000,8,G2\nb,16000,50000,2,T4\nc,8000,50000,1,T4\n"
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
    "p0,4000,100,1,500,\np1,4000,100,1,500,\np2,8000,100,1,1000,T4\np3,1000,100,0,0,\np4,8000,100,2,1000,G2|G2\n"
)
DATA = Path(os.environ.get("HEADROOM_DATA", Path(__file__).parents[3] / "shared" / "data")) / "gpu"
PUBLISHED_AT_100 = {"random": 86.30, "dotprod": 90.62, "best-fit": 92.86, "fgd": 95.23}
"""Means of 10 runs on the default list; single runs of the two left out spread by half a point and more."""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    nodes, pods = tmp_path / "nodes.csv.gz", tmp_path / "pods.csv"
    nodes.write_bytes(gzip.compress(NODES.encode()))
    pods.write_text(PODS)
    return nodes, pods


@pytest.fixture
def fleet(files: tuple[Path, Path]) -> Fleet:
    return read_hosts(files[0])


@pytest.fixture
def pods(files: tuple[Path, Path]) -> Pods:
    return read_pods(files[1])


def openb(name: str) -> tuple[Fleet, Pods]:
    hosts = DATA / "openb_node_list_gpu_node.csv.gz"
    if not hosts.exists():
        pytest.skip(f"no openb trace in {DATA}: set HEADROOM_DATA")
    return read_hosts(hosts), read_pods(DATA / f"openb_pod_list_{name}.csv.gz")


def test_files_are_read_as_they_stand(fleet: Fleet, pods: Pods) -> None:
    assert fleet.models == ("G2", "T4")
    assert (fleet.gpu_milli > 0).sum(axis=1).tolist() == [8, 2, 1]
    assert fleet.capacity_milli == 11_000
    assert len(pods.shape) == 5
    assert len(pods.shapes) == 4
    assert pods.shapes[pods.shape[4]] == Shape(8000, 100, 2, 1000, frozenset({"G2"}))
    assert pods.times(3).gpu_milli[pods.times(3).shape].sum() == 3 * 4000
    assert fleet.times(2).capacity_milli == 22_000


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("cpu_milli,memory_mib,num_gpu\n1,1,1\n", "BadValue", 0),
        ("cpu_milli,memory_mib,num_gpu,gpu_milli\n1,1,0,0\nx,1,1,1000\n", "BadValue", 3),
        ("cpu_milli,memory_mib,num_gpu,gpu_milli\n1,1,2,500\n", "BadValue", 2),
        ("cpu_milli,memory_mib,num_gpu,gpu_milli\n1,1,0,0\n", "BadValue", 0),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, code: str, line: int) -> None:
    path = tmp_path / "pods.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_pods(path)
    fault = refused.value.faults[0]
    assert (fault.code, fault.line, fault.file) == (code, line, str(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not readable"):
        read_hosts(tmp_path / "absent.csv")


def test_arrivals_are_the_list_shuffled_and_then_samples_of_it(pods: Pods) -> None:
    order = arrivals(pods, 11_000, seed=7)
    assert sorted(order[:5].tolist()) == sorted(pods.shape.tolist())
    asked = pods.gpu_milli[order].cumsum()
    assert asked[-1] >= INFLATION * 11_000 > asked[-2]
    assert order.tolist() == arrivals(pods, 11_000, seed=7).tolist()
    assert order.tolist() != arrivals(pods, 11_000, seed=8).tolist()


def test_the_seed_lists_the_hosts(fleet: Fleet) -> None:
    orders = {tuple(listed(fleet, seed).cpu_milli.tolist()) for seed in range(20)}
    assert len(orders) > 1
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(fleet.cpu_milli.tolist()))}


def test_departures_follow_their_arrivals_and_load_is_what_was_asked(pods: Pods) -> None:
    course = churn_of(pods, 1_000_000, 0.9, seed=3)
    gone = {-1 - int(event): at for at, event in enumerate(course.events) if event < 0}
    came = {int(event): at for at, event in enumerate(course.events) if event >= 0}
    assert len(came) == len(course.shape)
    assert all(at > came[pod] for pod, at in gone.items())
    asked = pods.gpu_milli[course.shape].sum() / 5
    assert asked == pytest.approx(0.9 * 1_000_000, rel=0.1)
    assert 0 < course.first_counted < len(course.shape)


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_policy_places_what_fits_and_oversubscribes_nothing(name: str, fleet: Fleet, pods: Pods) -> None:
    rooms: list[Room] = []

    def watched(room: Room, table: ShapeTable, chance: np.random.Generator) -> Packer:
        rooms.append(room)
        return CONTENDERS[name](fleet, pods)(room, table, chance)

    filled, lossy = fill(fleet, pods, watched, 5), churn(fleet, pods, watched, 0.8, 5)
    assert filled.placed + filled.failed_pods == len(arrivals(pods, fleet.capacity_milli, 5))
    assert list(filled.allocated_pct) == sorted(filled.allocated_pct)
    assert 0 < filled.allocated_pct[-1] <= 100
    assert lossy.lost_demand_pct is not None
    assert 0 <= lossy.lost_demand_pct <= 100
    for room in rooms:
        assert (room.cpu_milli >= 0).all()
        assert (room.memory_mib >= 0).all()
        assert (room.gpu_milli >= -1).all()
        assert ((room.gpu_milli == -1) == (room.fleet.gpu_milli == -1)).all()


def test_runs_repeat(fleet: Fleet, pods: Pods) -> None:
    for name in CONTENDERS:
        first, second = (fill(fleet, pods, CONTENDERS[name](fleet, pods), 9).allocated_pct for _ in range(2))
        assert first == second


def test_what_leaves_makes_room_again(fleet: Fleet, pods: Pods) -> None:
    room, table = Room(fleet), ShapeTable.of(pods.shapes, fleet.models)
    packer = ClusteringPacker(room, table)
    half = pods.shapes.index(Shape(4000, 100, 1, 500))
    seat = packer.choose(half)
    assert seat is not None
    for sign in (-1, 1):
        room.add(seat, table.shapes[half], sign)
        packer.changed(seat, half, sign)
    assert (room.gpu_milli == fleet.gpu_milli).all()
    assert packer.choose(half) == seat


def test_published_scores_on_one_host(fleet: Fleet, pods: Pods) -> None:
    room, table = Room(fleet), ShapeTable.of(pods.shapes, fleet.models)
    half, rows = pods.shapes.index(Shape(4000, 100, 1, 500)), np.array([0])
    room.add(Seat(0, (0,)), table.shapes[half], -1)
    assert peers.best_fit(room, table, half, rows).score.tolist() == [int(100 * (1 - 0.5 * 88 / 128 - 0.5 * 7 / 8))]
    product = (92 / 128 * 4 / 128 + 7.5 / 8 * 0.5 / 8) / 2
    assert peers.dot_product(room, table, half, rows).score.tolist() == [int(100 * (1 - product))]
    assert peers.gpu_packing(room, table, half, rows).score.tolist() == [95]
    assert peers.gpu_packing(room, table, half, np.array([1, 2])).score.tolist() == [31, 32]


def test_chance_takes_every_host_and_device_in_time(fleet: Fleet, pods: Pods) -> None:
    room, table = Room(fleet), ShapeTable.of(pods.shapes, fleet.models)
    packer = RandomPacker(room, table, np.random.default_rng(1))
    half = pods.shapes.index(Shape(4000, 100, 1, 500))
    assert len({packer.choose(half) for _ in range(300)}) == 11


def test_results_have_the_promised_layout(fleet: Fleet, pods: Pods) -> None:
    results = {name: measure(name, fleet, pods, [1, 2], 0.9) for name in ("fgd", "headroom")}
    entries = document(results)["policies"]
    assert isinstance(entries, dict)
    assert set(entries) == {"fgd", "headroom"}
    assert set(entries["fgd"]) == {"allocated_pct", "failed_pods", "lost_demand_pct", "placements_per_s"}
    assert set(entries["fgd"]["allocated_pct"]) == {str(mark) for mark in MARKS}
    assert "lost_demand_pct" not in document({"fgd": measure("fgd", fleet, pods, [1], None)})["policies"]["fgd"]  # type: ignore[index]


def test_the_command_prints_json_or_a_table(files: tuple[Path, Path]) -> None:
    nodes, pods = map(str, files)
    asked = ["packing", "--nodes", nodes, "--pods", pods, "--policy", "best-fit", "--seeds", "1-2"]
    found = CliRunner().invoke(app, [*asked, "--json"])
    assert found.exit_code == 0, found.output
    assert set(json.loads(found.stdout)["policies"]) == {"best-fit"}
    table = CliRunner().invoke(app, [*asked, "--churn", "0.9"])
    assert table.stdout.startswith("POLICY\tAT 90 %")
    assert table.stdout.splitlines()[1].startswith("best-fit\t")


def test_the_command_draws_what_it_found(files: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    nodes, pods = map(str, files)
    picture = tmp_path / "shares.png"
    asked = [
        "packing",
        "--nodes",
        nodes,
        "--pods",
        pods,
        "--policy",
        "best-fit",
        "--policy",
        "headroom",
        "--seeds",
        "1",
    ]
    drawn = CliRunner().invoke(app, [*asked, "--plot", str(picture)])
    assert drawn.exit_code == 0, drawn.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_seeds_and_names_are_checked() -> None:
    assert (seeds_of("42-44"), seeds_of("1,5"), seeds_of("7")) == ((42, 43, 44), (1, 5), (7,))
    for text in ("", "x", "5-3"):
        with pytest.raises(ConfigError, match="names no seeds"):
            seeds_of(text)
    assert chosen([]) == tuple(CONTENDERS)
    assert chosen(["headroom", "random"]) == ("random", "headroom")
    with pytest.raises(ConfigError, match='no "fdg"'):
        chosen(["fdg"])


def test_the_default_list_has_35_typical_pods() -> None:
    _, pods = openb("default")
    assert len(peers.Typical.of(mix_of(pods)).share) == 35


@pytest.mark.parametrize("name", ["random", "dotprod", "best-fit"])
def test_peers_come_out_as_published(name: str) -> None:
    fleet, pods = openb("default")
    runs = measure(name, fleet, pods, range(42, 47), None)
    assert runs.allocated_pct[MARKS.index(100)] == pytest.approx(PUBLISHED_AT_100[name], abs=0.4)


def test_the_default_is_ahead_of_the_published_best_where_models_are_scarce() -> None:
    fleet, pods = openb("gpuspec33")
    runs = measure("headroom", fleet, pods, [46], None)
    assert runs.allocated_pct[MARKS.index(100)] > 87.8 + 3
    assert runs.allocated_pct[MARKS.index(130)] > 94.8


def test_the_default_is_ahead_of_the_published_best_on_the_default_list() -> None:
    fleet, pods = openb("default")
    runs = measure("headroom", fleet, pods, [47], None)
    assert runs.allocated_pct[MARKS.index(100)] > PUBLISHED_AT_100["fgd"] + 0.4
