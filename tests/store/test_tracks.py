"""How forecasts did is kept for the next process, of each source by itself, for as long as records look back."""

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan

from sqlalchemy import update

from forecasting.models.transform import Transform
from forecasting.track_record import REMEMBERED_S, Outcome, Said, TrackRecord
from scheduler.store.engine import engine_of, parsed
from scheduler.store.sql import SqlStore
from scheduler.store.tables import track_records
from simulations.memory_store import MemoryStore

_SAID = Said(0.0, 6.0, 1, 5.0, 7.0, 4.0, Transform(0.5), 4.5)
_RECORD = TrackRecord(_SAID, (Outcome(_SAID, 6.0, 0.5), Outcome(_SAID, 9.0, inf)), is_failing=True)


def test_records_outlive_the_process_and_those_of_sources_that_are_gone_do_not(
    url: str, open_store: Callable[[str], SqlStore]
) -> None:
    memory, disk = MemoryStore(), open_store(url)
    for store in (memory, disk):
        assert store.track_records() == {}
        store.keep_track_records({"old": _RECORD, "wiki": TrackRecord()}, 1.0)
        store.keep_track_records({"wiki": _RECORD}, REMEMBERED_S)
        assert store.track_records() == {"old": _RECORD, "wiki": _RECORD}
        store.keep_track_records({}, REMEMBERED_S + 2.0)
    assert open_store(url).track_records() == memory.track_records() == {"wiki": _RECORD}


def test_what_was_never_known_is_not_known_afterwards(url: str, open_store: Callable[[str], SqlStore]) -> None:
    store = open_store(url)
    store.keep_track_records({"wiki": TrackRecord(replace(_SAID, naive=nan, reactive=nan))}, 1.0)
    said = open_store(url).track_records()["wiki"].waiting
    assert said is not None
    assert said.naive != said.naive
    assert said.reactive != said.reactive


def test_one_that_cannot_be_read_begins_anew_and_leaves_the_others_alone(
    url: str, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(url)
    store.keep_track_records({"wiki": _RECORD, "other": _RECORD, "third": _RECORD}, 1.0)
    engine = engine_of(parsed(url))
    with engine.begin() as connection:
        for source, body in (("wiki", "{"), ("third", '{"outcomes": 3}')):
            connection.execute(update(track_records).where(track_records.c.source == source).values(body=body))
    engine.dispose()
    assert open_store(url).track_records() == {"other": _RECORD}
