"""Models on one kind of device together, on the wire."""

from scheduler.api.presenting.times import moment_or_none
from scheduler.control.reports.board import PoolOutlook
from scheduler.wire.serving import Pool, PoolPeak


def pool_view(outlook: PoolOutlook) -> Pool:
    """Return what is held for a pool and what it will need; in replicas where these have no devices."""
    each, demand = outlook.gpus_per_replica or 1.0, outlook.demand
    return Pool(
        name=demand.name,
        models=demand.models,
        gpus_per_replica=outlook.gpus_per_replica,
        held_for_peak=each * demand.replicas_peak,
        held_apart=each * demand.replicas_apart,
        held_for_flash_crowd=each * demand.replicas_flash_crowd,
        held_for_rollout=each * demand.replicas_surge,
        peak_at=moment_or_none(demand.peak_at_s),
        peaks=tuple(
            PoolPeak(window_s=peak.window_s, p50=peak.p50, p99=peak.p99, apart_p99=peak.apart_p99)
            for peak in outlook.peaks
        ),
    )
