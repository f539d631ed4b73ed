"""CEL expressions, compiled once; the library is asked for only where a rule is."""

import re
from functools import cache
from typing import Any

from simulations.kubernetes.failures import not_implemented


class Expression:
    """One compiled expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._program = _compile(text)

    def mentions(self, name: str) -> bool:
        """Say whether a variable occurs in the expression."""
        return re.search(rf"\b{name}\b", self.text) is not None

    def holds(self, variables: dict[str, Any]) -> bool:
        """Say whether it is true; an error in it counts as false, as the server takes it."""
        import celpy  # noqa: PLC0415
        from celpy.adapter import json_to_cel  # noqa: PLC0415

        try:
            return bool(self._program.evaluate({name: json_to_cel(value) for name, value in variables.items()}))
        except celpy.CELEvalError:
            return False


def _compile(text: str) -> Any:
    try:
        import celpy  # noqa: PLC0415
    except ImportError as error:
        raise not_implemented("rules in CEL: install cel-python (the extra `cel`)") from error
    environment = celpy.Environment()
    try:
        return environment.program(environment.compile(text))
    except celpy.CELParseError as error:
        raise ValueError(str(error)) from error


def compile_fault(text: str) -> str:
    """Return why an expression does not compile, nothing if it does."""
    try:
        compiled(text)
    except ValueError as error:
        return f"compilation failed: {error}"
    return ""


@cache
def compiled(text: str) -> Expression:
    """Return the compiled form of an expression."""
    return Expression(text)
