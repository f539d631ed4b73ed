"""From what people write to the model's nouns: resources to shapes, sections to served models and hosts' devices."""

from scheduler.config.schema import Model, Resources, WorkerRange
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang, ServingModel


def shape_of(resources: Resources) -> Shape:
    """Return what one worker or replica needs, in whole units; a part of a unit counts as a whole one."""
    shared = 0 < resources.gpus < 1
    return Shape(
        cpu_milli=round(resources.cpus * 1000),
        memory_mib=resources.memory,
        gpu_count=1 if shared else int(resources.gpus),
        gpu_milli=max(round(resources.gpus * WHOLE_DEVICE_MILLI), 1) if shared else WHOLE_DEVICE_MILLI,
        gpu_models=frozenset(resources.gpu_model),
        device_memory_mib=resources.gpu_memory,
        host_labels=tuple(sorted(resources.host_labels.items())),
    )


def gang_of(
    workers: WorkerRange, shape: Shape, max_per_host: int, *, prefer_same: str = "", require_same: str = ""
) -> Gang:
    """Return the gang; elastic when it may have more workers than the fewest."""
    most = workers.max if workers.max > workers.min else 0
    return Gang(workers.min, shape, max_per_host, prefer_same, require_same, most)


def serving_model_of(model: Model) -> ServingModel:
    """Return a served model as the planner knows it."""
    return ServingModel(
        name=model.name,
        shape=shape_of(model.resources),
        min_replicas=model.min_replicas,
        max_replicas=model.max_replicas,
        warm_up_s=model.warm_up,
        max_per_host=model.max_per_host,
        survive_host_losses=model.survive_host_losses,
        community=model.community,
        elsewhere=model.served_elsewhere,
    )
