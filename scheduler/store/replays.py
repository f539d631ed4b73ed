"""What the planner failed on, kept as files: one cycle with what it was given, to be planned again at leisure."""

import traceback
from pathlib import Path
from typing import Final

from scheduler.control.records import CycleRecord
from scheduler.store.codec import write_journal

MOST_KEPT: Final = 20
"""Files; the oldest go."""


class Replays:
    """A folder of what the planner failed on: `N.jsonl.gz` is cycle N, `N.txt` the error beside it."""

    def __init__(self, folder: Path) -> None:
        """Keep files in a folder, which is made when it is needed."""
        self._folder = folder

    def keep(self, asked: CycleRecord, error: BaseException) -> str:
        """Write down a cycle (of whose plan nothing counts) and the error; return the file.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / f"{asked.number}.jsonl.gz"
        said = "".join(traceback.format_exception(error))
        file.with_name(f"{asked.number}.txt").write_text(said, encoding="utf-8", errors="replace")
        write_journal(file, [asked])
        self._tidy()
        return str(file)

    def _tidy(self) -> None:
        kept = sorted(self._folder.glob("*.jsonl.gz"), key=lambda path: (path.stat().st_mtime, path.name))
        for old in kept[: max(0, len(kept) - MOST_KEPT)]:
            old.unlink(missing_ok=True)
            old.with_name(f"{old.name.partition('.')[0]}.txt").unlink(missing_ok=True)
