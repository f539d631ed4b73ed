"""Promises of scenario files: what is wrong is said, with file and line, and the shipped ones are sound."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.fields import keys
from scheduler.config.scenario import Scenario
from scheduler.config.scenario_loading import cluster_config, hosts_of, load_scenario, start_s
from scheduler.model.errors import ConfigError

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
FLEET_GPUS = 38
OWN_SIZE = {"fair-share": 16, "two-wikis": 48, "small-lab": 10}
"""GPUs of scenarios that are not about the fleet."""
SMALL = """\
scenario: small
start: "2012-06-04T00:00:00Z"
days: 1
hosts:
  - {name: gpu, count: 2, gpus: 4, gpu_model: MI210}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def _write(text: str, name: str = "small.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return _write


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_sound(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.scenario == path.stem
    assert sum(host.gpus for host in hosts_of(scenario)) == OWN_SIZE.get(path.stem, FLEET_GPUS)
    assert cluster_config(scenario).models == scenario.models


def test_hosts_count_on_from_their_name(write: Callable[..., Path]) -> None:
    text = SMALL + "  - {name: ml-serve1012, count: 3}\n  - {name: cpu08, count: 3}\n  - {name: lone7}\n"
    names = [host.name for host in hosts_of(load_scenario(write(text)))]
    assert names == [
        "gpu1",
        "gpu2",
        "ml-serve1012",
        "ml-serve1013",
        "ml-serve1014",
        "cpu08",
        "cpu09",
        "cpu10",
        "lone7",
    ]


def test_the_start_is_an_epoch_second(write: Callable[..., Path]) -> None:
    assert start_s(load_scenario(write(SMALL))) == 1338768000.0


def test_a_file_extends_another_key_by_key(write: Callable[..., Path]) -> None:
    write(SMALL + "control: {period: 2m, margin: 0.3}\n")
    loaded = load_scenario(write("extends: small.yaml\nscenario: reactive\ncontrol: {reactive: true}\n", "other.yaml"))
    assert (loaded.scenario, loaded.days) == ("reactive", 1)
    assert (loaded.control.reactive, loaded.control.period, loaded.control.margin) == (True, 120.0, 0.3)


@pytest.mark.parametrize("base", ["other.yaml", "../small.yaml", "loop.yaml"])
def test_files_do_not_extend_themselves_or_far_ones(write: Callable[..., Path], base: str) -> None:
    write("extends: other.yaml\n", "loop.yaml")
    with pytest.raises(ConfigError, match=f"cannot extend {'other' if 'small' not in base else 'small'}"):
        load_scenario(write(f"extends: {base}\n", "other.yaml"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("dyas: 3\n", r'small\.yaml:6: unknown key "dyas"'),
        ("traffic: {x: {kind: replay, file: gone.csv}}\n", r"small\.yaml:6: there is no file .*gone\.csv"),
        ("jobs: {traces: [{file: gone.csv}]}\n", r"small\.yaml:6: there is no file .*gone\.csv"),
        ("jobs: {traces: [{file: small.yaml, first: 2017}]}\n", r"first"),
        ("jobs: {traces: [{file: small.yaml, first: '2017-01-01'}]}\n", r"not an RFC 3339 time with a zone"),
        ("jobs: {streams: [{name: a, per_day: 1, duration: 1h, priority: hgih}]}\n", r'unknown priority "hgih"'),
        ("jobs: {streams: [{name: a, per_day: 1, duration: 1h, grace: 10m}]}\n", r"longer than control"),
        ("faults: {outages: [{host: gpu3, after: 1h, lasts: 1h}]}\n", r'there is no host "gpu3"'),
        ("  - {name: gpu1}\n", r"taken"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write: Callable[..., Path], more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_scenario(write(SMALL + more))


def test_a_start_without_zone_is_refused(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="start"):
        load_scenario(write(SMALL.replace("00:00:00Z", "00:00:00")))


def test_every_key_of_a_scenario_says_what_it_means() -> None:
    assert [key.path for key in keys(Scenario) if not key.meaning] == []
