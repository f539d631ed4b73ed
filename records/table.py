"""Tables of text with named columns: CSV as programs and spreadsheets write it, Parquet, and lists of JSON objects."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from records.fault import RecordError, Say

SUMS: Final = frozenset(
    {"total", "totals", "grand total", "subtotal", "sum", "summe", "gesamt", "gesamtsumme", "somme", "totale", "suma"}
    | {"average", "mean", "mittelwert", "durchschnitt", "moyenne", "media", "min", "max", "count", "insgesamt"}
)
"""First words of rows that sum others up."""
_DELIMITERS: Final = (",", ";", "\t", "|")
_BEGINS_NUMBER: Final = "0123456789+-"
_TITLES: Final = 30
"""So many lines may stand above the header."""
Row = tuple[int, list[str]]
"""A line's number and its cells."""
Layout = Sequence[str]
"""Names of columns that together will do."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as the file writes it.
        cells: what stands in it, without blanks around; "" where nothing does.
        lines: of the cells in the file, or numbers of rows where there are no lines.
        typed: whether the file says what is a number, so that separators cannot be mistaken.
    """

    name: str
    cells: Sequence[str]
    lines: Sequence[int]
    typed: bool = False

    def fault(self, index: int, what: str, help: str = "correct or remove the row") -> RecordError:  # noqa: A002  # the word users see
        """Return the error of one cell; `what` goes on from its text."""
        place = "" if not self.typed else f"row {self.lines[index]}: "
        line = 0 if self.typed else self.lines[index]
        return RecordError(f'{place}"{self.cells[index][:80]}" {what}', line=line, column=self.name, help=help)

    def at(self, index: int) -> str:
        """Return where a cell is, for sentences."""
        return f"{'row' if self.typed else 'line'} {self.lines[index]}"

    def only(self, indices: Sequence[int]) -> "Column":
        """Return some of its cells."""
        cells, lines = [self.cells[i] for i in indices], [self.lines[i] for i in indices]
        return Column(self.name, cells, lines, self.typed)


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows.

    Attributes:
        names: of the columns.
        rows: (line, cells), all as long as the header.
        typed: see `Column`.
        title: the first line, when no line is a header with the columns asked for.
    """

    names: Sequence[str]
    rows: Sequence[Row]
    typed: bool = False
    title: str = field(default="", compare=False)

    def has(self, name: str) -> bool:
        """Whether there is a column of this name, in capitals or not."""
        return any(_plain(each) == _plain(name) for each in self.names)

    def column(self, name: str) -> Column:
        """Return a column by its name, in capitals or not.

        Raises:
            RecordError: there is none, or several.
        """
        place = self._place(name)
        return Column(self.names[place], [cells[place] for _, cells in self.rows], self.lines, self.typed)

    @property
    def headless(self) -> bool:
        """Whether the first line holds numbers, and so no names."""
        return any(name[:1] in _BEGINS_NUMBER and name[-1:].isdigit() for name in self.names if name and self.title)

    @property
    def lines(self) -> Sequence[int]:
        """Where the rows are."""
        return [line for line, _ in self.rows]

    def only(self, places: Sequence[int]) -> "Table":
        """Return some of the rows."""
        return Table(self.names, [self.rows[place] for place in places], self.typed, self.title)

    def without_sums(self, name: str, say: Say) -> "Table":
        """Return the rows without those that sum others up, told by the word in a column."""
        place = self._place(name)
        sums = [row for row in self.rows if row[1][place].strip(" :").casefold() in SUMS]
        if not sums:
            return self
        line, cells = sums[0]
        what = f'line {line} ("{cells[place]}")' if len(sums) == 1 else f'{len(sums)} rows ("{cells[place]}", …)'
        say(f"left out: {what} that sum{'s' if len(sums) == 1 else ''} up others")
        gone = {row[0] for row in sums}
        return Table(self.names, [row for row in self.rows if row[0] not in gone], self.typed, self.title)

    def without_gaps(self, name: str, say: Say) -> "Table":
        """Return the rows that have something in a column; a row of sums may have no word for it."""
        place = self._place(name)
        kept = [row for row in self.rows if row[1][place]]
        gone = [line for line, cells in self.rows if not cells[place]]
        if gone:
            where = f"{'row' if self.typed else 'line'} {gone[0]}{', …' if len(gone) > 1 else ''}"
            say(f"left out: {len(gone)} row{'s' if len(gone) > 1 else ''} without {self.names[place]} ({where})")
        return Table(self.names, kept, self.typed, self.title)

    def _place(self, name: str) -> int:
        exact = [i for i, each in enumerate(self.names) if each == name]
        found = exact or [i for i, each in enumerate(self.names) if _plain(each) == _plain(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RecordError(f"{len(found)} columns have this name", column=name, help="give each its own name")
        if self.headless:
            said = f'there is no header: the first line is "{self.title[:80]}"'
            raise RecordError(said, column=name, help="write the names of the columns into the first line")
        listed = ", ".join(self.names)[:300]
        raise RecordError("there is no such column", column=name, help=f"columns are: {listed}")


def of_text(text: str, layouts: Sequence[Layout], say: Say, *, skip_bad_rows: bool = False) -> Table:
    """Return the table in a text; blank lines, lines of comment and repeated headers are passed over.

    Args:
        text: lines that end in LF, CRLF or CR, cells cut by comma, semicolon, tab or bar; the header is the first
            line with the names of one of the layouts.
        layouts: names of columns that together will do.
        say: is told what was passed over but for blanks.
        skip_bad_rows: whether rows that are not as long as the header are left out, and told.

    Raises:
        RecordError: there is nothing in it, or a row is not as long as the header.
    """
    text = text.lstrip("\ufeff")
    if not text.strip():
        raise RecordError("the file is empty", help="a header and rows")
    for delimiter in _delimiters(text):
        table = _cut(text, delimiter, layouts, say, skip=skip_bad_rows)
        if table is not None:
            return table
    delimiter = max(_DELIMITERS, key=_first_line(text).count)
    names = [name.strip() for name in _first_line(text).split(delimiter)]
    return Table(names, [], title=_first_line(text))


def of_items(items: Sequence[object]) -> Table:
    """Return the table of a list of JSON objects.

    Raises:
        RecordError: there is something else in it.
    """
    names: dict[str, None] = {}
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):
            raise RecordError(f"item {number} is no object", help='items such as {"timestamp": …, "views": …}')
        names.update(dict.fromkeys(str(key) for key in item))
    rows = [(n, [cell_of(dict(item).get(name)) for name in names]) for n, item in enumerate(items, start=1)]  # type: ignore[call-overload]  # looked at above
    return Table(list(names), rows, typed=True)


def cell_of(value: object) -> str:
    """Return a value of JSON or Parquet as text; no value and no number are nothing."""
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124  # only NaN is not itself


def _delimiters(text: str) -> Sequence[str]:
    """Return what cells may be cut by, a spreadsheet's own word ("sep=;") before all others."""
    first = _first_line(text)
    return (first[4:5],) if first[:4].casefold() == "sep=" and first[4:5] in _DELIMITERS else _DELIMITERS


def _first_line(text: str) -> str:
    return text.lstrip().splitlines()[0]


def _cut(text: str, delimiter: str, layouts: Sequence[Layout], say: Say, *, skip: bool) -> Table | None:
    """Return the table if some line is a header when lines are cut so; else None."""
    rows = _rows(text, delimiter, layouts)
    found = _header(rows, layouts)
    if found is None:
        return None
    line, names, above = found
    if above:
        say(f"passed over: {above} line{'s' if above > 1 else ''} above the header")
    return Table(names, list(_body(rows, names, line, say, skip=skip)))


def _header(rows: Iterator[Row], layouts: Sequence[Layout]) -> tuple[int, list[str], int] | None:
    """Return the line of the header, its names, and how many lines stand above it."""
    try:
        for above, (line, cells) in enumerate(rows):
            if _fits(cells, layouts):
                return line, _trimmed(cells), above
            if above == _TITLES:
                return None
    except RecordError:  # a line that is none when it is cut by this delimiter
        return None
    return None


def _fits(cells: Sequence[str], layouts: Sequence[Layout]) -> bool:
    there = {_plain(cell) for cell in cells}
    return any(all(_plain(name) in there for name in layout) for layout in layouts)


def _body(rows: Iterator[Row], names: list[str], header: int, say: Say, *, skip: bool) -> Iterator[Row]:
    repeated, ragged = 0, list[int]()
    for line, found in rows:
        cells = _trimmed(found, len(names))
        if cells == names:
            repeated += 1
        elif len(cells) == len(names):
            yield line, cells
        elif skip:
            ragged.append(line)
        else:
            said = f"{len(cells)} cell{'s' if len(cells) > 1 else ''}, but the header (line {header}) has {len(names)}"
            raise RecordError(said, line=line, help="correct the row; cells with a separator inside need quotes")
    if repeated:
        say(f"passed over: the header, which comes {repeated} more time{'s' if repeated > 1 else ''}")
    if ragged:
        where = f"line {ragged[0]}{', …' if len(ragged) > 1 else ''}"
        say(f"left out: {len(ragged)} row{'s' if len(ragged) > 1 else ''} not as long as the header ({where})")


def _trimmed(cells: Sequence[str], least: int = 1) -> list[str]:
    """Return cells without the empty ones that a trailing separator makes."""
    end = len(cells)
    while end > least and not cells[end - 1]:
        end -= 1
    return list(cells[:end])


def _rows(text: str, delimiter: str, layouts: Sequence[Layout]) -> Iterator[Row]:
    """Yield lines that are neither blank nor comment."""
    lines = (_uncommented(line, delimiter, layouts) for line in io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            said = f"not a row of cells ({error})"
            raise RecordError(said, line=line, help="quotes inside quotes are written twice") from None
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _uncommented(line: str, delimiter: str, layouts: Sequence[Layout]) -> str:
    """Return nothing for a line of comment, unless it is the header."""
    if line.lstrip()[:1] != "#":
        return "\n" if line[:4].casefold() == "sep=" else line
    bare = line.lstrip("# \t")
    return bare if _fits(bare.strip().split(delimiter), layouts) else "\n"


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
