"""Lists made from a list: each changes the property that its name says, and leaves the others."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.packing.variants import CONSTRAINED, UNCONSTRAINED, all_variants, variant
from benchmarks.packing.workload import Pods
from scheduler.cli.bench import app
from scheduler.model.errors import ConfigError
from scheduler.model.resources import Shape

T4 = frozenset({"T4"})
PLAIN = [
    *[Shape(cpu_milli=4000, memory_mib=64)] * 40,
    *[Shape(cpu_milli=1000, memory_mib=64, gpu_count=1, gpu_milli=300)] * 150,
    *[Shape(cpu_milli=2000, memory_mib=64, gpu_count=1, gpu_milli=650)] * 150,
    *[Shape(cpu_milli=6000, memory_mib=64, gpu_count=1)] * 300,
    *[Shape(cpu_milli=16_000, memory_mib=64, gpu_count=8)] * 5,
]
NAMING = [*PLAIN, *[Shape(cpu_milli=3000, memory_mib=64, gpu_count=1, gpu_models=T4)] * 50]


def share_of_demand(pods: Pods, wanted: str) -> float:
    """Return the part of the demand for devices, in per cent, of shares or of gangs."""
    asked = pods.gpu_milli[pods.shape]
    counted = [(shape.gpu_milli < 1000) if wanted == "shares" else (shape.gpu_count > 1) for shape in pods.shapes]
    return float((asked * np.array(counted)[pods.shape]).sum() / asked.sum() * 100)


@pytest.mark.parametrize("part", [20, 60, 100])
def test_shares_and_gangs_make_up_the_part_of_the_demand_that_the_name_says(part: int) -> None:
    assert share_of_demand(variant(Pods.of(PLAIN), f"gpushare{part}"), "shares") == pytest.approx(part, abs=4)
    if part < 100:
        assert share_of_demand(variant(Pods.of(PLAIN), f"multigpu{part}"), "gangs") == pytest.approx(part, abs=1.5)


def test_constrained_pods_are_counted_among_those_with_devices() -> None:
    pods = variant(Pods.of(NAMING), "gpuspec40")
    with_devices = [pods.shapes[k] for k in pods.shape if pods.shapes[k].gpu_count]
    assert len(with_devices) == 655
    assert sum(bool(shape.gpu_models) for shape in with_devices) == 262


def test_cpu_only_pods_are_counted_by_those_with_devices() -> None:
    for name, many in (("cpu000", 0), ("cpu100", round(605 * 789 / 7064)), ("cpu200", round(2 * 605 * 789 / 7064))):
        pods = variant(Pods.of(PLAIN), name)
        assert int((pods.gpu_milli[pods.shape] == 0).sum()) == many
        assert len(pods.shape) == 605 + many


def test_cpu_changes_and_nothing_else_does() -> None:
    pods, doubled, heavy = Pods.of(PLAIN), variant(Pods.of(PLAIN), "cpu-times200"), variant(Pods.of(PLAIN), "cpu-heavy")
    cpu = [sum(each.shapes[k].cpu_milli for k in each.shape) for each in (pods, doubled, heavy)]
    assert cpu[1] == 2 * cpu[0]
    assert 1.2 * cpu[0] < cpu[2] < 1.45 * cpu[0]
    assert pods.gpu_milli[pods.shape].sum() == doubled.gpu_milli[doubled.shape].sum()


def test_other_lengths_are_other_lengths_of_as_many_shares() -> None:
    pods, odd = Pods.of(PLAIN), variant(Pods.of(PLAIN), "odd")
    lengths, others = ({shape.gpu_milli for shape in each.shapes} - {0, 1000} for each in (pods, odd))
    assert len(others) == len(lengths) == 2
    assert sorted(np.bincount(odd.shape)) == sorted(np.bincount(pods.shape))


def test_a_name_is_a_list_and_a_seed_another() -> None:
    pods = Pods.of(PLAIN)
    first, again, other = (
        variant(pods, name).shape.tolist() for name in ("reweighted", "reweighted:0", "reweighted:1")
    )
    assert first == again != other
    both = variant(pods, "gpushare60+sample50")
    assert len(both.shape) == len(pods.shape) // 2
    assert share_of_demand(both, "shares") == pytest.approx(60, abs=8)


def test_a_round_of_variants_is_one_of_lists_that_can_be_made() -> None:
    for pods, names in ((Pods.of(PLAIN), UNCONSTRAINED), (Pods.of(NAMING), CONSTRAINED)):
        assert all_variants(pods) == names
        assert all(len(variant(pods, name).shape) for name in names)


def test_names_are_checked() -> None:
    for name in ("gpushre60", "odd3", "gpushare", ""):
        with pytest.raises(ConfigError, match="no recipe"):
            variant(Pods.of(PLAIN), name)
    with pytest.raises(ConfigError, match="as its seed"):
        variant(Pods.of(PLAIN), "odd:x")
    with pytest.raises(ConfigError, match="no pod of the kind"):
        variant(Pods.of(PLAIN), "gpuspec10")
    with pytest.raises(ConfigError, match="below 100"):
        variant(Pods.of(PLAIN), "multigpu100")


def test_the_command_runs_lists_made_from_the_list(tmp_path: Path) -> None:
    nodes, pods = tmp_path / "nodes.csv", tmp_path / "pods.csv"
    nodes.write_text("cpu_milli,memory_mib,gpu,model\n" + "64000,1024,8,T4\n" * 4)
    rows = (f"{s.cpu_milli},{s.memory_mib},{s.gpu_count},{s.gpu_milli if s.gpu_count else 0}" for s in PLAIN[::8])
    pods.write_text("cpu_milli,memory_mib,num_gpu,gpu_milli\n" + "\n".join(rows) + "\n")
    asked = ["packing", "--nodes", str(nodes), "--pods", str(pods), "--policy", "best-fit", "--seeds", "1"]
    found = CliRunner().invoke(app, [*asked, "--variant", "cpu000", "--variant", "odd", "--json"])
    assert found.exit_code == 0, found.output
    assert {name: set(one["policies"]) for name, one in json.loads(found.stdout)["variants"].items()} == {
        "cpu000": {"best-fit"},
        "odd": {"best-fit"},
    }
    table = CliRunner().invoke(app, [*asked, "--variant", "cpu000"])
    assert table.stdout.startswith("LIST\tPOLICY\tAT 90 %")
    assert table.stdout.splitlines()[1].startswith("cpu000\tbest-fit\t")
