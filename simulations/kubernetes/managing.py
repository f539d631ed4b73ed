"""managedFields: who last set which field."""

from simulations.kubernetes.failures import Json
from simulations.kubernetes.requests import Write


def track(write: Write, new: Json, old: Json | None, stamp: str) -> None:
    """Note who changed which field."""
    del write, old, stamp
    new["metadata"].pop("managedFields", None)
