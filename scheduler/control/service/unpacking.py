"""Unpacks what strangers packed: one zip into one folder, whole or not at all, within limits known beforehand."""

import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from scheduler.control.private_files import private_folder
from scheduler.model.errors import ConfigError

CHUNK_BYTES: Final = 2**20
LARGEST_COMMENT: Final = 2**16 - 1
END_BYTES: Final = 22
LOCATOR_BYTES: Final = 20
LOCAL_HEADER_BYTES: Final = 30
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Others may ask for any amount of memory."""
ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
"""Flags of an entry: encrypted by one way or another."""
UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Characters that no name of a file needs."""
PACK_IT: Final = "headroom submit packs a directory by itself; data and checkpoints are better left out"


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What a package may take.

    Attributes:
        unpacked_bytes: all its files together.
        files: files and folders.
        ratio: unpacked bytes to packed ones, once there are more than `free_bytes`.
        free_bytes: what any package may unpack to.
        path_bytes: of a path below the folder, as UTF-8.
        name_bytes: of one part of a path.
        depth: folders within folders.
        index_bytes: of the list of entries, which is read at once.
    """

    unpacked_bytes: int = 2 * 2**30
    files: int = 50_000
    ratio: int = 100
    free_bytes: int = 16 * 2**20
    path_bytes: int = 1024
    name_bytes: int = 255
    depth: int = 64
    index_bytes: int = 8 * 2**20


def unpack(package: Path, folder: Path, limits: PackageLimits | None = None) -> None:
    """Unpack a zip file; `folder` appears with all that is in it, or not at all. One that is there already stays.

    Entries may be plain files and folders only, each path once and below the folder. Which of them may be executed is
    kept; owners, times and all else are not.

    Args:
        package: the zip.
        folder: to be made; its parent is made as well.
        limits: see `PackageLimits`.

    Raises:
        ConfigError: it is no zip, is damaged or encrypted, holds what it may not, or more than it may.
        OSError: this machine cannot read or write it.
    """
    private_folder(folder.parent)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        with package.open("rb") as file:
            _unpack(file, draft, limits or PackageLimits())
        draft.chmod(0o700)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # else somebody else was first with the same content
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(file: IO[bytes], draft: Path, limits: PackageLimits) -> None:
    _check_index(file, limits)
    with _opened(file) as archive:
        entries = archive.infolist()
        paths = _paths(entries, limits)
        _check_extents(entries)
        left = _allowance(file, limits)
        for entry, path in zip(entries, paths, strict=True):
            left -= _extract(archive, entry, draft / path, left)


def _check_index(file: IO[bytes], limits: PackageLimits) -> None:
    """Look at the end of a zip before all of its list of entries is read into memory."""
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - LARGEST_COMMENT - END_BYTES - LOCATOR_BYTES)
    file.seek(begin)
    tail = file.read()
    at = len(tail) - END_BYTES
    if at < 0 or not (tail[at:].startswith(b"PK\5\6") and tail.endswith(b"\0\0")):
        at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END_BYTES:
        _refuse("is not a zip file, or not a whole one")
    if at >= LOCATOR_BYTES and tail[at - LOCATOR_BYTES : at].startswith(b"PK\6\7"):
        _refuse("is a zip file of the kind for more than 4 GiB")
    entries, index_bytes = struct.unpack_from("<HL", tail, at + 10)
    if entries > limits.files or index_bytes > limits.index_bytes:
        _refuse(f"has more than {limits.files} files, or a list of them that is larger than any package needs")


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # noqa: BLE001  # a stranger's bytes: zipfile raises seven kinds and names three
        _refuse(f"is not a zip file that can be read: {error}", error)


def _paths(entries: Sequence[zipfile.ZipInfo], limits: PackageLimits) -> tuple[Path, ...]:
    """Return where each entry goes, relative to the folder; every one is checked before any is written."""
    if len(entries) > limits.files:
        _refuse(f"has {len(entries)} files; {limits.files} are the most")
    paths = tuple(_path(entry, limits) for entry in entries)
    files = {path for path, entry in zip(paths, entries, strict=True) if not _is_folder(entry)}
    folders = [path for path, entry in zip(paths, entries, strict=True) if _is_folder(entry)]
    if len(files) + len(folders) < len(paths):
        _refuse("has two entries for one path")
    for path in (*folders, *(path.parent for path in files)):
        taken = next((each for each in (path, *path.parents) if each in files), None)
        if taken is not None:
            _refuse(f"has {_shown(str(taken))} as a file and as a folder")
    return paths


def _path(entry: zipfile.ZipInfo, limits: PackageLimits) -> Path:
    name, shown = entry.orig_filename, _shown(entry.orig_filename)
    parts = [part for part in name.split("/") if part not in {"", "."}]
    _check_kind(entry, shown)
    if name.startswith("/") or ".." in parts or not (parts or _is_folder(entry)):
        _refuse(f"has the path {shown}, which is not below its own folder")
    if UNSEEN.search(name):
        _refuse(f"has the path {shown}, with characters that nobody can see or type")
    sizes = [len(part.encode()) for part in parts]
    if len(parts) > limits.depth or max(sizes, default=0) > limits.name_bytes or sum(sizes) > limits.path_bytes:
        _refuse(f"has the path {shown}, which is longer or deeper than paths may be")
    return Path(*parts)


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.orig_filename.endswith("/")


def _check_kind(entry: zipfile.ZipInfo, shown: str) -> None:
    if entry.flag_bits & ENCRYPTED:
        _refuse(f"is encrypted: {shown}")
    if entry.compress_type not in METHODS:
        _refuse(f"is compressed in a way that is not read here (method {entry.compress_type}): {shown}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFDIR if _is_folder(entry) else stat.S_IFREG}:
        _refuse(f"has {shown}, which is a link, a device or something else that is neither a file nor a folder")


def _check_extents(entries: Sequence[zipfile.ZipInfo]) -> None:
    """See that no two entries share bytes: that is how a small file unpacks to petabytes."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            _refuse("has entries that lie over each other")
        end = entry.header_offset + LOCAL_HEADER_BYTES + entry.compress_size


def _allowance(file: IO[bytes], limits: PackageLimits) -> int:
    """Return how many bytes a package may unpack to."""
    return min(limits.unpacked_bytes, max(limits.free_bytes, limits.ratio * file.seek(0, os.SEEK_END)))


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most_bytes: int) -> int:
    """Write one entry and return its size."""
    if _is_folder(entry):
        private_folder(target)
        return 0
    private_folder(target.parent)
    written = 0
    with target.open("xb") as output:
        for chunk in _content(archive, entry):
            written += len(chunk)
            if written > most_bytes:
                _refuse("unpacks to more than a package of its size may")
            output.write(chunk)
    target.chmod(0o700 if entry.external_attr >> 16 & stat.S_IXUSR else 0o600)
    return written


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of an entry; what cannot be read is the package's fault, what cannot be written is not."""
    try:
        with archive.open(entry) as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk
    except Exception as error:  # noqa: BLE001  # zlib.error, EOFError, struct.error, …: a stranger's bytes
        _refuse(f"is damaged at {_shown(entry.orig_filename)}: {error}", error)


def _shown(name: str) -> str:
    short = name if len(name) <= 80 else f"{name[:80]}…"  # noqa: PLR2004  # a line of a terminal
    return ascii(short) if not short.isprintable() else f'"{short}"'


def _refuse(why: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigError(f"the package {why}", help=PACK_IT) from cause
