"""What the measure of speed measures; how fast it is, is nobody's promise here."""

import json

import pytest
from typer.testing import CliRunner

from benchmarks.packing import speed as measured
from benchmarks.packing.made_up import fleet_of, pods_for
from scheduler.cli.main import app


def test_both_sizes_are_measured_with_the_yardstick_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "EXACT_PODS", 4)
    found = measured.speeds(fleet_of(30, 1), pods_for(30, 1), 1)
    assert [one.hosts for one in found] == [30, 240]
    for one in found:
        assert min(one.placements_per_s, one.exact_fgd_per_s) > 0
        assert one.times_fgd == one.placements_per_s / one.exact_fgd_per_s
    assert set(measured.document(found)) == {"30", "240"}


def test_made_up_sites_follow_their_seed_and_have_a_bit_of_everything() -> None:
    fleet, pods = fleet_of(200, 1), pods_for(200, 1)
    assert fleet_of(200, 1).capacity_milli == fleet.capacity_milli != fleet_of(200, 2).capacity_milli
    assert pods_for(200, 1).shapes == pods.shapes
    assert {0, 1, 8} <= {shape.gpu_count for shape in pods.shapes}
    assert 0.8 < pods.gpu_milli[pods.shape].sum() / fleet.capacity_milli < 1.3


def test_the_planner_s_benchmark_places_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "EXACT_PODS", 4)
    monkeypatch.setattr("benchmarks.packing.made_up.OPENB_HOSTS", 20)
    asked = ["bench", "planner", "--hosts", "10", "--running", "8", "--pending", "2", "--models", "2", "--cycles", "2"]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["placing"]) == {"20", "160"}
