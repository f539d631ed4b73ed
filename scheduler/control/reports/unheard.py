"""Traffic sources that have not been heard yet, in one sentence."""

from dataclasses import dataclass
from typing import Final

from scheduler.model.counting import plural

MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Unheard:
    """Traffic sources that have not been heard since the process began; plans are made without them meanwhile.

    Attributes:
        sources: their names.
        total: how many sources there are.
        servers: that they are read from, as far as they are known.
    """

    sources: tuple[str, ...] = ()
    total: int = 0
    servers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a sentence; "" when nothing is waited for."""
        if not self.sources:
            return ""
        where = f", from {_few(self.servers)}" if self.servers else ""
        names = f": {', '.join(self.sources)}" if len(self.sources) <= MOST_NAMED else ""
        return f"waits for traffic of {len(self.sources)} of {plural(self.total, 'source')}{where}{names}"


def _few(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return f"{', '.join(names[:MOST_NAMED])} and {more} more" if more > 0 else ", ".join(names)
