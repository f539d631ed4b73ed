"""Outcomes are compared seed by seed, the answer follows from the numbers, and the page needs nobody else."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.model.errors import ConfigError
from simulations.comparing.answers import sentences
from simulations.comparing.differences import MEASURES, difference, table
from simulations.comparing.entries import Entry, read_entries
from simulations.comparing.page import page
from simulations.comparing.waiting import groups, size_of
from simulations.evidence import Evidence, JobStory, Point
from simulations.hindsight import Stop, Violation
from simulations.outcome import NUMBERS

WAIT, LATE = MEASURES[3], MEASURES[0]


def entry(name: str, runs: Mapping[int, Mapping[str, float]], *, gpus: int = 8, told: Evidence | None = None) -> Entry:
    numbers = {seed: {**dict.fromkeys(NUMBERS, 0.0), **said} for seed, said in runs.items()}
    return Entry(name, 2.0, 2, gpus, numbers, told, f"headroom simulate {name}.yaml", "1.0")


def waits(name: str, *waits_s: float) -> Entry:
    return entry(name, {seed: {"wait_mean_s": wait_s} for seed, wait_s in enumerate(waits_s, 1)})


def verdict(base: Entry, other: Entry) -> tuple[str, str]:
    cell = {measure.number: cells for measure, cells in table([base, other])}["wait_mean_s"][1]
    return cell.difference, cell.verdict


def test_differences_are_paired_by_seed() -> None:
    base, other = waits("a", 100, 200, 300), waits("b", 161, 260, 359)
    found = difference(WAIT, base, other)
    assert found.mean == pytest.approx(60)
    assert found.half_width == pytest.approx(4.303 / math.sqrt(3), rel=1e-3), "Student's t of two degrees, spread 1"
    assert verdict(base, other) == ("+1m ± 2s", "worse")
    assert verdict(other, base) == ("−1m ± 2s", "better")


def test_a_difference_within_chance_is_none_and_of_one_seed_nobody_can_say() -> None:
    assert verdict(waits("a", 100, 200), waits("b", 160, 150))[1] == "same"
    assert verdict(waits("a", 100, 200), waits("b", 100, 200)) == ("same", "same")
    assert verdict(waits("a", 100), waits("b", 160)) == ("+1m", "")
    others = entry("b", {7: {"wait_mean_s": 5.0}})
    assert verdict(waits("a", 100), others) == ("", ""), "no seed is in both"


def test_the_best_of_each_row_is_marked() -> None:
    rows = {measure.number: cells for measure, cells in table([waits("a", 5), waits("b", 3), waits("c", 4)])}
    assert [cell.is_best for cell in rows["wait_mean_s"]] == [False, True, False]
    assert not any(cell.is_best for cell in rows["preemptions"]), "all are alike"


def test_the_answer_is_the_fewest_gpus_that_keep_the_promise_to_users() -> None:
    small = entry("small", {1: {"late_requests_share": 0.01}}, gpus=8)
    right = entry("right", {1: {"wait_mean_s": 600}}, gpus=10)
    large = entry("large", {1: {"wait_mean_s": 60}}, gpus=12)
    asked, came, to_do = sentences([small, right, large])
    assert asked == "2 scenarios were compared with small: 2 days on 2 hosts with 8 to 12 GPUs, 1 seed each."
    assert "from 1.0000 % to 0.0000 %" in came
    assert to_do.startswith("Take right: it keeps its promise to users with the fewest GPUs; 1 of 3 do not")
    assert sentences([small])[2].startswith("None keeps late and failed requests within 0.0100 %; the nearest is small")
    assert sentences([large])[2] == "It keeps late and failed requests within 0.0100 %."
    assert sentences([right, replace(large, gpus=10)])[2].startswith(
        "Take large: it keeps its promise to users with the sho"
    )


def test_jobs_are_grouped_by_priority_and_size() -> None:
    assert [size_of(gpus) for gpus in (0, 0.5, 1, 2, 4, 5)] == [
        "no GPU", "1 GPU", "1 GPU", "2-4 GPUs", "2-4 GPUs", "more GPUs",
    ]  # fmt: skip
    jobs = [JobStory(50, 1, 10, 1), JobStory(50, 1, 30, 1), JobStory(100, 8, 5, 1)]
    assert [(one.priority, one.size, one.jobs, one.mean_s) for one in groups(jobs)] == [
        (100, "more GPUs", 1, 5),
        (50, "1 GPU", 2, 20),
    ]


def told() -> Evidence:
    points = [Point(60.0 * at, 1, math.nan, 2, 2, 2, 1, 1, 0, at) for at in range(4)]
    return Evidence(
        seed=1,
        points=tuple(points),
        hosts=("g",),
        occupancy=(("sSST", "..xx"),),
        jobs=(JobStory(50, 1.0, 30.0, math.nan),),
        stops=(Stop(60.0, "7 </script><b>", 1.0, "serving", "m", 10.0, math.nan, needed=True, why="2 were needed"),),
        violations=(Violation("m", 60.0, 120.0, 0.5, "more came", "a host"),),
        outages=(("g", 120.0, 300.0),),
        synthetic=("made up: jobs",),
    )


def test_the_page_holds_all_that_was_told_and_asks_nobody() -> None:
    text = page([entry("a", {1: {}}, told=told()), waits("b<i>", 3.0)])
    for part in ("2 were needed", "more came", "a host", "headroom simulate a.yaml", "made up: jobs", "b&lt;i&gt;"):
        assert part in text
    assert "7 &lt;/script&gt;&lt;b&gt;" in text
    assert "<i>" not in text
    before = text.split("<script>")[0]
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\(", before), "nothing is loaded"
    drawn = json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert set(drawn) == {"light", "dark"}
    assert set(drawn["light"]) == {"timeline-0", "occupancy-0", "waits-0"}


def test_what_is_no_outcome_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    for text in ("", "[]", "{}", '{"scenarios": [{}]}', '{"scenarios": 3}'):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"out\.json: is (no outcome|not JSON)"):
            read_entries(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_entries(tmp_path)
