"""Numbers as people write them: read where all ways to read a column agree, refused where they do not."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.form import DECIMALS, Form
from records.table import Column

MISSING: Final = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "nat", "-", "--", "—", "\\n", "?"})
"""What is written where there is no value, in small letters."""
_BLANKS: Final = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\t", " ") | {"\u2019": "'", "\u2212": "-"})
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_WORDS: Final = re.compile(r"[+-]?(inf|infinity|∞|unlimited)", re.IGNORECASE)
_SIGNED: Final = re.compile(r"([+-]?)(.*?)(-?)")
_LARGEST: Final = 10**15


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to write numbers: what stands before decimals and between thousands ("" for nothing)."""

    decimal: str
    thousands: str

    def read(self, text: str) -> float:
        """Return the number; NaN where it is none in this way of writing."""
        sign, bare, minus = _SIGNED.fullmatch(text).groups()  # type: ignore[union-attr]  # always matches
        if bare.startswith("(") and bare.endswith(")") and not sign:
            sign, bare = "-", bare[1:-1]
        plain = self._plain(bare)
        if plain is None or (sign and minus):
            return math.nan
        return -float(plain) if "-" in (sign, minus) else float(plain)

    def _plain(self, bare: str) -> str | None:
        decimals, grouped = _patterns(self.decimal, self.thousands)
        if decimals.fullmatch(bare):
            return bare.replace(self.decimal, ".")
        if grouped is not None and grouped.fullmatch(bare):
            return bare.replace(self.thousands, "").replace(self.decimal, ".")
        return None


@cache
def _patterns(decimal: str, thousands: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """Return numbers without and with groups: of three digits, or as in India of two before the last three."""
    point, between = re.escape(decimal), re.escape(thousands)
    decimals = re.compile(rf"(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")
    if not thousands:
        return decimals, None
    threes = rf"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})+"
    twos = rf"[1-9][0-9]?(?:{between}[0-9]{{2}})+{between}[0-9]{{3}}"
    return decimals, re.compile(rf"(?:{threes}|{twos})(?:{point}[0-9]*)?")


def numbers_of(column: Column, form: Form) -> NDArray[np.float64]:
    """Return the numbers of a column, (n,); NaN where there is none, infinite where the file says so.

    Cells may have a sign before or behind, parentheses for a minus, spaces or apostrophes between thousands. What is
    "." or "," in them is found out: only if every way to read the whole column gives the same numbers it is read.

    Raises:
        RecordError: a cell is no number, or the column can be read in two ways; with line and column.
    """
    texts = [cell.translate(_BLANKS).strip() for cell in column.cells]
    values = np.full(len(texts), np.nan)
    marked = []
    for index, text in enumerate(texts):
        if _WHOLE.fullmatch(text):
            values[index] = float(text)
        elif _WORDS.fullmatch(text):
            values[index] = -math.inf if text.startswith("-") else math.inf
        elif text.casefold() not in MISSING:
            marked.append(index)
    if marked:
        values[marked] = _agreed(column, marked, [texts[index] for index in marked], form)
    return values


def counts_of(column: Column, form: Form) -> NDArray[np.float64]:
    """Return numbers of 0 or more, (n,); NaN where there is none.

    Raises:
        RecordError: as `numbers_of`, and where one is negative, infinite or beyond all that is counted.
    """
    values = numbers_of(column, form)
    wrong = np.flatnonzero(~np.isnan(values) & ~((values >= 0) & (values <= _LARGEST)))
    if len(wrong):
        what = (
            f"is more than {_LARGEST:.0e}" if _LARGEST < values[wrong[0]] < math.inf else "is not a number of 0 or more"
        )
        raise column.fault(int(wrong[0]), what)
    return values


def whole_of(column: Column, form: Form) -> NDArray[np.int64]:
    """Return whole numbers of 0 or more, (n,).

    Raises:
        RecordError: as `counts_of`, and where one is missing or broken.
    """
    values = counts_of(column, form)
    wrong = np.flatnonzero(~(values == np.floor(values)))
    if len(wrong):
        raise column.fault(int(wrong[0]), "is not a whole number")
    return values.astype(np.int64)


def _agreed(column: Column, marked: Sequence[int], texts: Sequence[str], form: Form) -> list[float]:
    """Return what all ways of writing that fit every cell make of them."""
    conventions = list(_conventions(texts, form, typed=column.typed))
    readings = [[convention.read(text) for text in texts] for convention in conventions]
    fitting = [reading for reading in readings if not any(map(math.isnan, reading))]
    if not fitting:
        furthest = max((_first_nan(reading) for reading in readings), default=0)
        raise column.fault(marked[furthest], _no_number(column, marked, furthest), _help(texts[furthest]))
    for place, found in enumerate(zip(*fitting, strict=True)):
        if len(set(found)) > 1:
            low, high = min(found), max(found)
            what = f"is {low:,.12g} or {high:,.12g}: nothing in the column says what separates decimals"
            help_ = "say it: --decimal . or --decimal , (decimal: in YAML); or write plain numbers"
            raise column.fault(marked[place], what, help_)
    return fitting[0]


def _conventions(texts: Sequence[str], form: Form, *, typed: bool) -> Iterator[Convention]:
    """Yield the ways of writing that are possible here and that the user has not ruled out."""
    if typed:
        yield Convention(".", "")
        return
    there = [mark for mark in (".", ",", "'", " ") if any(mark in text for text in texts)]
    said = {"": ["", *there], "none": [""], "space": [" "]}.get(form.thousands, [form.thousands])
    for decimal in (form.decimal,) if form.decimal else DECIMALS:
        for thousands in said:
            if decimal != thousands:
                yield Convention(decimal, thousands)


def _first_nan(values: Sequence[float]) -> int:
    return next(index for index, value in enumerate(values) if math.isnan(value))


def _no_number(column: Column, marked: Sequence[int], furthest: int) -> str:
    """Say that a cell is no number, and beside which other it is none, if it would be one alone."""
    alone = any(
        not math.isnan(Convention(decimal, thousands).read(column.cells[marked[furthest]].translate(_BLANKS)))
        for decimal in DECIMALS
        for thousands in ("", ".", ",", "'", " ")
        if decimal != thousands
    )
    if not alone or not furthest:
        return "is not a number" + (" with these separators" if alone else "")
    other = marked[furthest - 1]
    return f'is not a number beside "{column.cells[other]}" ({column.at(other)}): separators differ'


def _help(text: str) -> str:
    if text.endswith(("%", "‰")):
        return "a percentage: write the number itself"
    if re.fullmatch(r"[0-9.,' ]+ ?[A-Za-zµ€$£/]+", text):
        return "write the number out, without a unit"
    return "correct or remove the row"
