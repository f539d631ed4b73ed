"""Columns of numbers: no thousandth in silence."""

import math

import numpy as np
import pytest

from records.fault import RecordError
from records.form import Form
from records.numbers import counts_of, numbers_of, whole_of
from records.table import Column


def column(*cells: str, typed: bool = False) -> Column:
    return Column("requests", cells, range(2, len(cells) + 2), typed)


def read(*cells: str, form: Form | None = None) -> list[float]:
    return numbers_of(column(*cells), form or Form()).tolist()


def refusal(*cells: str, form: Form | None = None) -> RecordError:
    with pytest.raises(RecordError) as refused:
        counts_of(column(*cells), form or Form())
    return refused.value


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (("17995", "007", "+5"), [17995, 7, 5]),
        (("17.9", "17.928"), [17.9, 17.928]),
        (("0.928", "17.928"), [0.928, 17.928]),
        (("1234.567",), [1234.567]),
        (("17,9", "1.234,5"), [17.9, 1234.5]),
        (("1.234.567", "17.928"), [1234567, 17928]),
        (("1,234,567", "17,928"), [1234567, 17928]),
        (("1,234.5", "17,928"), [1234.5, 17928]),
        (("1,23,456", "12,345"), [123456, 12345]),
        (("1'234", "1'234.5"), [1234, 1234.5]),
        (("1\u2019234",), [1234]),
        (("1\u00a0234", "1\u202f234 567"), [1234, 1234567]),
        (("1 234,5",), [1234.5]),
        (("123-", "(123)", "\u2212123"), [-123, -123, -123]),
        (("1.79E+04", "1e3"), [17900, 1000]),
        ((".5", "5."), [0.5, 5]),
        (("inf", "-Infinity"), [math.inf, -math.inf]),
    ],
)
def test_what_can_be_only_one_number_is_read(cells: tuple[str, ...], numbers: list[float]) -> None:
    assert read(*cells) == numbers


@pytest.mark.parametrize("cells", [("17.928",), ("17,928", "1,234"), ("800", "17.928"), ("17.928", "-", "8.502")])
def test_what_could_be_two_numbers_is_shown_as_both_and_read_when_somebody_says_it(cells: tuple[str, ...]) -> None:
    error = refusal(*cells)
    assert "17.928 or 17,928" in error.message
    assert error.column == "requests"
    assert "--decimal" in error.help
    mark = "." if "." in cells[0] + cells[-1] else ","
    other = {".": ",", ",": "."}[mark]
    assert 17.928 in read(*cells, form=Form(decimal=mark))
    assert 17928 in read(*cells, form=Form(decimal=other))
    assert 17928 in read(*cells, form=Form(thousands=mark))
    assert 17.928 in read(*cells, form=Form(decimal=mark, thousands="none"))


@pytest.mark.parametrize("text", ["12k", "1.2M", "17 %", "50%", "1.234.56", "12,34,5", "--5", "0x1F", "#REF!"])
def test_units_and_odd_groups_are_no_numbers(text: str) -> None:
    error = refusal("5", text)
    assert (error.line, error.column) == (3, "requests")
    assert f'"{text}" is not a number' in error.message


def test_what_contradicts_another_cell_or_the_word_names_both() -> None:
    error = refusal("1.234,5", "1,234.5")
    assert 'beside "1.234,5" (line 2): separators differ' in error.message
    assert "with these separators" in refusal("17.9", form=Form(decimal=",")).message
    for decimal, thousands in ((".", "."), (";", ""), ("", "-")):
        with pytest.raises(RecordError):
            Form(decimal=decimal, thousands=thousands)


def test_what_is_missing_is_nothing_and_what_no_site_counts_is_refused() -> None:
    assert np.isnan(read("", "NaN", "null", "N/A", "-", "None")).all()
    for text in ("-3", "inf", "1e300"):
        assert refusal(text).line == 2
    assert whole_of(column("3", "4.0"), Form()).tolist() == [3, 4]
    with pytest.raises(RecordError, match="whole number"):
        whole_of(column("3", ""), Form())


def test_numbers_that_a_program_typed_cannot_be_mistaken() -> None:
    assert numbers_of(column("17.928", typed=True), Form()).tolist() == [17.928]
    with pytest.raises(RecordError, match="row 2"):
        numbers_of(column("17,928", typed=True), Form())
