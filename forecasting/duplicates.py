"""Rows of a series that have the same time: alike to the letter, or a fault whose true reason is said."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.clocks import comes_twice
from records.fault import RecordError, Say
from records.form import Form
from records.table import Column, Table

_SHOWN: Final = 4


@dataclass(frozen=True)
class Bins:
    """Rows of a table as bins.

    Attributes:
        table: all of it.
        times, amounts: two of its columns.
        seconds: (n,), epoch seconds of the times.
        values: (n,), of the amounts.
    """

    table: Table
    times: Column
    amounts: Column
    seconds: NDArray[np.int64]
    values: NDArray[np.float64]

    @cached_property
    def others(self) -> list[int]:
        """Places of the columns beside the two."""
        own = {self.times.name, self.amounts.name}
        return [place for place, name in enumerate(self.table.names) if name not in own]

    def differing(self, one: int, other: int) -> list[int]:
        """Return the places of the other columns in which two rows differ."""
        cells, others = self.table.rows[one][1], self.table.rows[other][1]
        return [place for place in self.others if cells[place] != others[place]]

    def alike(self, one: int, other: int) -> bool:
        """Whether two rows of the same time say the same."""
        first, second = self.values[one], self.values[other]
        same = first == second or (np.isnan(first) and np.isnan(second))
        return bool(same) and not self.differing(one, other)


def each_once(bins: Bins, form: Form, say: Say) -> NDArray[np.intp]:
    """Return the rows to keep, in the order of the file: one of those that are alike; that is told.

    Raises:
        RecordError: a time is there again with another value, or in a row that differs in another column.
    """
    first: dict[int, int] = {}
    kept = []
    for index, at in enumerate(bins.seconds.tolist()):
        before = first.setdefault(at, index)
        if before == index:
            kept.append(index)
        elif not bins.alike(before, index) or _comes_twice(at, form):
            raise _twice(bins, before, index, form)
    again = len(bins.seconds) - len(kept)
    if again:
        say(f"{again} row{'s' if again > 1 else ''} came before, alike in all columns: taken once")
    return np.array(kept, dtype=np.intp)


def _twice(bins: Bins, one: int, other: int, form: Form) -> RecordError:
    """Return the true reason why a time is there twice."""
    differing = bins.differing(one, other)
    if not differing:
        value = "the same value" if bins.alike(one, other) else "another value"
        what = f"is a time that was there before ({bins.times.at(one)}), with {value}"
        return bins.times.fault(other, what, _why_twice(int(bins.seconds[other]), form))
    column = bins.table.names[differing[0]]
    kinds = list(dict.fromkeys(cells[differing[0]] for _, cells in bins.table.rows))
    listed = ", ".join(kinds[:_SHOWN]) + (", …" if len(kinds) > _SHOWN else "")
    what = f'is a time that was there before, with another "{column}": several series in one file ({listed})'
    return bins.times.fault(other, what, f"one series a file: keep the rows of one {column}, or add them up")


def _comes_twice(at_s: int, form: Form) -> bool:
    """Whether a time that is taken for UTC, without anybody having said so, would come twice as a local one."""
    return form.local_times is None and form.zone != "UTC" and comes_twice(at_s, form.zone)


def _why_twice(at_s: int, form: Form) -> str:
    """Say what to do: when it is the hour that a zone has twice, that."""
    if _comes_twice(at_s, form):
        return f"it is the hour that comes twice when clocks of {form.zone} go back: --local-times"
    return "one row a bin; local times (--local-times) and clocks of twelve hours show times twice, too"
