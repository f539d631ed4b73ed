"""What owners used lately, kept up to date turn by turn; after a restart it follows from the records of attempts.

A mean over the past with weights that halve every half-life: over a step of d seconds in which amounts a are held, a
mean m becomes m * k + a * (1 - k) with k = 2 ** (-d / half-life). Attempts add to it in closed form: one that held a
from t0 to t1 adds a * (2 ** (-(now - t1) / half-life) - 2 ** (-(now - t0) / half-life)).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Self

import numpy as np

from scheduler.control.records import AttemptRecord, JobRecord
from scheduler.model.host_table import HostTable
from scheduler.model.hosts import Host
from scheduler.model.queues import MeanUse
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.snapshot import Snapshot

METERED_JOBS: Final = 100_000
"""Jobs read from the store when a loop begins, the newest."""
NEGLIGIBLE: Final = 1e-3
"""Mean amounts below this, in thousandths of devices and cores and MiB, are forgotten."""
Account = tuple[str, str]
"""Queue and owner."""
Three = tuple[float, float, float]
"""CPU, memory and devices, as in `MeanUse`."""
NONE: Final[Three] = (0.0, 0.0, 0.0)


class Meter:
    """The use of every queue and owner, for a loop that shows it each snapshot."""

    def __init__(
        self, half_life_s: float, now_s: float, past: Iterable[JobRecord] = (), hosts: Sequence[Host] = ()
    ) -> None:
        """Begin with what attempts of the past used up to now; `hosts` say which of their devices were partitions."""
        self._half_life_s, self._at_s = half_life_s, now_s
        past_means = _from_records(past, HostTable(hosts), now_s, half_life_s)
        self._accounts = list(past_means)
        self._means = np.array(list(past_means.values()), dtype=np.float64).reshape(-1, 3)
        self._held = np.zeros_like(self._means)
        self._order = _sorted(self._accounts)

    @classmethod
    def going_on(cls, half_life_s: float, now_s: float, usage: Iterable[MeanUse]) -> Self:
        """Return one that has metered this use up to now."""
        meter, known = cls(half_life_s, now_s), {(one.queue, one.owner): one for one in usage}
        meter._accounts = list(known)
        means = [(one.cpu_milli, one.memory_mib, one.gpu_milli) for one in known.values()]
        meter._means = np.array(means, dtype=np.float64).reshape(-1, 3)
        meter._held, meter._order = np.zeros_like(meter._means), _sorted(meter._accounts)
        return meter

    def usage(self, now_s: float) -> tuple[MeanUse, ...]:
        """Return the means now, by queue and owner; what was held is what the last snapshot showed."""
        kept = _weight(now_s - self._at_s, self._half_life_s)
        self._means, self._at_s = self._means * kept + self._held * (1.0 - kept), now_s
        self._means[self._means.max(axis=1, initial=0.0) <= NEGLIGIBLE] = 0.0
        means = self._means.tolist()
        return tuple(MeanUse(*account, *means[row]) for account, row in self._order if any(means[row]))

    def see(self, snapshot: Snapshot) -> None:
        """Take over what is held from now on."""
        running, rows = snapshot.running, {account: row for row, account in enumerate(self._accounts)}
        new = [account for account in running.accounts if account not in rows]
        if new:
            self._accounts += new
            self._order = _sorted(self._accounts)
            self._means = np.concatenate([self._means, np.zeros((len(new), 3))])
            rows = {account: row for row, account in enumerate(self._accounts)}
        self._held = np.zeros_like(self._means)
        self._held[[rows[account] for account in running.accounts]] = running.summed_by_account(running.held)


def _sorted(accounts: Sequence[Account]) -> list[tuple[Account, int]]:
    """Return accounts in order, each with its row."""
    return sorted(zip(accounts, range(len(accounts)), strict=True))


def _weight(age_s: float, half_life_s: float) -> float:
    return float(2.0 ** (-max(0.0, age_s) / half_life_s))


def _from_records(
    records: Iterable[JobRecord], hosts: HostTable, now_s: float, half_life_s: float
) -> dict[Account, Three]:
    sums: dict[Account, Three] = defaultdict(lambda: NONE)
    for record in records:
        shape, account = record.spec.gang.shape, (record.spec.queue, record.spec.owner)
        for attempt in record.attempts:
            share, before = _counted(attempt, now_s, half_life_s), sums[account]
            gpu_milli = sum(hosts.gpus_at(slot, shape) for slot in attempt.slots) * WHOLE_DEVICE_MILLI
            sums[account] = (
                before[0] + share * len(attempt.slots) * shape.cpu_milli,
                before[1] + share * len(attempt.slots) * shape.memory_mib,
                before[2] + share * gpu_milli,
            )
    return dict(sums)


def _counted(attempt: AttemptRecord, now_s: float, half_life_s: float) -> float:
    """Return the weight of the time in which an attempt held room."""
    if attempt.started_at_s is None:
        return 0.0
    ended_s = now_s if attempt.ended_at_s is None else attempt.ended_at_s
    began, ended = (_weight(now_s - at_s, half_life_s) for at_s in (attempt.started_at_s, ended_s))
    return max(0.0, ended - began)
