"""The services of a running cluster, as `importing` reads them: lists in pages, of kinds that may not be there."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from scheduler.backends.kubernetes.connection import Object, Refused

KINDS: Final = (
    ("/apis/serving.kserve.io/v1beta1", "inferenceservices", ""),
    ("/apis/serving.kserve.io/v1alpha1", "llminferenceservices", ""),
    ("/apis/apps/v1", "deployments", "headroom/model"),
    ("/apis/autoscaling/v2", "horizontalpodautoscalers", ""),
    ("/apis/keda.sh/v1alpha1", "scaledobjects", ""),
)
"""What is read: group, plural, and the label that it must have."""
PAGE: Final = "500"
NOT_FOUND: Final = 404


class Reader(Protocol):
    """What lists are read by."""

    def get(self, path: str, query: dict[str, str]) -> Object:
        """Return a list."""


def services_of(reader: Reader, namespaces: Sequence[str] = ()) -> Iterator[Object]:
    """Yield pages of all that serves or scales in some namespaces, or in all; kinds that are not there are passed over.

    Raises:
        Refused: it may not be read.
        Unreachable: the cluster does not answer.
    """
    for group, plural, label in KINDS:
        for place in [f"/namespaces/{namespace}" for namespace in namespaces] or [""]:
            yield from _pages(reader, f"{group}{place}/{plural}", {"labelSelector": label} if label else {})


def _pages(reader: Reader, path: str, selected: dict[str, str]) -> Iterator[Object]:
    further: Any = ""
    while further is not None:
        query = {**selected, "limit": PAGE, **({"continue": further} if further else {})}
        try:
            page = reader.get(path, query)
        except Refused as refusal:
            if refusal.status == NOT_FOUND:
                return
            raise
        yield page
        further = (page.get("metadata") or {}).get("continue") or None
