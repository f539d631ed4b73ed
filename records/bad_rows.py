"""Which cells of a column cannot be read, where a file may have some such rows."""

from collections.abc import Callable, Sequence
from typing import Final

from records.fault import RecordError
from records.table import Column

Read = Callable[[Column], object]
MOST: Final = 0.5
"""Where more of a column cannot be read its rows are not bad: it is another column, or written another way."""


def unreadable(column: Column, read: Read) -> dict[int, str]:
    """Return the places of cells that cannot be read, and what is wrong with each; found by halving.

    Raises:
        RecordError: that is so of more than half of them.
    """
    found: dict[int, str] = {}
    _search(column, range(len(column.cells)), read, found)
    if len(found) > MOST * len(column.cells):
        read(column)
    return found


def _search(column: Column, places: Sequence[int], read: Read, found: dict[int, str]) -> None:
    try:
        read(column.only(places))
    except RecordError as error:
        if len(places) == 1:
            found[places[0]] = error.message
            return
        middle = len(places) // 2
        _search(column, places[:middle], read, found)
        _search(column, places[middle:], read, found)
