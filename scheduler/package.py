"""Packs a working directory into one zip, byte for byte the same each time, so that its digest names its content."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final

from scheduler.model.errors import ConfigError

MOST_BYTES: Final = 256 * 2**20
"""Largest package the control plane takes."""
IGNORE_FILE: Final = ".headroomignore"
"""Patterns of what stays at home, in the syntax of .gitignore."""
ALWAYS_IGNORED: Final = frozenset({".git", ".venv", "venv", "__pycache__", "node_modules", ".headroom", IGNORE_FILE})
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Package:
    """A packed directory.

    Attributes:
        digest: "sha256:" and 64 hexadecimal digits.
        size_bytes: of the zip.
        file: the zip, open for reading; closed and deleted together with it.
    """

    digest: str
    size_bytes: int
    file: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip from its beginning."""
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            yield chunk


def pack(directory: Path, most_bytes: int = MOST_BYTES) -> Package:
    """Zip everything in a directory but what is ignored; only content, names and the executable bit count.

    Raises:
        ConfigError: no such directory, a broken link, or more than `most_bytes` when packed.
    """
    if not directory.is_dir():
        raise ConfigError(f"working_dir: there is no directory {directory}", help="check the path")
    paths = sorted(_kept(directory), key=lambda path: path.relative_to(directory).as_posix())
    with ExitStack() as stack:
        file = stack.enter_context(TemporaryFile())
        _write(file, directory, paths, most_bytes)
        size = file.tell()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        stack.pop_all()  # from here on the caller closes it
    return Package(f"sha256:{digest}", size, file)


def _write(file: BinaryIO, directory: Path, paths: Sequence[Path], most_bytes: int) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            _add(archive, path, path.relative_to(directory).as_posix())
            if file.tell() > most_bytes:
                raise ConfigError(_too_large(directory, paths, most_bytes), help=f"list data in {IGNORE_FILE}")


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    if (path.exists() and not path.is_file()) or not _is_text(name):
        help_ = f"remove or rename it, or list it in {IGNORE_FILE}"
        raise ConfigError(f"working_dir: {name!a} is no file whose name and content can be sent", help=help_)
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, whatever this machine is: it is part of the bytes
    try:
        executable = os.access(path, os.X_OK)
        entry.external_attr = (0o100755 if executable else 0o100644) << 16
        with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
    except OSError as error:
        help_ = f"remove it, or list it in {IGNORE_FILE}"
        raise ConfigError(f"working_dir: {path} cannot be read: {error.strerror}", help=help_) from error


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8; names on disk may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept(directory: Path) -> Iterator[Path]:
    ignored = _ignore_rule(directory)
    for folder, folders, files in os.walk(directory):
        here = Path(folder)
        folders[:] = [name for name in folders if not ignored((here / name).relative_to(directory), is_folder=True)]
        yield from (here / name for name in files if not ignored((here / name).relative_to(directory)))


def _ignore_rule(directory: Path) -> Callable[..., bool]:
    patterns = directory / IGNORE_FILE
    spec = _spec(patterns.read_text(encoding="utf-8").splitlines()) if patterns.is_file() else None

    def ignored(path: Path, *, is_folder: bool = False) -> bool:
        if path.name in ALWAYS_IGNORED:
            return True
        return spec is not None and spec(path.as_posix() + "/" * is_folder)

    return ignored


def _spec(lines: Iterable[str]) -> Callable[[str], bool]:
    import pathspec  # noqa: PLC0415  # only directories with an ignore file pay for it

    return pathspec.GitIgnoreSpec.from_lines(lines).match_file


def _too_large(directory: Path, paths: Sequence[Path], most_bytes: int) -> str:
    largest = sorted(paths, key=lambda path: -path.stat().st_size)[:3]
    named = ", ".join(f"{path.relative_to(directory)} ({path.stat().st_size / 2**20:.0f} MiB)" for path in largest)
    return f"working_dir: {directory} packs to more than {most_bytes // 2**20} MiB; largest: {named}"
