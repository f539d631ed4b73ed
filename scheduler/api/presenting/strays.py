"""Strays on the wire."""

from scheduler.api.presenting.times import MIB
from scheduler.control.service.strays import StrayService
from scheduler.model.observation import Stray as SeenStray
from scheduler.wire.hosts import Stray


def stray_views(strays: tuple[SeenStray, ...], service: StrayService) -> tuple[Stray, ...]:
    """Return strays with what can be done about them, and what was asked for already."""
    orders = {order.name: order.verb.value for order in service.store.stray_orders()}
    return tuple(_view(stray, service.why_not_adopted(stray), orders.get(stray.name, "")) for stray in strays)


def _view(stray: SeenStray, why: str, ordered: str) -> Stray:
    shapes = [shape for _, shape in stray.held]
    return Stray(
        name=stray.name,
        kind=stray.kind.value,
        owner=stray.owner,
        hosts=tuple(sorted({slot.host for slot, _ in stray.held})),
        gpus=sum(shape.total_gpu_milli for shape in shapes) / 1000,
        cpus=sum(shape.cpu_milli for shape in shapes) / 1000,
        memory_bytes=sum(shape.memory_mib for shape in shapes) * MIB,
        job=stray.job_id,
        attempt=stray.attempt,
        adoptable=not why,
        why=why,
        ordered=ordered,
    )
