"""Tables as programs and spreadsheets write them, and files that are none."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pandas as pd
import pytest

from records.fault import RecordError, reading
from records.files import read_table
from records.table import Table

HOURS = [f"2024-03-01T{hour:02}:00:00Z,{1000 + hour}" for hour in range(4)]
PLAIN = "\n".join(["timestamp,requests", *HOURS]) + "\n"
WANTED = [("timestamp", "requests")]


def table_of(folder: Path, content: str | bytes, name: str = "t.csv", said: list[str] | None = None) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with reading(path):
        return read_table(path, WANTED, (said if said is not None else []).append)


@pytest.fixture
def plain(tmp_path: Path) -> Table:
    return table_of(tmp_path, PLAIN)


WRITTEN = {
    "BOM": PLAIN.encode("utf-8-sig"),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "lone CR": PLAIN.replace("\n", "\r"),
    "no last line end": PLAIN.rstrip(),
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "bars": PLAIN.replace(",", " | "),
    "sep=": "sep=;\r\n" + PLAIN.replace(",", ";"),
    "spaces": PLAIN.replace(",", ",  "),
    "trailing commas": PLAIN.replace("\n", ",,\n"),
    "blank lines": "\n\n" + PLAIN.replace("\n", "\n\n , \n") + "\n\n",
    "comments": '# "made by" hand\n' + PLAIN.replace("\n2024-03-01T02", "\n# noon, 5\n2024-03-01T02"),
    "a header that is a comment": "# " + PLAIN,
    "quotes": PLAIN.replace(",", '","').replace("\n", '"\n"').removesuffix('"').join(['"', ""]),
    "capitals": PLAIN.replace("timestamp", "TimeStamp").replace("requests", " Requests "),
    "UTF-16 LE": PLAIN.encode("utf-16"),
    "UTF-16 BE": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "gzip": gzip.compress(PLAIN.encode()),
    "bzip2": bz2.compress(PLAIN.encode()),
    "xz": lzma.compress(PLAIN.encode()),
    "gzip of UTF-16": gzip.compress(PLAIN.encode("utf-16")),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_the_same_rows_in_the_ways_that_tools_write_them(way: str, plain: Table, tmp_path: Path) -> None:
    found = table_of(tmp_path, WRITTEN[way])
    assert [cells for _, cells in found.rows] == [cells for _, cells in plain.rows]
    assert [name.casefold() for name in found.names] == ["timestamp", "requests"]


def test_what_is_passed_over_is_told(plain: Table, tmp_path: Path) -> None:
    said: list[str] = []
    lines = ["Report of March", "for the board, internal", "timestamp,requests", *HOURS[:2], "timestamp,requests"]
    text = "\n".join([*lines, *HOURS[2:], "Total,4006"])
    found = table_of(tmp_path, text, said=said).without_sums("timestamp", said.append)
    assert [cells for _, cells in found.rows] == [cells for _, cells in plain.rows]
    assert said == [
        "passed over: 2 lines above the header",
        "passed over: the header, which comes 1 more time",
        'left out: line 9 ("Total") that sums up others',
    ]
    assert found.lines == [4, 5, 7, 8]


def test_western_letters_are_read_and_told(tmp_path: Path) -> None:
    said: list[str] = []
    found = table_of(tmp_path, ("zürich," + PLAIN).encode("latin-1").replace(b"\n2", b"\n\xe4,2"), said=said)
    assert found.names[0] == "zürich"
    assert "not UTF-8" in said[0]


@pytest.mark.parametrize(
    ("content", "said", "line"),
    [
        ("", "the file is empty", 0),
        ("\n \n", "the file is empty", 0),
        (PLAIN + "2024-03-01T04:00:00Z\n", "1 cell, but the header (line 1) has 2", 6),
        (PLAIN + "2024-03-01T04:00:00Z,1799,5\n", "3 cells, but the header", 6),
        (PLAIN + '2024-03-01T04:00:00Z,"5\n', "not a row of cells", 6),
        (PLAIN + '2024-03-01T04:00:00Z,"5"6\n', "not a row of cells", 6),
        (b"PK\x03\x04rest", "it is a spreadsheet or an archive", 0),
        (b"\x1f\x8bnot really", "not readable", 0),
        (gzip.compress(PLAIN.encode(), mtime=0)[:30], "not readable", 0),
        (b"PAR1rubbish", "not readable", 0),
        (b"\x00\x01\x02\x03" * 20, "not readable", 0),
        (b"\xff\xfea", "not readable", 0),
    ],
)
def test_what_is_no_table_is_named_with_its_line(content: str | bytes, said: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as refused:
        table_of(tmp_path, content)
    assert said in refused.value.message
    assert (refused.value.line, refused.value.file) == (line, str(tmp_path / "t.csv"))
    assert refused.value.help


def test_columns_are_found_or_listed(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="there is no such column") as refused:
        table_of(tmp_path, PLAIN.replace("requests", "hits")).column("requests")
    assert refused.value.help == "columns are: timestamp, hits"
    with pytest.raises(RecordError, match="there is no header: the first line is"):
        table_of(tmp_path, "\n".join(HOURS)).column("timestamp")
    with pytest.raises(RecordError, match="2 columns have this name"):
        table_of(tmp_path, "timestamp,requests,Requests\n1,2,3\n").column("REQUESTS")
    assert not table_of(tmp_path, "timestamp,requests\n").rows


def test_parquet_and_json_are_told_by_their_content(tmp_path: Path, plain: Table) -> None:
    stamps = pd.date_range("2024-03-01", periods=4, freq="h", tz="UTC")
    pd.DataFrame({"timestamp": stamps, "requests": [1000, 1001, 1002, None]}).to_parquet(tmp_path / "p")
    found = table_of(tmp_path, (tmp_path / "p").read_bytes())
    assert found.typed
    assert list(found.column("requests").cells) == ["1000.0", "1001.0", "1002.0", ""]
    items = [dict(zip(plain.names, cells, strict=True)) for _, cells in plain.rows]
    for content in ({"items": items}, items):
        assert [cells for _, cells in table_of(tmp_path, json.dumps(content), "t.json").rows] == [
            cells for _, cells in plain.rows
        ]
    for content, said in (({"detail": "no data"}, '"no data"'), ({"items": [3]}, "item 1"), ({"items": 3}, "items")):
        with pytest.raises(RecordError, match=said):
            table_of(tmp_path, json.dumps(content), "t.json")


def test_a_file_that_is_not_there_and_what_a_library_raises_name_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(RecordError, match=r"absent\.csv: not readable: there is no such file"),
        reading(tmp_path / "absent.csv"),
    ):
        pass
    path = tmp_path / "t.csv"
    path.touch()
    with pytest.raises(RecordError, match=r"t\.csv: not readable \(ZeroDivisionError"), reading(path):
        raise ZeroDivisionError
