"""Artifacts: folders that jobs published, kept by the digest of their content; they never change."""

import hashlib
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from scheduler.control.private_files import private_folder, remove_folder
from scheduler.control.service.unpacking import CHUNK_BYTES, UNSEEN, PackageLimits
from scheduler.model.errors import ConfigError, NotFound

LIMITS: Final = PackageLimits(unpacked_bytes=64 * 2**30, files=10_000)
"""What an artifact may take; what concerns packing does not apply."""
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_PLACE: Final = re.compile(r".*/artifacts/([0-9a-f]{64})")
_HELP: Final = "write plain files there: headroom explain job"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What was taken in: its digest ("sha256:…"), all its bytes together, and its files."""

    digest: str
    size_bytes: int
    files: int


class ArtifactShelf:
    """Folders under `folder`, named by the SHA-256 of what is in them. One under its final name is whole."""

    def __init__(self, folder: Path, limits: PackageLimits = LIMITS) -> None:
        """Use a folder that is made when the first artifact comes; replicas are told its absolute path."""
        self.folder = folder.resolve()
        self._limits = limits
        self._asked = threading.Lock()

    def path(self, digest: str) -> Path:
        """Return where an artifact is, or would be.

        Raises:
            ConfigError: `digest` is not "sha256:" and 64 hexadecimal digits.
        """
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise ConfigError(f'"{digest}" is not the digest of an artifact')
        return self.folder / match[1]

    def wanted(self, digest: str) -> Path:
        """Return the folder of an artifact for a revision to come: it counts as if it had just been published.

        Raises:
            NotFound: it was pruned.
        """
        path = self.path(digest)
        with self._asked:
            try:
                os.utime(path)
            except FileNotFoundError:
                raise NotFound(
                    f"the artifact {digest} is gone", help="retention: says for how long they stay"
                ) from None
        return path

    def take_in(self, root: Path, below: str) -> Artifact:
        """Copy a folder of plain files; it is on disk when this returns. The same content again changes nothing.

        Args:
            root: folder that nothing may lead out of.
            below: path of the artifact in it.

        Raises:
            ConfigError: it is not there, has no files, too much, or something else than files and folders.
            OSError: this machine cannot read or write it.
        """
        source = _inside(root, below)
        private_folder(self.folder)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            taken = _Taken(draft, self._limits)
            taken.copy(source)
            made = taken.artifact()
            self._name(draft, self.path(made.digest))
        finally:
            if draft.exists():
                remove_folder(draft)
        return made

    def old(self, is_old: Callable[[float], bool]) -> tuple[str, ...]:
        """Return the digests of artifacts that came and were last wanted at times that are old, in order."""
        names = (f"sha256:{path.name}" for path in sorted(self.folder.glob("[0-9a-f]*")))
        return tuple(name for name in names if _DIGEST.fullmatch(name) and self._is_old(name, is_old))

    def drop(self, digest: str, is_old: Callable[[float], bool]) -> bool:
        """Remove an artifact, unless it was wanted since; return whether it was removed.

        Raises:
            OSError: not all of it could be removed; what is left is swept later.
        """
        leaving = self.folder / f".old-{self.path(digest).name}"
        with self._asked:
            if not self._is_old(digest, is_old):
                return False
            if leaving.exists():
                remove_folder(leaving)
            self.path(digest).rename(leaving)
        remove_folder(leaving)
        return True

    def _is_old(self, digest: str, is_old: Callable[[float], bool]) -> bool:
        try:
            return is_old(self.path(digest).stat().st_mtime)
        except FileNotFoundError:
            return False

    def _name(self, draft: Path, path: Path) -> None:
        with self._asked:
            if path.is_dir():
                os.utime(path)
                return
            draft.rename(path)
            path.chmod(0o500)
            _sync(self.folder)


def digest_in(path: object) -> str:
    """Return the digest of the artifact that an argument of an application names; "" where it names none."""
    match = _PLACE.fullmatch(path) if isinstance(path, str) else None
    return f"sha256:{match[1]}" if match else ""


class _Taken:
    """A folder as it is copied: what it holds so far, within limits."""

    def __init__(self, draft: Path, limits: PackageLimits) -> None:
        self._draft, self._limits = draft, limits
        self._lines: list[str] = []
        self._bytes = self._count = 0

    def copy(self, source: Path) -> None:
        for at, folders, files, handle in os.fwalk(source, onerror=_raised):
            below = Path(at).relative_to(source)
            for name in sorted(folders):
                self._check(below / name, os.stat(name, dir_fd=handle, follow_symlinks=False), stat.S_IFDIR)
            for name in sorted(files):
                self._check(below / name, os.stat(name, dir_fd=handle, follow_symlinks=False), stat.S_IFREG)
                self._copy_file(below / name, name, handle)

    def artifact(self) -> Artifact:
        if not self._lines:
            _refuse("has no files")
        for folder, _, _ in os.walk(self._draft, topdown=False):
            _sync(Path(folder))
            if Path(folder) != self._draft:
                Path(folder).chmod(0o500)
        digest = hashlib.sha256("".join(sorted(self._lines)).encode()).hexdigest()
        return Artifact(f"sha256:{digest}", self._bytes, len(self._lines))

    def _check(self, path: Path, found: os.stat_result, kind: int) -> None:
        self._count += 1
        if self._count > self._limits.files:
            _refuse(f"has more than {self._limits.files} files and folders")
        if stat.S_IFMT(found.st_mode) != kind:
            _refuse(f"has {_shown(path)}, which is a link, a device or something else that is no file or folder")
        if UNSEEN.search(str(path)) or not _is_text(str(path)):
            _refuse(f"has the path {_shown(path)}, with characters that nobody can see or type")
        if len(path.parts) > self._limits.depth or len(str(path).encode()) > self._limits.path_bytes:
            _refuse(f"has the path {_shown(path)}, which is longer or deeper than paths may be")

    def _copy_file(self, path: Path, name: str, folder: int) -> None:
        target, known = self._draft / path, hashlib.sha256()
        os.utime(self._draft)  # whoever sweeps drafts sees that somebody is at work
        private_folder(target.parent)
        size = 0
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(handle, "rb") as source, target.open("xb") as output:
            mode = os.fstat(source.fileno()).st_mode
            for chunk in _chunks(source.read):
                size += len(chunk)
                if self._bytes + size > self._limits.unpacked_bytes:
                    _refuse(f"is larger than {self._limits.unpacked_bytes} bytes")
                known.update(chunk)
                output.write(chunk)
            output.flush()
            os.fsync(output.fileno())
        target.chmod(0o500 if mode & stat.S_IXUSR else 0o400)
        self._bytes += size
        self._lines.append(f"{'x' if mode & stat.S_IXUSR else '-'} {size} {known.hexdigest()} {path.as_posix()}\n")


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(CHUNK_BYTES):
        yield chunk


def _inside(root: Path, below: str) -> Path:
    """Return a folder below another one, to which no link leads."""
    at = root
    for part in Path(below).parts:
        if part in {"..", "/"}:
            _refuse(f'has the path "{below}", which is not below the job\'s own folder')
        at /= part
        found: os.stat_result | None = None
        with suppress(FileNotFoundError, NotADirectoryError):
            found = at.lstat()
        if found is None or not stat.S_ISDIR(found.st_mode):
            _refuse(f'is no folder: the job has left none called "{below}" in HEADROOM_CHECKPOINT_DIR')
    return at


def _raised(error: OSError) -> NoReturn:
    raise error


def _is_text(name: str) -> bool:
    return name.encode(errors="replace").decode() == name


def _shown(path: Path) -> str:
    return ascii(str(path)[:80])


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse(why: str) -> NoReturn:
    raise ConfigError(f"what it published {why}", help=_HELP)
