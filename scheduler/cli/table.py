"""Tables for people (padded, narrowed by dropping columns) and for programs (columns cut by TABs, nothing lost)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.cli.screen import Screen

BLOCKS_BELOW: Final = 50
"""Terminals narrower than this show one "key: value" line per cell."""
_GAP: Final = 2
_LEAST_LAST: Final = 24
"""Room that the last column, where reasons stand, is given before others are dropped for it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Texts with a style each, for instance "yellow", in a row; none of them has a line break or a TAB."""

    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The cell without styles."""
        return "".join(text for text, _ in self.parts)


def cell(text: str, style: str = "") -> Cell:
    """Return a cell of one style, on one line whatever the text has."""
    return Cell(((" ".join(text.split()), style),))


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: in capitals.
        right: whether it holds numbers.
        drop: 0 for a column that always stays; of the others, the highest goes first when room is short.
        wide: whether it is shown by `-o wide` only.
    """

    title: str
    right: bool = False
    drop: int = 0
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; `names` are what `-o name` prints, one a row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    names: tuple[str, ...] = ()


def render(table: Table, screen: Screen, *, wide: bool = False) -> str:
    """Return the table as text, without a last line break."""
    shown = [index for index, column in enumerate(table.columns) if wide or not column.wide]
    if not screen.is_terminal:
        return _tabbed(_only(table, shown), screen)
    fitting = _that_fit(table, shown, screen.width)
    if fitting is None:
        return _blocks(_only(table, shown), screen)
    return _padded(_only(table, fitting), screen)


def _only(table: Table, shown: Sequence[int]) -> Table:
    columns = tuple(table.columns[index] for index in shown)
    return Table(columns, tuple(tuple(row[index] for index in shown) for row in table.rows), table.names)


def _tabbed(table: Table, screen: Screen) -> str:
    head = ["\t".join(column.title for column in table.columns)] if screen.header else []
    return "\n".join(head + ["\t".join(_painted(one, screen) for one in row) for row in table.rows])


def _blocks(table: Table, screen: Screen) -> str:
    blocks = (
        "\n".join(
            f"{column.title.lower()}: {_painted(one, screen)}".rstrip()
            for column, one in zip(table.columns, row, strict=True)
        )
        for row in table.rows
    )
    return "\n\n".join(blocks)


def _that_fit(table: Table, shown: list[int], width: int) -> list[int] | None:
    """Drop columns, the least important first, until the rest has room; the last one may be cut a little.

    Returns:
        The columns that stay, or None when not even those that must stay have room.
    """
    needed = {index: max(_widths(table, index)) for index in shown}
    last = shown[-1]
    needed[last] = min(needed[last], max(_LEAST_LAST, len(table.columns[last].title)))

    def fit() -> bool:
        return sum(needed[i] + _GAP for i in shown) - _GAP <= width

    for index in sorted((i for i in shown if table.columns[i].drop), key=lambda i: -table.columns[i].drop):
        if fit():
            break
        shown = [i for i in shown if i != index]
    return shown if width >= BLOCKS_BELOW and fit() else None


def _widths(table: Table, index: int) -> list[int]:
    from rich.cells import cell_len  # noqa: PLC0415  # only terminals pay for it

    return [len(table.columns[index].title), *(cell_len(_text(row[index])) for row in table.rows)]


def _padded(table: Table, screen: Screen) -> str:
    widths = [max(_widths(table, index)) for index in range(len(table.columns))]
    room = screen.width - sum(width + _GAP for width in widths[:-1])
    widths[-1] = min(widths[-1], room)

    def line(cells: Sequence[Cell | str]) -> str:
        padded = (
            _sized(one, width, screen, right=column.right)
            for one, column, width in zip(cells, table.columns, widths, strict=True)
        )
        return (" " * _GAP).join(padded).rstrip()

    head = [line([cell(column.title, "dim") for column in table.columns])] if screen.header else []
    return "\n".join(head + [line(row) for row in table.rows])


def _sized(one: Cell | str, width: int, screen: Screen, *, right: bool) -> str:
    """Return a cell as wide as its column: filled with blanks, or cut with a sign that it is."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  # only terminals pay for it

    space = width - cell_len(_text(one))
    if space < 0:
        return set_cell_size(_text(one), width - 1) + "…"
    text = _painted(one, screen)
    return " " * space + text if right else text + " " * space


def _text(one: Cell | str) -> str:
    return one.text if isinstance(one, Cell) else " ".join(one.split())


def _painted(one: Cell | str, screen: Screen) -> str:
    if isinstance(one, str) or not screen.colored:
        return _text(one)
    return "".join(screen.paint(text, style) for text, style in one.parts)
