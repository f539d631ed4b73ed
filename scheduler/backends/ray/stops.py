"""Orders to stop a run, on disk: they must be enforced also by the control plane that comes after a crash."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scheduler.control.private_files import private_folder, write_private


@dataclass(frozen=True, slots=True)
class StopOrder:
    """A run is to stop.

    Attributes:
        deadline_s: wall time (epoch seconds) after which its placement group is removed, with all that runs in it.
        lost: nobody asked for it: a host was lost under it.
        never_started: nobody asked for it: its driver did not come up in time.
        forgotten: its end is stored already; it is to be listed no more.
    """

    deadline_s: float
    lost: bool = False
    never_started: bool = False
    forgotten: bool = False


class StopOrders:
    """One small file an order.

    Args:
        folder: made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def give(self, name: str, order: StopOrder) -> None:
        """Write an order down; an earlier deadline that stands already stays."""
        before = self.of(name)
        if before and before.deadline_s <= order.deadline_s:
            return
        private_folder(self._folder)
        write_private(self._folder / f"{name}.json", json.dumps(asdict(order)).encode())

    def of(self, name: str) -> StopOrder | None:
        """Return the order for a run, or None."""
        file = self._folder / f"{name}.json"
        return StopOrder(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None

    def drop(self, name: str) -> None:
        """Forget an order."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)
