"""Durations and sizes: what people write, what is refused, and how numbers are written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from scheduler.config.units import (
    AS_WRITTEN,
    Cores,
    Devices,
    DurationSeconds,
    Names,
    SizeMib,
    UnitError,
    devices,
    duration_s,
    format_duration,
    format_size,
    size_mib,
)


class Asked(BaseModel):
    """A section with every unit."""

    wait: DurationSeconds = 0.0
    memory: SizeMib = 0
    cpus: Cores = 0.0
    gpus: Devices = 0.0
    models: Names = ()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("30s", 30), ("10m", 600), ("6h", 21600), ("2d", 172800), ("1d12h", 129600), ("1h 30m", 5400), ("250ms", 0.25),
     ("1.5h", 5400), (45, 45), (0.5, 0.5), (0, 0)],
)  # fmt: skip
def test_durations_are_read(written: object, seconds: float) -> None:
    assert duration_s(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["5 minutes", "", "10", "-10m", "m", "10x", -1, float("nan"), float("inf"), True, None]
)
def test_what_is_no_duration_is_refused_with_examples(written: object) -> None:
    with pytest.raises(UnitError) as caught:
        duration_s(written)
    assert caught.value.help == "30s, 10m, 6h, 2d or 1d12h"


@pytest.mark.parametrize(
    ("written", "mib"),
    [("8Gi", 8192), ("512Mi", 512), ("2Ti", 2 * 2**20), ("16G", 15259), ("1M", 1), ("0.5Gi", 512), ("1Ki", 1), (0, 0),
     ("0", 0), ("8 Gi", 8192)],
)  # fmt: skip
def test_sizes_are_read_and_rounded_up(written: object, mib: int) -> None:
    assert size_mib(written) == mib


@pytest.mark.parametrize(
    ("written", "message", "help_"),
    [
        ("16GB", '"16GB" has no unit we know', "16Gi (16 × 2^30 bytes) or 16G (10^9)"),
        ("16", '"16" has no unit we know', "16Gi (16 × 2^30 bytes) or 16G (10^9)"),
        ("1.5gb", '"1.5gb" has no unit we know', "1.5Gi (1.5 × 2^30 bytes) or 1.5G (10^9)"),
        ("-8Gi", "-8Gi is not a size", "use 0 or more"),
        ("lots", '"lots" is not a size', "16Gi (16 × 2^30 bytes) or 16G (10^9)"),
        (True, '"True" is not a size', "16Gi (16 × 2^30 bytes) or 16G (10^9)"),
    ],
)
def test_sizes_without_a_known_unit_say_which_to_write(written: object, message: str, help_: str) -> None:
    with pytest.raises(UnitError) as caught:
        size_mib(written)
    assert (str(caught.value), caught.value.help) == (message, help_)


def test_a_bare_size_is_mib_from_a_program_and_refused_in_a_document() -> None:
    assert Asked(memory=16).memory == 16
    with pytest.raises(ValidationError):
        Asked.model_validate({"memory": 16}, context=AS_WRITTEN)


def test_fields_read_what_people_write() -> None:
    read = Asked.model_validate({"wait": "10m", "memory": "8Gi", "cpus": "0.5", "gpus": 2, "models": "MI210"})
    assert read == Asked(wait=600.0, memory=8192, cpus=0.5, gpus=2.0, models=("MI210",))


@pytest.mark.parametrize("amount", [0, 0.25, 0.5, 1, 8])
def test_devices_are_whole_or_a_share_of_one(amount: float) -> None:
    assert devices(amount) == amount


@pytest.mark.parametrize("amount", [-1, 1.5, "many", float("nan"), None])
def test_other_amounts_of_devices_are_refused(amount: object) -> None:
    with pytest.raises(UnitError, match="is not a size") as caught:
        devices(amount)
    assert caught.value.help == "use 0 or more; fractions of one GPU (0.25, 0.5) are allowed below 1"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (41, "41s"), (60, "1m"), (130, "2m10s"), (599, "9m59s"), (1320, "22m"), (3600, "1h"), (15000, "4h10m"),
     (86399, "1d"), (183600, "2d3h"), (41 * 86400, "41d"), (-5, "0s")],
)  # fmt: skip
def test_durations_are_written_by_what_matters(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0, max_value=9 * 86400))
def test_a_written_duration_reads_back_within_its_smallest_unit(seconds: float) -> None:
    error = abs(duration_s(format_duration(seconds)) - seconds)
    assert error <= (0.5 if seconds < 590 else 31 if seconds < 86000 else 1831)


@pytest.mark.parametrize(
    ("mib", "text"),
    [
        (0, "0"),
        (512, "512Mi"),
        (1023, "1023Mi"),
        (8192, "8Gi"),
        (262144, "256Gi"),
        (1.5 * 2**20, "1.5Ti"),
        (1000, "1000Mi"),
    ],
)
def test_sizes_are_written_in_the_largest_unit(mib: float, text: str) -> None:
    assert format_size(mib) == text


@given(st.integers(min_value=1, max_value=2**24))
def test_a_written_size_reads_back_within_a_rounded_digit(mib: int) -> None:
    assert size_mib(format_size(mib)) == pytest.approx(mib, rel=0.051)
