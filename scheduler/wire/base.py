"""What all resources have in common: envelope, time stamps, reasons, estimates."""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

API_VERSION = "headroom/v1"
BACKUP_TYPE = "application/vnd.sqlite3"
"""Media type of a backup of the store."""
LEADER_HEADER = "Headroom-Leader"
"""Of an answer of a control plane that does not lead: where the one that does answers."""


class Resource(BaseModel):
    """Base of everything on the wire: frozen; times are RFC 3339 UTC; units are in the names."""

    model_config = ConfigDict(frozen=True, extra="ignore")


ItemT = TypeVar("ItemT", bound=Resource)


class Envelope(Resource):
    """Head of every answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    api_version: str = API_VERSION
    kind: str
    observed_at: datetime
    """When the state shown was observed, on the control plane's clock."""
    cycle: int
    """Number of the control cycle that observed it; 0 before the first."""


class Listing(Envelope, Generic[ItemT]):
    """A list, with what is needed to say how fresh it is."""

    items: tuple[ItemT, ...]
    next: str = ""
    """The `cursor` of the next page; "" when this is the last, or all was asked for."""


class Single(Envelope, Generic[ItemT]):
    """One thing, with what is needed to say how fresh it is."""

    item: ItemT


class Why(Resource):
    """Why something waits, with numbers."""

    code: str
    message: str
    asked: int = 0
    free: int = 0
    until: datetime | None = None
    blocked_by: tuple[str, ...] = ()


class ErrorBody(Resource):
    """One fault, as errors carry it."""

    code: str
    message: str
    file: str = ""
    line: int = 0
    field: str = ""
    help: str = ""


class ErrorAnswer(Resource):
    """Body of every answer that is not 2xx; `errors` has all faults, `error` the first."""

    error: ErrorBody
    errors: tuple[ErrorBody, ...]
