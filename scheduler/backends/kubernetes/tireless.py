"""Work in a thread that no error ends: it says what failed, and goes on with the next look."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scheduler.control.isolation.bulkheads import reason_of
from scheduler.model.errors import HeadroomError

TOLD_FOR_S: Final = 60.0
"""Wall seconds for which a failure is told: who looks now and then has to see it."""


@dataclass(slots=True)
class Tireless:
    """Does the same work again and again, whatever comes of it.

    Attributes:
        name: of the work, for people.
        now_s: a clock for durations, seconds.
    """

    name: str
    now_s: Callable[[], float] = time.monotonic
    _failed_s: float = -TOLD_FOR_S
    _failure: str = ""

    @property
    def fault(self) -> str:
        """What failed of it lately, in one sentence; "" for nothing."""
        return self._failure if self.now_s() - self._failed_s < TOLD_FOR_S else ""

    def do(self, work: Callable[[], None]) -> None:
        """Do it once; the loop itself says of a cluster that does not answer."""
        try:
            work()
        except HeadroomError:
            return
        except Exception as error:  # noqa: BLE001  # a thread that ends would look like one with nothing to do
            self._failure = f"{self.name} failed and is tried again: {reason_of(error)}"
            self._failed_s = self.now_s()
