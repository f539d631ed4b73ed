"""Listening: a turn takes what is there, waits for nobody, and says what it waits for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from forecasting.series import Series
from scheduler.control.demand.listening import LONGEST_PAUSE_S, PATIENT_FOR, SLOW_S, Breaker, Crews, SourceListeners
from scheduler.control.demand.traffic import ForecastRequest, SourceState
from scheduler.control.isolation.bulkheads import Bulkheads
from scheduler.control.isolation.crews import Threads
from scheduler.control.ports import Traffic
from scheduler.control.reports.unheard import Unheard
from scheduler.model.demand import Basis
from scheduler.model.errors import Unreachable
from scheduler.model.workloads import ReplicaState

NOW_S = 1_350_259_200.0
HOUR_S = 3600


class Later:
    """A crew that does what it was asked to when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any) -> "Future[Any]":
        """Take note."""
        future: Future[Any] = Future()
        self.asked.append((future, work, args))
        return future

    def tend(self) -> None:
        """Do nothing."""

    def do(self) -> int:
        """Do it; return how much it was."""
        asked, self.asked = self.asked, []
        for future, work, args in asked:
            try:
                future.set_result(work(*args))
            except Exception as error:  # noqa: BLE001  # whoever looks at the future must know
                future.set_exception(error)
        return len(asked)


class Source:
    """Two days of a steady load, or an error."""

    def __init__(self, rps: float = 5.0) -> None:
        self.rps, self.error, self.reads = rps, None, 0
        self.answer: Any = None

    def read(self, now_s: float) -> Traffic:
        """Answer."""
        self.reads += 1
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return self.answer  # type: ignore[no-any-return]  # whatever it is
        end_s = int(now_s // HOUR_S) * HOUR_S
        return Traffic(Series(end_s - 48 * HOUR_S, HOUR_S, np.full(48, self.rps)), self.rps, now_s)


def listeners_of(crews: Crews, **sources: Source) -> SourceListeners:
    return SourceListeners(sources, dict.fromkeys(sources, ForecastRequest(HOUR_S)), crews, 1.0, {})


def turn(listeners: SourceListeners, now_s: float, walls: Bulkheads | None = None) -> dict[str, SourceState]:
    listeners.ask(now_s)
    return listeners.known(now_s, walls or Bulkheads())


def test_a_turn_takes_what_is_there_and_says_what_is_not() -> None:
    readers, fitters, news = Later(), Later(), []
    listeners = listeners_of(Crews(readers, fitters, lambda: news.append(1)), one=Source(), two=Source())
    known = turn(listeners, NOW_S)
    assert [each.traffic for each in known.values()] == [None, None]
    assert listeners.unheard == Unheard(("one", "two"), 2)
    assert (readers.do(), news) == (2, [1]), "told when all have answered"
    known = turn(listeners, NOW_S + 30)
    assert listeners.unheard == Unheard((), 2)
    assert not any(each.has_history for each in known.values())
    assert fitters.do() == 2
    assert all(each.has_history for each in turn(listeners, NOW_S + 60).values())


def test_a_source_is_asked_once_at_a_time_and_is_silent_when_it_takes_too_long() -> None:
    readers = Later()
    listeners = listeners_of(Crews(readers), slow=Source())
    for late_s in range(0, int(SLOW_S), 30):
        assert turn(listeners, NOW_S + late_s)["slow"].failure == ""
    assert len(readers.asked) == 1
    assert "no answer for more than" in turn(listeners, NOW_S + SLOW_S + 1)["slow"].failure
    readers.do()
    assert turn(listeners, NOW_S + SLOW_S + 31)["slow"].failure == ""


def test_who_waits_in_line_for_a_slow_server_is_not_silent_and_for_a_mute_one_is() -> None:
    readers = Later()
    sources = {name: Source() for name in ("first", "last")}
    listeners = SourceListeners(
        sources, dict.fromkeys(sources, ForecastRequest(HOUR_S)), Crews(readers), 1.0, dict.fromkeys(sources, "S")
    )
    turn(listeners, NOW_S)
    for late_s in (30, 60, 90):
        line = readers.asked
        readers.asked = [errand for errand in line if errand[2][0] is sources["first"]]
        assert readers.do() == 1, "it answers, and is asked again, time after time"
        readers.asked = [errand for errand in line if errand[2][0] is sources["last"]]
        turn(listeners, NOW_S + late_s - 1)
        known = turn(listeners, NOW_S + late_s)
        assert (known["first"].failure, known["last"].failure) == ("", "")
    for late_s in (120, 150, 180):
        known = turn(listeners, NOW_S + late_s)
    assert "no answer for more than" in known["last"].failure


def test_one_that_is_read_is_slow_from_when_that_began() -> None:
    readers = Later()
    listeners = listeners_of(Crews(readers), one=Source())
    turn(listeners, NOW_S)
    assert readers.asked[0][0].set_running_or_notify_cancel()
    assert turn(listeners, NOW_S + 50)["one"].failure == "", "it was seen to begin just now"
    assert turn(listeners, NOW_S + 100)["one"].failure == ""
    assert "no answer for more than" in turn(listeners, NOW_S + 50 + SLOW_S + 1)["one"].failure


def test_a_source_that_fails_is_asked_ever_more_rarely_and_one_success_is_enough() -> None:
    bad, good = Source(), Source()
    bad.error = Unreachable("no answer", help="is it up?")
    listeners = listeners_of(Crews(), bad=bad, good=good)
    for turns in range(240):
        known = turn(listeners, NOW_S + 30.0 * turns)
    assert known["bad"].failure == "no answer; is it up?"
    assert good.reads == 240
    assert PATIENT_FOR < bad.reads <= PATIENT_FOR + 240 * 30 / (LONGEST_PAUSE_S / 2) + 4
    bad.error = None
    late_s = 240 * 30.0 + LONGEST_PAUSE_S
    assert turn(listeners, NOW_S + late_s)["bad"].failure == ""
    reads = bad.reads
    turn(listeners, NOW_S + late_s + 30)
    assert bad.reads == reads + 1


def test_breakers_of_many_do_not_go_off_together() -> None:
    breakers = [Breaker(f"source {index}") for index in range(100)]
    for breaker in breakers:
        for _ in range(8):
            breaker.failed(NOW_S, 1.0)
    again_s = sorted(breaker.again_s - NOW_S for breaker in breakers)
    assert 0 < again_s[0] <= again_s[-1] <= LONGEST_PAUSE_S
    assert again_s[-1] > 1.5 * again_s[0]
    assert len({round(at_s) for at_s in again_s}) > 30


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, ""),
        ({"rate": 5}, "it answers with a dict, not with traffic"),
        ([1.0], "it answers with a list, not with traffic"),
        (Traffic(Series(0, 3600, np.full(3, 5.0)), -5.0, NOW_S), "it says -5 requests/s, which no load is"),
        (Traffic(Series(0, 3600, np.full(3, 5.0)), float("inf"), NOW_S), "it says inf requests/s"),
        (Traffic(Series(0, 3600, np.full(3, 5.0)), 1e300, NOW_S), "it says 1e+300 requests/s"),
        (Traffic(Series(0, 3600, np.full(3, 5.0)), "many", NOW_S), "its rate is 'many', not a number"),  # type: ignore[arg-type]
        (Traffic(Series(0, 3600, np.full(3, 5.0)), 5.0, float("nan")), "it measured at the time nan"),
        (Traffic(Series(0, 3600, np.full(3, 1e300)), 5.0, NOW_S), "it says 1e+300 requests/s of the past"),
    ],
)
def test_garbage_is_refused_with_its_reason_and_what_was_known_stays(answer: Any, said: str) -> None:
    source, other = Source(), Source()
    listeners = listeners_of(Crews(), source=source, other=other)
    before = turn(listeners, NOW_S)["source"]
    source.answer = answer
    after = turn(listeners, NOW_S + 30)
    assert after["source"].failure.startswith(said)
    assert bool(after["source"].failure) is bool(said)
    assert after["other"].failure == ""
    assert after["source"].fitted is before.fitted


def test_an_absurd_load_is_believed_when_samples_confirm_it_and_that_is_said() -> None:
    source, walls = Source(), Bulkheads()
    listeners = listeners_of(Crews(), source=source)
    rates = []
    for number, rps in enumerate([5.0, 1e9, 5.0, 2e3, 2e3, 2e3, 2e3, 5.0]):
        now_s = NOW_S + 30.0 * number
        end_s = int(now_s // HOUR_S) * HOUR_S
        source.answer = Traffic(Series(end_s - 48 * HOUR_S, HOUR_S, np.full(48, 5.0)), rps, now_s)
        walls.begin(now_s, number)
        known = turn(listeners, now_s, walls)["source"]
        rates.append(known.rate_at(now_s)[0])
        assert known.corrected.median_at(now_s + 60) < 1e4
    assert rates == [5.0, 5.0, 5.0, 5.0, 5.0, 2e3, 2e3, 5.0]
    assert "1e+09 requests/s measured, and never more than 5 before" in walls.news[0].detail
    assert walls.news[0].title == "traffic source jumps absurdly; not believed yet"


def test_the_same_sample_read_again_confirms_nothing() -> None:
    source = Source()
    listeners = listeners_of(Crews(), source=source)
    turn(listeners, NOW_S)
    source.answer = Traffic(Series(0, HOUR_S, np.full(48, 5.0)), 1e6, NOW_S + 10)
    for late_s in range(30, 300, 30):
        assert turn(listeners, NOW_S + late_s)["source"].rate_at(NOW_S + late_s)[0] == 5.0


def test_a_lone_bin_far_above_all_others_is_not_learned_from() -> None:
    source = Source()
    values = np.full(48, 5.0)
    values[20] = 1e9
    source.answer = Traffic(Series(int(NOW_S) - 48 * HOUR_S, HOUR_S, values), 5.0, NOW_S)
    known = turn(listeners_of(Crews(), source=source), NOW_S)["source"]
    assert known.highest_rps == 5.0
    assert known.fitted.peak_within(NOW_S, 24 * 3600.0, (0.99,)).values[0] < 100


def test_bins_that_fill_up_late_are_learned_from_but_not_with_each_sample() -> None:
    source, fits = Source(), []
    listeners = listeners_of(Crews(), source=source)
    for number in range(40):
        values = np.full(48, 5.0)
        values[-1] = 3.0 + number * 0.05
        source.answer = Traffic(Series(int(NOW_S) - 48 * HOUR_S, HOUR_S, values), 5.0, NOW_S + 30 * number)
        fits.append(turn(listeners, NOW_S + 30.0 * number)["source"].fitted)
    assert 2 <= len({id(fit) for fit in fits}) <= 3


def test_a_loop_with_slow_and_dead_sources_plans_at_once_and_hears_the_others(lab: Any) -> None:
    stuck, heard = threading.Event(), threading.Event()
    lab.serve("slow", lambda _: 35.0)
    lab.serve("quick", lambda _: 15.0)
    lab.sources["slow"].read = lambda _: stuck.wait(60)
    lab.cycle.crews = Crews(Threads("traffic", 2, 60.0), Threads("forecast", 1, 60.0), heard.set)
    lab.turns(1)
    assert lab.board.report.cycle.number == 1
    assert "slow" in lab.board.unheard.sources
    for _ in range(200):
        lab.turns(1)
        if lab.board.report.outlooks[1].basis is Basis.FORECAST:
            break
        heard.wait(0.05)
    assert str(lab.board.unheard) == "waits for traffic of 1 of 2 sources: slow"
    lab.turns(8)
    ready = [replica.model for replica in lab.cluster.replicas.values() if replica.state is ReplicaState.READY]
    assert sorted(ready) == ["quick", "quick", "slow"]
    told = [title for title in lab.events() if title.startswith("traffic quick")]
    assert told == [], "what is still on its way is neither silent nor short of history"
    stuck.set()


def test_what_ran_goes_on_while_its_traffic_was_never_heard(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 25.0)
    lab.turns(6)
    assert len(lab.cluster.replicas) == 3
    lab.sources["edit-check"].silent = True
    lab.restart()
    lab.turns(40, pause_s=60.0)
    assert len(lab.cluster.replicas) == 3, "a silent source after a restart is no reason to stop replicas"
    lab.sources["edit-check"].silent = False
    lab.sources["edit-check"].rate = lambda _: 5.0
    lab.turns(20, pause_s=60.0)
    assert len(lab.cluster.replicas) < 3


def test_sources_that_stay_are_known_on_and_others_are_listened_to_anew() -> None:
    left, right, new = Source(1.0), Source(2.0), Source(3.0)
    listeners = listeners_of(Crews(), left=left, right=right)
    turn(listeners, NOW_S)
    sources = {"left": left, "right": new, "more": right}
    listeners.listen(sources, dict.fromkeys(sources, ForecastRequest(HOUR_S)), {"more": "a server"})
    assert listeners.unheard == Unheard(("right", "more"), 3, ("a server",))
    known = turn(listeners, NOW_S)
    assert {name: state.rate_at(NOW_S)[0] for name, state in known.items()} == {"left": 1.0, "right": 3.0, "more": 2.0}
    listeners.listen({"left": left}, {"left": ForecastRequest(HOUR_S)}, {})
    assert set(turn(listeners, NOW_S)) == {"left"}
    assert (left.reads, new.reads) == (3, 1)
