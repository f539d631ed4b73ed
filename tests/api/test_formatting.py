"""What people read: units, times and names."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.api import formatting

NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "60 min"),
        (3600, "1 h"),
        (4 * 3600 + 600, "4 h 10"),
        (86399, "24 h"),
        (51 * 3600, "2 d 3 h"),
        (48 * 3600, "2 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, words: str) -> None:
    assert formatting.duration(seconds).replace(formatting.THIN, " ") == words


def test_times_name_the_day_only_where_it_is_another() -> None:
    assert formatting.clock(NOW, NOW) == "17:24"
    assert formatting.clock(NOW, NOW, seconds=True) == "17:24:00"
    assert formatting.clock(NOW + timedelta(hours=8), NOW) == "Tue 01:24"
    assert formatting.clock(NOW + timedelta(days=9), NOW) == "2 Dec 17:24"
    assert formatting.clock(None, NOW) == "-"


def test_numbers_group_thousands_and_admit_what_they_do_not_know() -> None:
    assert formatting.number(18422) == "18\u202f422"
    assert formatting.number(float("nan")) == formatting.number(None) == "-"
    assert [formatting.trimmed(value) for value in (17.0, 0.5, 0.0)] == ["17", "0.5", "0"]
    assert [formatting.ratio(value) for value in (None, 1.163, 250.0)] == ["-", "1.16", "> 99"]
    assert [formatting.rate(value) for value in (35.123, 0.256, 0.0, None)] == ["35.1", "0.26", "0.0", "-"]


def test_a_small_share_is_never_rounded_to_nothing() -> None:
    assert formatting.late_share(2, 248_310) == "0.0008\u202f%"
    assert formatting.late_share(0, 100) == formatting.late_share(0, 0) == "0\u202f%"
    assert formatting.percent(0.0004) == "0.04\u202f%"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("edit-check", "ec"), ("llm-qwen3-14b", "lq"), ("embeddings", "em"), ("a_b", "ab"), ("-", "?")],
)
def test_a_cell_has_two_letters_of_its_model(name: str, letters: str) -> None:
    assert formatting.initials(name) == letters


def test_gangs_are_asked_for_in_one_way() -> None:
    ask = formatting.asks_for
    assert ask(8, 1.0, ("MI300X",), 8).replace("\u202f", " ") == "8 × 1 MI300X"
    assert ask(1, 0.5, (), 8).replace("\u202f", " ") == "1 × 0.5 any"
    assert ask(2, 0.0, (), 4) == "8 CPU"
    assert ask(2, 1.0, (), 4, 8).replace("\u202f", " ") == "2–8 × 1 any"
    assert ask(2, 0.0, (), 4, 8) == "8–32 CPU"


def test_hosts_are_called_by_what_tells_them_apart() -> None:
    assert formatting.shortened(("ml-serve1009", "ml-serve1013")) == {"ml-serve1009": "1009", "ml-serve1013": "1013"}
    assert formatting.shortened(("alone",)) == {"alone": "alone"}
    assert formatting.shortened(()) == {}
    assert formatting.shortened(("gpu", "gpu1")) == {"gpu": "gpu", "gpu1": "1"}


@pytest.mark.parametrize(("days", "words"), [(182, "26 weeks"), (9, "9 days"), (1, "24\u202fh"), (0.1, "2\u202fh")])
def test_a_long_time_has_one_unit(days: float, words: str) -> None:
    assert formatting.span(days * 86400) == words


def test_warm_ups_are_told_to_the_second() -> None:
    assert [formatting.warm_up(s) for s in (1250, 45, 6480)] == ["20m\u202f50s", "45s", "1h\u202f48m"]
