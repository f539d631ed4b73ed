"""Files and folders that only their owner may read, whatever the umask of whoever started us says."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FILE: Final = 0o600
FOLDER: Final = 0o700
PARTS: Final = ("packages", "logs", "stops", "secrets", "work", "checkpoints", "artifacts")
"""Folders of a state directory. What is in the last three is made by jobs and has modes of its own: the folders
themselves keep others out."""
_DEEP: Final = PARTS[:4]


def private_folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing, for its owner only; close one that is there already."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=FOLDER, exist_ok=True)
    close(path)
    return path


def private_file(path: Path) -> Path:
    """Make an empty file for its owner only; close one that is there already, and leave what is in it."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, FILE))
    close(path)
    return path


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, also where somebody has taken the right to write from himself.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except PermissionError:
        path.chmod(FOLDER)
        for folder, names, _ in os.walk(path):
            for below in (Path(folder, name) for name in names):
                if not below.is_symlink():
                    below.chmod(FOLDER)
        shutil.rmtree(path)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole; nobody else can read it at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def close(path: Path) -> None:
    """Let only its owner read a file or folder; one that is shared by intent (as /tmp) or not ours stays as it is."""
    found = path.lstat()
    is_folder = path.is_dir()
    if path.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o1000:
        return
    wanted = (FOLDER if is_folder else FILE) | (found.st_mode & 0o100)
    if found.st_mode & 0o7777 != wanted:
        path.chmod(wanted)


def close_state(state_dir: Path) -> None:
    """Make a state directory, and let only its owner read it and what earlier versions left open in it."""
    private_folder(state_dir)
    for path in _known(state_dir):
        close(path)


def _known(state_dir: Path) -> Iterable[Path]:
    yield from (path for path in state_dir.iterdir() if path.is_file() and not path.is_symlink())
    yield from (state_dir / name for name in PARTS if (state_dir / name).is_dir())
    for name in _DEEP:
        yield from (path for path in (state_dir / name).rglob("*") if not path.is_symlink())
