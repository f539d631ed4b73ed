"""Working directories of jobs, unpacked once where all hosts see them.

Ray could carry them itself, but the hosts of a local cluster share one cache of unpacked directories, and the host
that is first done with one removes it under the others' feet.
"""

import shutil
import tempfile
import zipfile
from pathlib import Path

from scheduler.model.errors import ActionFailed


class WorkFolders:
    """`work/<digest>` from `packages/<digest>.zip`.

    Args:
        state_dir: has `packages/`, gets `work/`.
    """

    def __init__(self, state_dir: Path) -> None:
        self._packages, self._work = state_dir / "packages", state_dir / "work"

    def unpacked(self, digest: str) -> Path:
        """Return the folder with a package's content; it appears whole or not at all.

        Args:
            digest: "sha256:" and hexadecimal digits.

        Raises:
            ActionFailed: the package is not there, or cannot be unpacked.
        """
        name = digest.removeprefix("sha256:")
        folder = self._work / name
        if not folder.exists():
            self._unpack(self._packages / f"{name}.zip", folder)
        return folder

    def _unpack(self, package: Path, folder: Path) -> None:
        self._work.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self._work))
        try:
            with zipfile.ZipFile(package) as archive:
                archive.extractall(draft)
            draft.chmod(0o755)
            draft.rename(folder)
        except (OSError, zipfile.BadZipFile) as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.exists():
                raise ActionFailed(f"working directory {package} cannot be unpacked: {error}") from error
