"""Numbers of rows, as people write them: what no database can have is nobody's number, and asks none."""

from typing import Final

HIGHEST: Final = 2**31 - 1
"""Number that any database takes as that of a row."""
_DIGITS: Final = len(str(HIGHEST))


def row_number(text: str) -> int | None:
    """Return the number that a text is; None where it is none, or one that no row has."""
    if not text.isdecimal() or len(text) > _DIGITS:
        return None
    number = int(text)
    return number if number <= HIGHEST else None
