"""Working directories that were uploaded: kept by their digest, checked before they count as there."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from scheduler.model.errors import ConfigError, NotFound

MOST_BYTES = 256 * 2**20
"""Largest package that is taken."""
_DIGEST = re.compile(r"^sha256:([0-9a-f]{64})$")


class PackageShelf:
    """Zip files under `folder`, named by their SHA-256; a file under its final name is whole and checked."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        """Use a folder that is made when the first package comes."""
        self.folder = folder
        self.most_bytes = most_bytes

    def path(self, digest: str) -> Path:
        """Return the file of a package.

        Raises:
            ConfigError: `digest` is not "sha256:" and 64 hexadecimal digits.
            NotFound: it was never saved.
        """
        path = self._path(digest)
        if not path.is_file():
            raise NotFound(f"no package {digest}", help="upload it first: PUT /api/v1/packages/<digest>")
        return path

    def has(self, digest: str) -> bool:
        """Whether the package is there, whole."""
        return self._path(digest).is_file()

    def save(self, digest: str, chunks: Iterable[bytes]) -> Path:
        """Store a package; it is on disk when this returns. Saving it again changes nothing.

        Raises:
            ConfigError: the bytes do not have that digest, or are too many.
        """
        path = self._path(digest)
        if path.is_file():
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}-{id(chunks)}.part")
        try:
            self._write(part, digest, chunks)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(self.folder)
        return path

    def _path(self, digest: str) -> Path:
        match = _DIGEST.match(digest)
        if match is None:
            raise ConfigError(f'"{digest}" is not a package digest', help='give "sha256:" and 64 hexadecimal digits')
        return self.folder / f"{match[1]}.zip"

    def _write(self, part: Path, digest: str, chunks: Iterable[bytes]) -> None:
        found, size = hashlib.sha256(), 0
        with part.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > self.most_bytes:
                    raise ConfigError(
                        f"the package is larger than {self.most_bytes} bytes", help="leave data and checkpoints out"
                    )
                found.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if f"sha256:{found.hexdigest()}" != digest:
            raise ConfigError(f"the package has digest sha256:{found.hexdigest()}, not {digest}", help="send it again")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
