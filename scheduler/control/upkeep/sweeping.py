"""What writing that was interrupted has left in a state directory: drafts that nobody will finish."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from scheduler.control.private_files import remove_folder

OLD_S: Final = 3600.0
"""Wall seconds after which nobody is still at work on a draft."""
DRAFTS: Final = (
    (".", ".*.part"),
    ("packages", "*.part"),
    ("logs", ".*.part"),
    ("stops", ".*.part"),
    ("secrets", ".*.part"),
    ("work", ".new-*"),
    ("work", ".old-*"),
    ("artifacts", ".new-*"),
    ("artifacts", ".old-*"),
)
"""Folders, and what drafts in them (or what is on its way out) are called."""


def sweep(state_dir: Path, age_s: Callable[[float], float], prove: Callable[[], object]) -> int:
    """Remove old drafts.

    Args:
        state_dir: where to look.
        age_s: wall seconds since a file's time (epoch seconds).
        prove: raises when this process may not act.

    Returns:
        How many were removed.

    Raises:
        OSError: one cannot be removed; the others are.
    """
    faults: list[OSError] = []
    swept = 0
    for path in list(_drafts(state_dir, age_s)):
        prove()
        try:
            remove_folder(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(error)
            continue
        swept += 1
    if faults:
        raise faults[0]
    return swept


def _drafts(state_dir: Path, age_s: Callable[[float], float]) -> Iterator[Path]:
    for folder, pattern in DRAFTS:
        for path in sorted((state_dir / folder).glob(pattern)):
            try:
                changed_s = path.lstat().st_mtime
            except FileNotFoundError:
                continue  # finished meanwhile
            if age_s(changed_s) >= OLD_S:
                yield path
