"""What a kind's rules are made of: defaults, what the server prepares, what it refuses; and nothing by default."""

from collections.abc import Callable
from dataclasses import dataclass

from simulations.kubernetes.failures import Cause, Json
from simulations.kubernetes.objects import Surroundings


def no_fill(body: Json) -> None:
    """Fill in nothing."""
    del body


def no_create(body: Json, around: Surroundings) -> None:
    """Prepare nothing at creation."""
    del body, around


def no_update(new: Json, old: Json) -> None:
    """Prepare nothing at an update."""
    del new, old


def no_check(body: Json) -> list[Cause]:
    """Refuse nothing at creation."""
    del body
    return []


def no_check_update(new: Json, old: Json) -> list[Cause]:
    """Refuse nothing at an update."""
    del new, old
    return []


@dataclass(frozen=True)
class Rules:
    """The rules of one kind."""

    fill: Callable[[Json], None] = no_fill
    create: Callable[[Json, Surroundings], None] = no_create
    update: Callable[[Json, Json], None] = no_update
    check: Callable[[Json], list[Cause]] = no_check
    check_update: Callable[[Json, Json], list[Cause]] = no_check_update
    check_status: Callable[[Json, Json], list[Cause]] = no_check_update
    keeps_status_at_creation: bool = False
    metadata_checks: int = 3


def setdefaults(target: Json, **defaults: object) -> None:
    """Fill in what is not there."""
    for name, value in defaults.items():
        if target.get(name) is None:
            target[name] = value
