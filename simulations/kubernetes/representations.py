"""How objects are shown: whole, only their metadata, or as rows of a table; what Accept names first decides."""

from dataclasses import dataclass
from datetime import datetime

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.requests import Request
from simulations.kubernetes.tables import table_of

TABLE, PARTIAL = "as=Table", "as=PartialObjectMetadata"
META = "meta.k8s.io/v1"


def wanted_form(accept: str) -> str:
    """Return the form that is asked for first, nothing for whole objects."""
    first = next((part for part in accept.split(",") if "protobuf" not in part), "")
    return TABLE if TABLE in first else PARTIAL if PARTIAL in first else ""


@dataclass(frozen=True)
class View:
    """How a client wants to see objects of a kind, and when it looks."""

    kind: Kind
    form: str
    now: datetime
    included: str = "Metadata"


def view_of(kind: Kind, request: Request, now: datetime) -> View:
    """Return how a request wants its objects shown."""
    form = wanted_form(request.headers.get("accept", ""))
    return View(kind, form, now, request.query.get("includeObject", "Metadata"))


def represent(view: View, body: Json) -> Json:
    """Return an object in the form that is asked for."""
    match view.form:
        case "as=Table":
            version = {"resourceVersion": body["metadata"]["resourceVersion"]}
            return table_of(view.kind, [body], version, view.now, view.included)
        case "as=PartialObjectMetadata":
            return partial(body)
    return body


def represent_list(view: View, bodies: list[Json], metadata: Json) -> Json:
    """Return a list in a form that is not whole objects."""
    if view.form == TABLE:
        return table_of(view.kind, bodies, metadata, view.now, view.included)
    items = [partial(body) for body in bodies]
    return {"kind": "PartialObjectMetadataList", "apiVersion": META, "metadata": metadata, "items": items}


def partial(body: Json) -> Json:
    """Return an object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": body["metadata"]}
