"""A packed working directory: the same content gives the same bytes, and only what belongs goes along."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.model.errors import ConfigError
from scheduler.package import Package, pack


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(package.file) as archive:
        return archive.namelist()


def fill(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_the_digest_depends_on_content_names_and_the_executable_bit_alone(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", "b.py", "a/c.py"), fill(tmp_path / "two", "a/c.py", "b.py")
    os.utime(one / "b.py", (1, 1))
    (two / "b.py").chmod(0o600)
    before = digest(two)
    assert digest(one) == before
    (two / "b.py").chmod(0o755)
    executable = digest(two)
    (two / "b.py").write_text("other", encoding="utf-8")
    assert len({before, executable, digest(two)}) == 3


def digest(folder: Path) -> str:
    package = pack(folder)
    with package.file:
        return package.digest


def test_the_chunks_are_the_zip_that_the_digest_names(tmp_path: Path) -> None:
    package = pack(fill(tmp_path, "train.py", "lib/x.py"))
    with package.file:
        data = b"".join(package.chunks())
        assert len(data) == package.size_bytes
        assert data == b"".join(package.chunks())
        assert names(package) == ["lib/x.py", "train.py"]


def test_tools_own_folders_stay_at_home(tmp_path: Path) -> None:
    fill(tmp_path, "train.py", ".git/config", ".venv/bin/python", "a/__pycache__/x.pyc", "node_modules/x", ".env")
    package = pack(tmp_path)
    with package.file:
        assert names(package) == [".env", "train.py"]


def test_an_ignore_file_is_read_as_git_reads_its_own(tmp_path: Path) -> None:
    fill(tmp_path, "train.py", "data/big.bin", "runs/1/log", "keep/data/small.bin", "x.ckpt", "y.ckpt")
    (tmp_path / ".headroomignore").write_text("/data/\nruns/\n*.ckpt\n!y.ckpt\n# a remark\n", encoding="utf-8")
    package = pack(tmp_path)
    with package.file:
        assert names(package) == ["keep/data/small.bin", "train.py", "y.ckpt"]


def test_a_file_behind_a_link_goes_along_as_a_file(tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside", "shared.py")
    inside = fill(tmp_path / "inside", "train.py")
    (inside / "shared.py").symlink_to(outside / "shared.py")
    package = pack(inside)
    with package.file, zipfile.ZipFile(package.file) as archive:
        assert archive.read("shared.py") == b"shared.py"


@pytest.mark.parametrize(("name", "make"), [("pipe", os.mkfifo), (os.fsdecode(b"not-text-\xff"), Path.touch)])
def test_what_cannot_be_sent_is_named_and_not_waited_for(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)
    with pytest.raises(ConfigError, match="is no file whose name and content can be sent"):
        pack(tmp_path)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError) as caught:
        pack(tmp_path)
    assert str(caught.value) == f"working_dir: {tmp_path / 'gone'} cannot be read: No such file or directory"
    assert caught.value.faults[0].help == "remove it, or list it in .headroomignore"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        pack(tmp_path / "nowhere")
    assert str(caught.value) == f"working_dir: there is no directory {tmp_path / 'nowhere'}"


def test_too_much_is_refused_with_the_largest_files(tmp_path: Path) -> None:
    fill(tmp_path, "train.py")
    (tmp_path / "model.bin").write_bytes(os.urandom(3 * 2**20))
    with pytest.raises(ConfigError) as caught:
        pack(tmp_path, most_bytes=2**20)
    assert str(caught.value).startswith(
        f"working_dir: {tmp_path} packs to more than 1 MiB; largest: model.bin (3 MiB), train.py (0 MiB)"
    )
    assert caught.value.faults[0].help == "list data in .headroomignore"
