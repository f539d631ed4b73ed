"""One way from a file to a table: what it is, is told by its content."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from records.fault import RecordError, Say, nobody
from records.swf import is_swf, swf_table
from records.table import Layout, Table, cell_of, of_items, of_text
from records.text import content, text_of

ENDINGS: Final = tuple(
    kind + packed for kind in (".csv", ".tsv", ".txt", ".parquet", ".json") for packed in ("", ".gz", ".bz2", ".xz")
)
"""How names of such files end, where a name must tell a file from something else."""
_PARQUET: Final = b"PAR1"


def read_table(path: Path, layouts: Sequence[Layout], say: Say = nobody, *, skip_bad_rows: bool = False) -> Table:
    """Return the table in a file.

    Args:
        path: CSV (cut by comma, semicolon, tab or bar; UTF-8, UTF-16 or Western European), Parquet, or JSON with a
            list of objects, alone or under "items"; a log in Standard Workload Format; packed by gzip, bzip2 or xz
            or not.
        layouts: names of columns that together will do; the first line with all of one is the header.
        say: is told what was passed over.
        skip_bad_rows: leave out, and tell, rows that are longer or shorter than the header.

    Raises:
        RecordError: it cannot be read, with the line.
    """
    data = content(path)
    if data.startswith(_PARQUET):
        return _parquet(data)
    text = text_of(data, say)
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "{" or (start == "[" and ".json" in path.suffixes) or path.suffix == ".json":
        return of_items(_items(text))
    if is_swf(text, path.name):
        return swf_table(text, say, skip=skip_bad_rows)
    return of_text(text, layouts, say, skip_bad_rows=skip_bad_rows)


def _items(text: str) -> Sequence[object]:
    try:
        answer: object = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON ({error})", help="the answer of the pageviews API, as it came") from None
    found = answer.get("items") if isinstance(answer, Mapping) else answer
    if isinstance(found, list):
        return found
    said = answer.get("detail") or answer.get("title") if isinstance(answer, Mapping) else None
    if said:
        raise RecordError(f'the answer of a server that had nothing: "{str(said)[:300]}"', help="ask it again")
    help_ = 'the answer of the pageviews API: {"items": [{"timestamp", "views"}]}'
    raise RecordError('no "items" in it', help=help_)


def _parquet(data: bytes) -> Table:
    import pyarrow as pa  # noqa: PLC0415  # only such files pay for it
    from pyarrow import parquet  # noqa: PLC0415  # likewise

    read = parquet.read_table(io.BytesIO(data))
    columns = [[cell_of(value) for value in _coarser(column, pa).to_pylist()] for column in read.columns]
    rows = [(number, list(cells)) for number, cells in enumerate(zip(*columns, strict=True), start=1)]
    return Table([str(name) for name in read.column_names], rows, typed=True)


def _coarser(column: Any, pa: Any) -> Any:
    """Return a column of times in microseconds, as Python has them."""
    kind = column.type
    return column.cast(pa.timestamp("us", kind.tz), safe=False) if pa.types.is_timestamp(kind) else column
