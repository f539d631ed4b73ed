"""What ends whatever the room: what its owner wants ended, what is over its time, training on hosts being emptied."""

import numpy as np

from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.snapshot import Snapshot
from scheduler.planning.preemption.victims import stop_order


def end_jobs(snapshot: Snapshot) -> tuple[PreemptJob, ...]:
    """Stop jobs whose owner asked for it, those over their time limit, and then those on draining hosts.

    Whether a job is preemptible does not matter here. Those already stopping are left alone.
    """
    running, table = snapshot.running, snapshot.ledger.table
    asked = running.stop_asked
    over = (running.limit_s <= snapshot.taken_at_s) & ~running.leaving & ~asked
    drained = np.zeros_like(over)
    drained[running.who[table.draining[running.row]]] = True
    drained &= ~(running.leaving | asked | over)
    return tuple(
        stop_order(running.jobs[index], cause, snapshot.taken_at_s)
        for chosen, cause in ((asked, Cause.STOP_ASKED), (over, Cause.TIME_LIMIT), (drained, Cause.DRAIN))
        for index in np.flatnonzero(chosen).tolist()
        if cause is not Cause.DRAIN or not running.jobs[index].ends_in_time
    )
