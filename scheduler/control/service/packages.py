"""Working directories that were uploaded: kept by their digest, checked and unpacked before they count as there."""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from scheduler.control.private_files import private_file, private_folder, remove_folder
from scheduler.control.service.unpacking import PackageLimits, unpack
from scheduler.model.errors import ConfigError, NotFound, Unreachable

MOST_BYTES = 256 * 2**20
"""Largest package that is taken."""
AT_ONCE = 2
"""Packages that are unpacked at the same time; others wait."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class PackageShelf:
    """Zip files under `folder`, named by their SHA-256, and what is in them, unpacked under `work` beside it.

    A file or folder under its final name is whole and checked. Jobs run in the unpacked folders.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, limits: PackageLimits | None = None) -> None:
        """Use a folder that is made when the first package comes."""
        self.folder = folder
        self.work = folder.with_name("work")
        self.most_bytes = most_bytes
        self._limits = limits or PackageLimits()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._asked = threading.Lock()

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

    def save(self, digest: str, chunks: Iterable[bytes]) -> Path:
        """Store a package and unpack it; both are on disk when this returns. Saving it again changes nothing.

        Raises:
            ConfigError: the bytes do not have that digest, are too many, or are no package that can be unpacked.
            Unreachable: this machine has no room for it.
        """
        path = self._path(digest)
        self._touch(digest)
        if not path.is_file():
            self._take_in(path, digest, chunks)
        self.unpacked(digest)
        return path

    def wanted(self, digest: str) -> Path:
        """Return the folder with a package's content for a job to come: it counts as if it had just been sent.

        Raises:
            ConfigError: as `unpacked`.
            NotFound: likewise.
            Unreachable: likewise.
        """
        self._touch(digest)
        return self.unpacked(digest)

    def unpacked(self, digest: str) -> Path:
        """Return the folder with a package's content; takes as long as unpacking takes, if that is still to be done.

        Raises:
            ConfigError: the package cannot be unpacked, see `unpack`.
            NotFound: it was never saved, or is gone.
            Unreachable: this machine has no room for it.
        """
        folder = self.work_of(digest)
        if not folder.is_dir():
            self._unpack(self.path(digest), folder)
        return folder

    def work_of(self, digest: str) -> Path:
        """Return where a package is unpacked, or would be.

        Raises:
            ConfigError: as `path`.
        """
        return self.work / self._path(digest).stem

    def old(self, is_old: Callable[[float], bool]) -> tuple[str, ...]:
        """Return the digests of packages that were sent and last asked for at times that are old, in order.

        Args:
            is_old: says it of a file's time, epoch seconds.
        """
        stems = {path.stem for path in (*self.folder.glob("*.zip"), *self.work.glob("[0-9a-f]*"))}
        digests = (f"sha256:{stem}" for stem in sorted(stems))
        return tuple(digest for digest in digests if _DIGEST.fullmatch(digest) and self._is_old(digest, is_old))

    def drop(self, digest: str, is_old: Callable[[float], bool]) -> bool:
        """Remove a package and what it was unpacked to, unless it was wanted since; return whether it was removed.

        Raises:
            OSError: not all of it could be removed; what is left is a draft that is swept later.
        """
        leaving = self.work / f".old-{self._path(digest).stem}"
        with self._asked:
            if not self._is_old(digest, is_old):
                return False
            self._path(digest).unlink(missing_ok=True)
            if leaving.exists():
                remove_folder(leaving)
            with suppress(FileNotFoundError):
                self.work_of(digest).rename(leaving)
        if leaving.exists():
            remove_folder(leaving)
        return True

    def _is_old(self, digest: str, is_old: Callable[[float], bool]) -> bool:
        times = []
        for path in (self._path(digest), self.work_of(digest)):
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        return bool(times) and is_old(max(times))

    def _touch(self, digest: str) -> None:
        """Let a package be young again, as far as it is there."""
        with self._asked:
            for path in (self._path(digest), self.work_of(digest)):
                with suppress(OSError):
                    os.utime(path)

    def _take_in(self, path: Path, digest: str, chunks: Iterable[bytes]) -> None:
        part = path.with_suffix(f".{os.getpid()}-{id(chunks)}.part")
        try:
            private_folder(self.folder)
            self._write(part, digest, chunks)
            self._unpack(part, self.work_of(digest))  # before it has its name: nobody else sees one that is no good
            part.replace(path)
            _sync_folder(self.folder)
        except OSError as error:
            raise _no_room(digest, error) from error
        finally:
            part.unlink(missing_ok=True)

    def _unpack(self, package: Path, folder: Path) -> None:
        with self._turns:
            if folder.is_dir():
                return
            try:
                unpack(package, folder, self._limits)
            except OSError as error:
                raise _no_room(f"sha256:{folder.name}", error) from error

    def _path(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise ConfigError(f'"{digest}" is not a package digest', help='give "sha256:" and 64 hexadecimal digits')
        return self.folder / f"{match[1]}.zip"

    def _write(self, part: Path, digest: str, chunks: Iterable[bytes]) -> None:
        found, size = hashlib.sha256(), 0
        with private_file(part).open("wb") as file:
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


def _no_room(digest: str, error: OSError) -> Unreachable:
    why = error.strerror or type(error).__name__
    return Unreachable(f"package {digest} cannot be stored or unpacked: {why}", help="is the disk of state_dir full?")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
