"""Who asks for something, as far as what may be asked and what is told of it depend on that."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks.

    Attributes:
        name: as events tell it; "" where nobody gave one.
        role: "viewer", "submitter" or "operator".
    """

    name: str = ""
    role: str = "operator"


SOMEBODY = Person()
"""Whoever calls from within: nothing is known of them, and nothing is kept from them."""
