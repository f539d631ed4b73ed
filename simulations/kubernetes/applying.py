"""Server-side apply: what a manager applied is its own, and what another owns is not taken without force."""

from simulations.kubernetes.failures import Json, not_implemented
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.requests import Request


def apply(kind: Kind, old: Json, body: Json, request: Request) -> tuple[Json, tuple[str, ...]]:
    """Return the object after an apply."""
    del kind, old, body, request
    raise not_implemented("server-side apply")
