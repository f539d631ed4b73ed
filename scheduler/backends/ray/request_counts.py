"""Counts of requests that outlive the router: in memory, and saved to a file beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scheduler.control.private_files import private_folder, write_private

FIELDS: Final = ("total", "late", "failed")


class Tallies:
    """Total, late and failed requests by model, cumulative over restarts.

    Args:
        file: where they are kept; read at once when it is there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts: dict[str, dict[str, int]] = _read(file)
        self._is_saved = True

    def count(self, model: str, *, late: bool, failed: bool) -> None:
        """Count one request."""
        counts = self._counts.setdefault(model, dict.fromkeys(FIELDS, 0))
        counts["total"] += 1
        counts["late"] += late
        counts["failed"] += failed
        self._is_saved = False

    def as_json(self) -> Mapping[str, Mapping[str, int]]:
        """Return all counts, by model."""
        return self._counts

    def save(self) -> None:
        """Write them down when they changed."""
        if self._is_saved:
            return
        private_folder(self._file.parent)
        write_private(self._file, json.dumps(self._counts).encode())
        self._is_saved = True


def _read(file: Path) -> dict[str, dict[str, int]]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
