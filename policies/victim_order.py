"""What stopping a running job costs, in GPU-seconds; the cheapest is stopped first."""

from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.workloads import TrainingJob


def lost_work(job: TrainingJob, now_s: float) -> float:
    """Return the work since the last checkpoint and the restart, over all its devices."""
    return (_unsaved_s(job, now_s) + job.restart_cost_s) * gpus(job)


def newest_first(job: TrainingJob, now_s: float) -> float:
    """Return the time this attempt has run, over all its devices: the newest is stopped first, saved or not."""
    return max(0.0, now_s - _started_s(job, now_s)) * gpus(job)


def gpus(job: TrainingJob) -> float:
    """Return the devices of all workers; shares count in part."""
    return job.gang.workers * job.gang.shape.total_gpu_milli / WHOLE_DEVICE_MILLI


def _unsaved_s(job: TrainingJob, now_s: float) -> float:
    saved_s = job.checkpointed_at_s if job.checkpointed_at_s is not None else _started_s(job, now_s)
    return max(0.0, now_s - saved_s)


def _started_s(job: TrainingJob, now_s: float) -> float:
    return job.started_at_s if job.started_at_s is not None else now_s
