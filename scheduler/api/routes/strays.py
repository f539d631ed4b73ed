"""Strays: what others run on the cluster, and what operators decide about it."""

from fastapi import APIRouter

from scheduler.api.access import Operator, Viewer
from scheduler.api.answers import listing
from scheduler.api.presenting.strays import stray_views
from scheduler.api.site import PartsDep
from scheduler.wire.base import Listing
from scheduler.wire.hosts import Stray, StraysOrder

router = APIRouter(prefix="/api/v1/strays", tags=["cluster"])


@router.get("")
def list_strays(parts: PartsDep, _: Viewer) -> Listing[Stray]:
    """Return what runs on the cluster and was not started from this store, by name."""
    strays = parts.service.strays
    return listing(parts, "StrayList", stray_views(strays.all(), strays))


@router.post("/adopt")
def adopt(parts: PartsDep, caller: Operator, order: StraysOrder) -> Listing[Stray]:
    """Take strays over as if this store had started them; answers those that are to be adopted."""
    strays = parts.service.strays
    return listing(parts, "StrayList", stray_views(strays.adopt(order.names, caller.name), strays))


@router.post("/evict")
def evict(parts: PartsDep, caller: Operator, order: StraysOrder) -> Listing[Stray]:
    """End strays; answers those that are to be evicted."""
    strays = parts.service.strays
    return listing(parts, "StrayList", stray_views(strays.evict(order.names, caller.name), strays))
