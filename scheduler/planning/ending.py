"""What ends whatever the room: work its owner wants ended, and training on hosts that are being emptied."""

from scheduler.model.hosts import HostState
from scheduler.model.plan import Cause, PreemptJob, StopReplica
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, ReplicaState
from scheduler.planning.preemption import stop_order


def end_jobs(snapshot: Snapshot, policy: Policy) -> tuple[PreemptJob, ...]:
    """Stop jobs whose owner asked for it, and then jobs on draining hosts; those already stopping are left alone."""
    running = [job for job in snapshot.jobs if job.state in {JobState.ADMITTED, JobState.RUNNING}]
    draining = {host.name for host in snapshot.hosts if host.state is HostState.DRAINING}
    asked = [job for job in running if job.stop_asked]
    moving = [job for job in running if not job.stop_asked and not job.ends_in_time]
    drained = [job for job in moving if any(slot.host in draining for slot in job.slots)]
    return tuple(
        stop_order(job, cause, policy.victim_cost(job, snapshot.taken_at_s))
        for jobs, cause in ((asked, Cause.STOP_ASKED), (drained, Cause.DRAIN))
        for job in jobs
    )


def stop_orphans(snapshot: Snapshot) -> tuple[StopReplica, ...]:
    """Stop replicas of models that are served no longer."""
    served = {model.name for model in snapshot.models}
    return tuple(
        StopReplica(replica.replica_id, replica.model, replica.slot, Cause.ORPHAN)
        for replica in snapshot.replicas
        if replica.model not in served and replica.state is not ReplicaState.STOPPING
    )
