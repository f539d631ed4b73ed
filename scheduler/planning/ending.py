"""What ends whatever the room: work its owner wants ended, and training on hosts that are being emptied."""

import numpy as np

from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.snapshot import Snapshot
from scheduler.planning.preemption import stop_order


def end_jobs(snapshot: Snapshot) -> tuple[PreemptJob, ...]:
    """Stop jobs whose owner asked for it, and then jobs on draining hosts; those already stopping are left alone."""
    running, table = snapshot.running, snapshot.ledger.table
    asked = np.flatnonzero(running.stop_asked)
    here = np.unique(running.who[table.draining[running.row]])
    drained = here[~running.leaving[here] & ~running.stop_asked[here]]
    if not len(asked) and not len(drained):
        return ()
    return tuple(
        stop_order(running.jobs[index], cause, snapshot.taken_at_s)
        for indices, cause in ((asked, Cause.STOP_ASKED), (drained, Cause.DRAIN))
        for index in indices
        if cause is Cause.STOP_ASKED or not running.jobs[index].ends_in_time
    )
