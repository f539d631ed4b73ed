"""A history of turns that outlasts the journal: busy turns whole, of the quiet ones a sample, never more than so much.

An hour takes at most `BYTES_A_DAY` / 24, so a day takes no more than that and all of it no more than `KEPT_S` of such
days. Where turns are so large or so many that busy ones do not fit, some of them are left out, spread over the day: one
that is larger than an hour's part waits until it would have fitted.
"""

import zlib
from collections import deque
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from scheduler.control.records import CycleRecord
from scheduler.store.codec import encode_cycle
from scheduler.store.tables import cycle_history

BYTES_A_DAY: Final = 16 * 2**20
"""Most that is kept of a day of the world's time, compressed."""
KEPT_S: Final = 14 * 86_400.0
"""For how long turns are kept."""
SAMPLED_EVERY_S: Final = 900.0
"""A turn that did nothing is kept when none was for so long."""
_HOUR_S: Final = 3600.0
_QUIET_SHARE: Final = 0.5
"""Quiet turns leave so much of each hour's room to busy ones."""


class History:
    """Decides which turns are kept, and keeps them; for one process that leads."""

    def __init__(self, bytes_a_day: int = BYTES_A_DAY) -> None:
        """Take no more than so much a day."""
        self._bytes_an_hour = bytes_a_day / 24
        self._kept: deque[tuple[float, int]] | None = None
        self._likely = 0

    def entry(self, cycle: CycleRecord) -> bytes | None:
        """Return a turn as it is to be written, or None where it is not kept."""
        if self._kept is None or not self._is_due(cycle):
            return None
        body = zlib.compress(encode_cycle(cycle))
        self._likely = len(body)
        return body if self._fits(cycle.at_s, self._bytes_an_hour) else None

    def write(self, connection: Connection, cycle: CycleRecord, body: bytes | None) -> None:
        """Drop what is too old, and what a turn of the same number replaces; keep the turn."""
        if self._kept is None:
            self._kept = _kept_in(connection, cycle.at_s)
            self._likely = self._last[1]
        connection.execute(delete(cycle_history).where(cycle_history.c.number >= cycle.number))
        if body is not None:
            connection.execute(delete(cycle_history).where(cycle_history.c.at_s < cycle.at_s - KEPT_S))
            connection.execute(insert(cycle_history).values(number=cycle.number, at_s=cycle.at_s, body=body))

    def written(self, cycle: CycleRecord, body: bytes | None) -> None:
        """Take note that a turn is on disk."""
        if self._kept is not None and body is not None:
            self._kept.append((cycle.at_s, len(body)))

    def _is_due(self, cycle: CycleRecord) -> bool:
        """Whether a turn is worth keeping and likely to fit; asked before it is made into bytes, which takes time."""
        if cycle.plan.actions:
            return self._fits(cycle.at_s, self._bytes_an_hour)
        is_due = abs(cycle.at_s - self._last[0]) >= SAMPLED_EVERY_S  # clocks are set back, too
        return is_due and self._fits(cycle.at_s, self._bytes_an_hour * _QUIET_SHARE)

    def _fits(self, now_s: float, an_hour: float) -> bool:
        """Whether a turn as large as the one before may be kept, where an hour takes so much."""
        if self._likely > an_hour:
            return abs(now_s - self._last[0]) >= _HOUR_S * self._likely / an_hour
        return self._spent(now_s) + self._likely <= an_hour

    @property
    def _last(self) -> tuple[float, int]:
        return self._kept[-1] if self._kept else (float("-inf"), 0)

    def _spent(self, now_s: float) -> int:
        """Return the bytes of the last hour; what is older is forgotten, but for the last turn."""
        kept = self._kept or deque()
        while len(kept) > 1 and kept[0][0] <= now_s - _HOUR_S:
            kept.popleft()
        return sum(size for at_s, size in kept if at_s > now_s - _HOUR_S)


def _kept_in(connection: Connection, now_s: float) -> deque[tuple[float, int]]:
    """Return time and size of the turns of the last hour and of the last before it, oldest first."""
    table = cycle_history.c
    query = select(table.at_s, func.length(table.body)).where(table.at_s <= now_s).order_by(table.number.desc())
    found = deque[tuple[float, int]]()
    for at_s, size in connection.execute(query.limit(int(_HOUR_S))):
        found.appendleft((at_s, size))
        if at_s <= now_s - _HOUR_S:
            break
    return found
