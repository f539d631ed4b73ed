"""The smallest set of hosts that keeps objectives is found with few runs, and it is said how surely."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.cli.main import run
from scheduler.model.errors import ConfigError
from simulations.objectives import Objective, keeps, objectives_of
from simulations.outcome import NUMBERS, Outcome
from simulations.sizing import Counts, Search, Sized, frontier

WAIT = Objective("wait_mean", most=True, limit=100.0)


def outcome(**numbers: float) -> Outcome:
    return Outcome(**{**dict.fromkeys(NUMBERS, 0.0), **numbers})


def search_for(power: Sequence[int], needed: int, *, noise: float = 0.0, costs: Sequence[float] = (3, 2)) -> Search:
    """Return a search among sets whose wait is 100 s with just the power that is needed, less with more."""

    def play(tasks: Sequence[tuple[Counts, int]]) -> Mapping[tuple[Counts, int], Outcome | None]:
        found: dict[tuple[Counts, int], Outcome | None] = {}
        for counts, seed in tasks:
            have = sum(a * b for a, b in zip(power, counts, strict=True))
            wait_s = 100.0 * needed / have + noise * (-1) ** seed if have else None
            found[counts, seed] = None if wait_s is None else outcome(wait_mean_s=wait_s)
        return found

    return Search(costs, (8, 8), [WAIT], 4, play)


def chosen(sized: Sequence[Sized]) -> Sized:
    return next(one for one in sized if one.keeps and len(one.outcomes) == 4)


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))
def test_the_cheapest_set_is_found_with_a_part_of_all_runs(p: int, q: int, needed: int, c: int, d: int) -> None:
    search = search_for((p, q), needed, costs=(c, d))
    best = min(c * a + d * b for a in range(9) for b in range(9) if p * a + q * b >= needed)
    sized = search.run()
    assert chosen(sized).cost == best
    assert search.runs <= 81, "no more than one run of every set, with four seeds of the one that is chosen"
    assert [one.cost for one in sized] == sorted(one.cost for one in sized)
    assert chosen(sized) in list(frontier(sized))


def test_what_is_kept_by_chance_in_one_seed_is_not_chosen() -> None:
    sized = search_for((1, 1), 7, noise=9.0).run()
    assert chosen(sized).keeps
    assert chosen(sized).counts == (0, 7)
    assert not chosen(sized).is_sure, "just kept on average, in half of the seeds"
    assert chosen(sized).kept_in == 2
    assert chosen(search_for((1, 1), 7).run()).is_sure


def test_a_set_that_kept_them_by_luck_does_not_hide_the_next_larger_one() -> None:
    """With seed 1 nine hosts seem to do; ten do, and cost less than what else does."""
    waits_s = {(9, 0): (90.0, 130.0, 130.0, 130.0), (10, 0): (80.0,) * 4, (0, 1): (70.0,) * 4}

    def play(tasks: Sequence[tuple[Counts, int]]) -> Mapping[tuple[Counts, int], Outcome | None]:
        found = {}
        for counts, seed in tasks:
            known = waits_s.get(counts) or ((300.0,) * 4 if counts[0] < 9 and not counts[1] else (60.0,) * 4)
            found[counts, seed] = outcome(wait_mean_s=known[seed - 1])
        return found

    sized = Search((1, 12), (10, 1), [WAIT], 4, play).run()
    assert chosen(sized).counts == (10, 0)


def test_none_is_said_where_none_keeps_them() -> None:
    sized = search_for((1, 1), 90).run()
    assert not any(one.keeps for one in sized)
    assert list(frontier(sized)) == []


def test_objectives_are_read_and_kept() -> None:
    late, wait, headroom = objectives_of("late_requests <= 0.0001, wait_p95<=4h, headroom_min >= 1.05")
    assert (wait.limit, headroom.most) == (4 * 3600.0, False)
    assert str(late) == "late_requests <= 0.0001"
    good = outcome(
        late_requests_share=0.00005, failed_requests_share=0.00004, wait_p95_s=3600.0, min_headroom_ratio=1.1
    )
    assert keeps((late, wait, headroom), [good])
    assert not keeps((late, wait, headroom), [replace(good, failed_requests_share=0.001)])
    assert not keeps((late, wait, headroom), [replace(good, min_headroom_ratio=1.0)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no objective"),
        ("late_requests < 3", "is no objective"),
        ("wiat_p95 <= 4h", 'nobody counts "wiat_p95"'),
        ("wait_p95 <= soon", '"soon" is no limit'),
        ("late_requests <= 4h", '"4h" is no limit'),
    ],
)
def test_what_is_no_objective_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        objectives_of(text)


SMALL = """\
scenario: small
start: "2012-06-04T00:00:00Z"
days: 0.3
control: {period: 10m}
hosts:
  - {name: big, count: 1, cpus: 8, memory: 32Gi, gpus: 4}
  - {name: little, count: 2, cpus: 8, memory: 32Gi, gpus: 1}
jobs:
  streams:
    - {name: tune, per_day: 120, duration: 1h, resources: {gpus: 1}}
"""


def test_the_command_names_the_smallest_set_and_how_sure_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, prices = tmp_path / "small.yaml", tmp_path / "prices.yaml"
    path.write_text(SMALL)
    prices.write_text("big: 30\nlittle: 11\n")
    asked = ["size", str(path), "--prices", str(prices), "--most", "1", "--seeds", "2"]
    picture = ["--plot", str(tmp_path / "sizes.svg")]
    assert run([*asked, "--objective", "wait_mean <= 3h", "--json", *picture]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"]["hosts"] in ({"big": 1, "little": 0}, {"big": 0, "little": 2})
    assert found["chosen"]["values"]["wait_mean"][0] <= 3 * 3600
    assert (tmp_path / "sizes.svg").stat().st_size > 1000
    assert run([*asked, "--objective", "wait_mean <= 1s"]) == 1
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].startswith("HOSTS\tCOST\tWAIT_MEAN")
    assert "no set of up to 1+2 hosts keeps wait_mean <= 1s" in shown
    prices.write_text("bgi: 30\n")
    assert run([*asked, "--objective", "wait_mean <= 1h"]) == 2
    assert 'prices.yaml:1: there is no group of hosts "bgi"' in capsys.readouterr().err
