"""How the forecasts of each traffic source did lately, for the process that comes next."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, insert, select

from forecasting.track_record import REMEMBERED_S, TrackRecord
from scheduler.store.tables import track_records

_RECORD: Final = TypeAdapter(TrackRecord)
log = logging.getLogger(__name__)


def track_records_in(connection: Connection) -> dict[str, TrackRecord]:
    """Return those that are kept and can be read: one that cannot begins anew."""
    return dict(_read((row.source, row.body) for row in connection.execute(select(track_records))))


def write_track_records(connection: Connection, records: Mapping[str, TrackRecord], at_s: float) -> None:
    """Replace those of some sources, and drop those that were not written for as long as a record looks back."""
    table = track_records.c
    stale = table.source.in_(list(records)) | (table.at_s < at_s - REMEMBERED_S)
    connection.execute(delete(track_records).where(stale))
    if records:
        # the standard library's JSON has infinity and NaN: what was never known, and by how much nothing is exceeded
        rows = [
            {"source": name, "at_s": at_s, "body": json.dumps(asdict(record), separators=(",", ":"))}
            for name, record in records.items()
        ]
        connection.execute(insert(track_records), rows)


def _read(rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, TrackRecord]]:
    for source, body in rows:
        try:
            yield source, _RECORD.validate_python(json.loads(body))
        except (ValidationError, ValueError) as error:
            log.warning("the record of the forecasts of %s cannot be read and begins anew: %s", source, error)
