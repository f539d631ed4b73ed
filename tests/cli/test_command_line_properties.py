"""What holds of every table on every terminal, and of flags wherever they stand."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scheduler.cli.main import _shared_first
from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, cell, render

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Mn", "Me", "Cf")), max_size=30)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 8))
    columns = tuple(
        Column(f"C{i}", right=draw(st.booleans()), drop=draw(st.integers(0, 3)), wide=draw(st.booleans()) and i > 0)
        for i in range(count)
    )
    row = st.tuples(*(texts for _ in range(count)))
    rows = draw(st.lists(row, max_size=5))
    return Table(columns, tuple(tuple(cell(text, "red") if i % 2 else text for i, text in enumerate(r)) for r in rows))


def screen(width: int | None, *, colored: bool = False) -> Screen:
    out = io.StringIO()
    return Screen(out, out, width is not None, width or 80, colored=colored, header=True, zone=None)


@given(tables(), st.integers(50, 200))
def test_no_line_is_wider_than_the_terminal_unless_it_is_one_cell(table: Table, width: int) -> None:
    shown = render(table, screen(width))
    if not shown.startswith("c0:"):
        assert all(cell_len(line) <= width for line in shown.split("\n"))


@given(tables(), st.integers(50, 200))
def test_colour_changes_nothing_but_colour(table: Table, width: int) -> None:
    plain, colored = render(table, screen(width)), render(table, screen(width, colored=True))
    for code in ("\x1b[31m", "\x1b[2m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert [line.rstrip() for line in colored.split("\n")] == plain.split("\n")


@given(tables(), st.booleans())
def test_a_pipe_gets_every_cell_whole(table: Table, wide: bool) -> None:  # noqa: FBT001  # drawn
    head, *lines = render(table, screen(None), wide=wide).split("\n")
    shown = [index for index, column in enumerate(table.columns) if wide or not column.wide]
    assert head.split("\t") == [table.columns[index].title for index in shown]
    assert len(lines) == len(table.rows)
    for line, row in zip(lines, table.rows, strict=True):
        cells = [one if isinstance(one, str) else one.text for one in (row[index] for index in shown)]
        assert line.split("\t") == [" ".join(text.split()) for text in cells]


@given(tables())
def test_columns_that_must_stay_stay(table: Table) -> None:
    shown = render(table, screen(200)).split("\n")[0]
    needed = [column.title for column in table.columns if not column.drop and not column.wide]
    if not shown.startswith("c0:"):
        assert [title for title in shown.split() if title in needed] == needed


@pytest.mark.parametrize(
    ("given_", "ordered"),
    [
        (["list", "--utc"], ["--utc", "list"]),
        (["list", "--url", "http://x", "-o", "json"], ["--url", "http://x", "list", "-o", "json"]),
        (["--color=never", "hosts", "--no-header"], ["--color=never", "--no-header", "hosts"]),
        (["describe", "--", "--utc"], ["describe", "--", "--utc"]),
        (["list", "--color"], ["--color", "list"]),
        (["list", "--color=always", "--debug"], ["--color=always", "--debug", "list"]),
    ],
)
def test_shared_flags_may_stand_anywhere_before_two_dashes(given_: list[str], ordered: list[str]) -> None:
    assert _shared_first(given_) == ordered


@given(st.lists(st.sampled_from(["list", "--utc", "--debug", "-o", "json", "x", "--no-header"])))
def test_no_argument_is_lost_or_made_up(arguments: list[str]) -> None:
    assert sorted(_shared_first(arguments)) == sorted(arguments)
