"""Kubernetes quantities (`500m`, `16Gi`, `1e3`): exact values, and the canonical form that the server shows."""

import re
from decimal import ROUND_CEILING, Decimal

SHAPE = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)$")
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX = {exponent: suffix for suffix, exponent in DECIMAL.items()}


def is_quantity(text: object) -> bool:
    """Say whether a value reads as a quantity."""
    if isinstance(text, str):
        return SHAPE.match(text) is not None
    return isinstance(text, int | float) and not isinstance(text, bool)


def value(text: object) -> Decimal:
    """Return the exact value of a quantity."""
    matched = SHAPE.match(str(text))
    if matched is None:
        raise ValueError(f"{text!r} is no quantity")
    number, suffix = Decimal(matched[1]), matched[2]
    if suffix in BINARY:
        return number * Decimal(1024 ** BINARY[suffix])
    exponent = DECIMAL[suffix] if suffix in DECIMAL else int(suffix[1:])
    return number.scaleb(exponent)


def whole(text: object) -> int:
    """Return the value rounded up to a whole number, as the scheduler counts memory and devices."""
    return int(value(text).to_integral_value(ROUND_CEILING))


def milli(text: object) -> int:
    """Return the value in thousandths, rounded up."""
    return int((value(text) * 1000).to_integral_value(ROUND_CEILING))


def canonical(text: object) -> str:
    """Return the form in which the server gives a quantity back."""
    matched = SHAPE.match(str(text))
    if matched is None:
        return str(text)
    return _binary(value(text)) if matched[2] in BINARY else decimal_form(value(text))


def decimal_form(amount: Decimal) -> str:
    """Return a value with the largest decimal suffix that keeps it whole."""
    if amount == 0:
        return "0"
    exponent = max((e for e in SUFFIX if amount.scaleb(-e) == (amount.scaleb(-e)).to_integral_value()), default=-9)
    return f"{int(amount.scaleb(-exponent))}{SUFFIX[exponent]}"


def _binary(amount: Decimal) -> str:
    if amount == 0:
        return "0"
    if amount != amount.to_integral_value():
        return decimal_form(amount)
    found = [(suffix, power) for suffix, power in BINARY.items() if int(amount) % 1024**power == 0]
    if not found:
        return str(int(amount))
    suffix, power = found[-1]
    return f"{int(amount) // 1024**power}{suffix}"
