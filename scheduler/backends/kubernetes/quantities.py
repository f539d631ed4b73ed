"""Kubernetes' quantities as whole numbers: what is asked for is rounded up, what is there is rounded down."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?")
_SCALES: Final = {
    **{unit: Fraction(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{unit}i": Fraction(2) ** (10 * power) for power, unit in enumerate("KMGTPE", start=1)},
}
MIB: Final = 2**20


@lru_cache(maxsize=4096)
def exactly(text: str) -> Fraction:
    """Return a quantity such as "100m", "1500Gi" or "1e3".

    Raises:
        ValueError: it is none.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        msg = f'"{text}" is no quantity'
        raise ValueError(msg)
    number, exponent, unit = found.groups()
    return Fraction(number + (exponent or "")) * _SCALES.get(unit or "", Fraction(1))


def at_least(text: str | float, unit: Fraction | int = 1) -> int:
    """Return what is asked for in whole units, rounded up."""
    return -(-exactly(str(text)) // unit)


def at_most(text: str | float, unit: Fraction | int = 1) -> int:
    """Return what is there in whole units, rounded down."""
    return exactly(str(text)) // unit


MILLI: Final = Fraction(1, 1000)
"""A thousandth of a core."""
