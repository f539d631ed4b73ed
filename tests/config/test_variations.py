"""A scenario file that varies keys stands for every combination, and each value is checked where it is put."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.scenario_loading import load_scenario, load_variants
from scheduler.model.errors import ConfigError

SMALL = """\
scenario: small
start: "2012-06-04T00:00:00Z"
days: 1
hosts:
  - {name: gpu, count: 2, gpus: 4, gpu_model: MI210}
  - {name: cpu, count: 1}
traffic:
  a: {kind: replay, file: a.csv}
  b: {kind: replay, file: b.csv, scale: 2}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()

    def _write(more: str = "", name: str = "small.yaml", text: str = SMALL) -> Path:
        path = tmp_path / name
        path.write_text(text + more)
        return path

    return _write


def test_every_combination_is_a_scenario_of_its_own(write: Callable[..., Path]) -> None:
    found = load_variants(write("vary: {hosts.gpu.count: [8, 10], policy.bookings: [0, 4, 9]}\n"))
    assert [(one.scenario.hosts[0].count, one.scenario.policy.bookings) for one in found] == [
        (count, bookings) for count in (8, 10) for bookings in (0, 4, 9)
    ]
    assert found[1].name == "small hosts.gpu.count=8 policy.bookings=4"
    assert found[1].values == {"hosts.gpu.count": 8, "policy.bookings": 4}
    assert {one.scenario.hosts[1].count for one in found} == {1}


def test_a_name_that_is_left_out_means_all(write: Callable[..., Path]) -> None:
    (one,) = load_variants(write("vary: {traffic.scale: [1.5], hosts.gpus: [2]}\n"))
    assert [source.scale for source in one.scenario.traffic.values()] == [1.5, 1.5]
    assert [host.gpus for host in one.scenario.hosts] == [2, 2]
    (one,) = load_variants(write("vary: {traffic.b.scale: [1.5]}\n"))
    assert [source.scale for source in one.scenario.traffic.values()] == [1, 1.5]


def test_what_varies_nothing_is_one_scenario_and_as_it_stands_a_sweep_is_its_file(write: Callable[..., Path]) -> None:
    (one,) = load_variants(write())
    assert (one.name, one.values) == ("small", {})
    assert load_scenario(write("vary: {days: [3]}\n")).days == 1


def test_a_sweep_is_inherited(write: Callable[..., Path]) -> None:
    write("vary: {days: [3, 4]}\n")
    found = load_variants(
        write(text="extends: small.yaml\nscenario: more\nvary: {policy.bookings: [1]}\n", name="m.yaml")
    )
    assert [one.name for one in found] == ["more days=3 policy.bookings=1", "more days=4 policy.bookings=1"]


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("hosts.gpu.count: [1, many]", r'small\.yaml:10: hosts\.0\.count: "many" is not a whole number'),
        ("hosts.gup.count: [1]", r'small\.yaml:10: vary\.hosts\.gup\.count: there is no "gup" in hosts'),
        ("traffic.c.scale: [1]", r'small\.yaml:10: vary\.traffic\.c\.scale: there is no "c" in traffic'),
        ("policy.bookigns: [1]", r'small\.yaml:10: unknown key "bookigns"'),
        ("hosts.gpu.count: []", r"small\.yaml:10: vary\.hosts\.gpu\.count: is empty"),
        ("seed: {1: 2}", r"small\.yaml:10: vary\.seed: .* is not a list"),
        (
            f"days: {list(range(1, 40))}, seed: {list(range(40))}",
            r"small\.yaml:10: vary: 1560 combinations are too many",
        ),
    ],
)
def test_what_cannot_be_varied_is_said_with_its_line(write: Callable[..., Path], vary: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_variants(write(f"vary: {{{vary}}}\n"))


def test_a_fault_of_a_file_that_is_extended_is_told_with_that_file(write: Callable[..., Path]) -> None:
    write("control: {perod: 1m}\n")
    with pytest.raises(ConfigError, match=r'small\.yaml:10: unknown key "perod"'):
        load_variants(write(text="extends: small.yaml\n\ncontrol: {margin: 0.3}\n", name="m.yaml"))
    write("control: {period: 1m}\n")
    with pytest.raises(ConfigError, match=r'm\.yaml:3: unknown key "magin"'):
        load_variants(write(text="extends: small.yaml\n\ncontrol: {magin: 0.3}\n", name="m.yaml"))
    with pytest.raises(ConfigError, match=r'm\.yaml:2: hosts\.0\.count: "x" is not a whole number'):
        load_variants(write(text="extends: small.yaml\nhosts: [{name: other, count: x}]\n", name="m.yaml"))
