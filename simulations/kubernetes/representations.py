"""How objects are shown: whole, only their metadata, or as rows of a table."""

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind


def represent(kind: Kind, body: Json, accept: str) -> Json:
    """Return an object in the form that an Accept header asks for first."""
    del kind
    if "as=PartialObjectMetadata" in accept.partition(",")[0]:
        return partial(body)
    return body


def partial(body: Json) -> Json:
    """Return an object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}
