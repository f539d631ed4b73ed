"""Working directories of jobs, unpacked once where all hosts see them.

Ray could carry them itself, but the hosts of a local cluster share one cache of unpacked directories, and the host
that is first done with one removes it under the others' feet.
"""

import threading
from pathlib import Path

from scheduler.control.service.packages import PackageShelf
from scheduler.model.errors import ActionFailed, HeadroomError


class WorkFolders:
    """`work/<digest>`, unpacked from `packages/<digest>.zip` when the package came.

    Args:
        state_dir: has both.
    """

    def __init__(self, state_dir: Path) -> None:
        self._shelf = PackageShelf(state_dir / "packages")
        self._faults: dict[str, str] = {}
        self._at_work: dict[str, threading.Thread] = {}

    def unpacked(self, digest: str) -> Path:
        """Return the folder with a package's content, at once.

        A folder that somebody removed since the package came is unpacked again in the background, for the next try.

        Args:
            digest: "sha256:" and hexadecimal digits.

        Raises:
            ActionFailed: the folder is not there; why it cannot be had, as soon as that is known.
        """
        try:
            folder = self._shelf.work_of(digest)
        except HeadroomError as error:
            raise ActionFailed(str(error)) from error
        if folder.is_dir():
            return folder
        self._begin(digest)
        why = self._faults.get(digest, "it is being unpacked again from its package")
        raise ActionFailed(f"its working directory {folder} is not there: {why}")

    def _begin(self, digest: str) -> None:
        """Unpack in a thread of its own, unless one is at it."""
        before = self._at_work.get(digest)
        if before is None or not before.is_alive():
            self._at_work[digest] = threading.Thread(target=self._unpack, args=(digest,), name="unpack", daemon=True)
            self._at_work[digest].start()

    def _unpack(self, digest: str) -> None:
        try:
            self._shelf.unpacked(digest)
        except HeadroomError as error:
            self._faults[digest] = str(error)
        else:
            self._faults.pop(digest, None)
