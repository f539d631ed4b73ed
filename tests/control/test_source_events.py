"""Silence is told once for what is one state: a server's when all its sources are silent, else each source's own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from forecasting.series import Series
from policies.capacity import TargetRate
from scheduler.control.demand.source_events import basis_changes
from scheduler.control.demand.traffic import SourceState, heard, mute
from scheduler.control.isolation.bulkheads import Bulkheads
from scheduler.control.ports import Traffic
from scheduler.control.settings import Served
from scheduler.model.demand import Basis, ModelDemand
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel

HOUR_S = 3600
NOW_S = 1_350_259_200.0
SERVER = "Prometheus at http://one:9090"
DOWN = f"{SERVER}: all 137 sources are silent; planned by their last load with a margin"
TRAFFIC = Traffic(Series(int(NOW_S) - HOUR_S, HOUR_S, np.array([5.0])), 5.0, NOW_S)


@dataclass
class Site:
    """Sources of one server, and what is told of them turn by turn."""

    names: list[str]
    known: dict[str, SourceState] = field(default_factory=dict)
    walls: Bulkheads = field(default_factory=Bulkheads)
    bases: dict[str, Basis] = field(default_factory=dict)
    now_s: float = NOW_S

    def __post_init__(self) -> None:
        self.known = {name: SourceState(server=SERVER) for name in self.names}

    def turn(self, judged: Iterable[str] = (), answers: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Let some sources answer or fail; return what is told."""
        for name in judged:
            known = self.known[name]
            is_heard = answers(name)
            self.known[name] = heard(known, TRAFFIC, self.now_s) if is_heard else mute(known, "refused", self.now_s)
        served = [Served(ServingModel(name, Shape(1000, 1024)), name, 1.0, TargetRate(10.0)) for name in self.names]
        demands = {name: self._demand(name) for name in self.names}
        self.walls.begin(self.now_s, 1)
        self.bases = basis_changes(served, self.known, self.bases, demands, self.now_s, self.walls)
        news = self.walls.news
        self.walls.told(news)
        self.now_s += 30.0
        return [event.title for event in news]

    def _demand(self, name: str) -> ModelDemand:
        basis = Basis.SILENT if self.known[name].failure else Basis.FORECAST
        return ModelDemand(name, 1, 1, 1, 0.0, 0.0, 1.0, self.now_s, basis)


@pytest.fixture
def site() -> Site:
    return Site([f"s{index:03}" for index in range(137)])


def fails(_: str) -> bool:
    return False


def test_a_server_that_was_never_there_is_one_event_once_all_its_sources_have_failed(site: Site) -> None:
    for first in range(0, 137, 16):
        assert site.turn(site.names[first : first + 16], fails) == ([DOWN] if first + 16 >= 137 else [])
    assert [site.turn(site.names, fails) for _ in range(5)] == [[]] * 5


def test_a_server_that_goes_down_and_comes_back_is_two_events(site: Site) -> None:
    assert site.turn(site.names) == []
    told = [site.turn(site.names[first : first + 16], fails) for first in range(0, 137, 16)]
    assert [title for titles in told for title in titles] == [DOWN]
    told = [site.turn(site.names[first : first + 16]) for first in range(0, 137, 16)]
    assert [title for titles in told for title in titles] == [f"{SERVER} answers again"]


def test_a_source_is_silent_by_itself_once_another_one_answers_beside_it(site: Site) -> None:
    bad = site.names[0]
    site.turn(site.names)
    assert site.turn([bad], fails) == [], "the server may be down"
    assert site.turn(site.names[1:2]) == [f"traffic {bad} is silent; planned by the last load with a margin"]
    assert site.turn([bad]) == [f"traffic {bad} answers again"]


def test_a_source_that_stays_silent_when_its_server_is_back_is_told_when_it_has_failed_anew(site: Site) -> None:
    bad = site.names[0]
    site.turn(site.names)
    assert site.turn(site.names, fails) == [DOWN]
    assert site.turn(site.names[1:]) == [f"{SERVER} answers again"], "it was not asked since"
    assert site.turn([bad], fails) == [f"traffic {bad} is silent; planned by the last load with a margin"]


def test_a_source_that_shares_no_server_is_told_at_once() -> None:
    site = Site(["alone"])
    assert site.turn(["alone"], fails) == ["traffic alone is silent; planned by the last load with a margin"]
