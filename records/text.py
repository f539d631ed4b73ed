"""The text of a file: unpacked and decoded, whatever wrote it."""

import bz2
import codecs
import gzip
import lzma
import zlib
from pathlib import Path
from typing import Final

from records.fault import RecordError, Say, nobody

_PACKED: Final = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
_FOREIGN: Final = {
    b"PK\x03\x04": ("a spreadsheet or an archive, not text", "save the sheet as CSV, or unpack it"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet, not text", "save the sheet as CSV"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "unpack it, or pack it by gzip"),
    b"%PDF": ("a PDF, not text", "a table as CSV"),
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT: Final = 4096


def content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if it is packed by gzip, bzip2 or xz (by its content, not by its name).

    Raises:
        RecordError: it cannot be read or unpacked.
    """
    try:
        data = path.read_bytes()
        for mark, unpacked in _PACKED.items():
            if data.startswith(mark):
                return unpacked(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise RecordError(f"not readable ({str(error).strip()})", help="a whole file, packed by gzip or not") from None
    return data


def text_of(data: bytes, say: Say = nobody) -> str:
    """Return the text of bytes: UTF-8, UTF-16 or UTF-32, and what is none of them as Western European.

    Raises:
        RecordError: it is no text.
    """
    for start, (what, help_) in _FOREIGN.items():
        if data.startswith(start):
            raise RecordError(f"not readable: it is {what}", help=help_)
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), _without_mark(data))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise RecordError(f"not readable as {encoding} ({error.reason})", help="save it as UTF-8") from None
        say("not UTF-8: read as Western European text (latin-1)")
        text = data.decode("latin-1")
    if "\0" in text:
        raise RecordError("not readable: it is no text", help="CSV, Parquet or JSON")
    return text


def _without_mark(data: bytes) -> str:
    """Tell UTF-16 without a mark by the zeros beside Latin letters."""
    head = data[:_LOOKED_AT]
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > 0.9 * pairs and not head[::2].count(0):
        return "utf-16-le"
    if pairs and head[::2].count(0) > 0.9 * pairs and not head[1::2].count(0):
        return "utf-16-be"
    return "utf-8"
