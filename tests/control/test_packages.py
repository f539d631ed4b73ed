"""Packages on the shelf: whole, checked and unpacked before they have their name; whatever a stranger packed."""
# ruff: noqa: S311  # chance that can be repeated, for files and for damage to them

import hashlib
import io
import random
import stat
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.control.service import unpacking
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.unpacking import PackageLimits, unpack
from scheduler.model.errors import ConfigError, HeadroomError, NotFound, Unreachable
from scheduler.package import pack

DEFLATED = zipfile.ZIP_DEFLATED


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(undated(name, method), content)
    return file.getvalue()


def undated(name: str | zipfile.ZipInfo, method: int) -> zipfile.ZipInfo:
    """Return an entry without the time of day: tests are named by digests, and run in several processes."""
    if isinstance(name, zipfile.ZipInfo):
        return name
    made = zipfile.ZipInfo(name)
    made.compress_type, made.external_attr = method, 0o600 << 16
    return made


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


DATA = zipped(("train.py", b"print('hi')"), ("lib/x.py", b"x = 1"))
DIGEST = digest_of(DATA)
CHANCE = random.Random(7).randbytes(4000)


@pytest.fixture
def shelf(tmp_path: Path) -> PackageShelf:
    return PackageShelf(tmp_path / "packages")


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def refusal(shelf: PackageShelf, content: bytes) -> str:
    """Save what must be refused; return the sentence. Nothing may be left of it."""
    with pytest.raises(ConfigError) as caught:
        shelf.save(digest_of(content), [content])
    (fault,) = caught.value.faults
    assert fault.help
    assert left_in(shelf.folder) == left_in(shelf.work) == []
    return fault.message


def test_a_package_is_kept_by_its_digest_and_unpacked(shelf: PackageShelf) -> None:
    path = shelf.save(DIGEST, iter([DATA[:5], DATA[5:]]))
    assert path.read_bytes() == DATA
    assert shelf.path(DIGEST) == path
    folder = shelf.unpacked(DIGEST)
    assert folder == shelf.work_of(DIGEST)
    assert (folder / "lib" / "x.py").read_bytes() == b"x = 1"
    assert left_in(shelf.folder) == [path.name]


def test_saving_a_package_again_reads_nothing(shelf: PackageShelf) -> None:
    def explode() -> Iterator[bytes]:
        raise AssertionError("was read")
        yield b""

    shelf.save(DIGEST, [DATA])
    assert shelf.save(DIGEST, explode()).read_bytes() == DATA


@pytest.mark.parametrize(
    ("digest", "chunks", "words"),
    [
        (DIGEST, [DATA, b"!"], "the package has digest"),
        (DIGEST, [b"x" * 600, b"x" * 600], "larger than 1000 bytes"),
        ("sha256:../../etc/passwd", [DATA], "is not a package digest"),
        (f"{DIGEST}\n", [DATA], "is not a package digest"),
        ("md5:00", [DATA], "is not a package digest"),
    ],
)
def test_what_is_not_the_package_it_says_leaves_nothing_behind(
    tmp_path: Path, digest: str, chunks: list[bytes], words: str
) -> None:
    shelf = PackageShelf(tmp_path / "packages", most_bytes=1000)
    with pytest.raises(ConfigError, match=words):
        shelf.save(digest, chunks)
    assert left_in(shelf.folder) == []


def test_a_package_that_was_never_sent_is_not_found(shelf: PackageShelf) -> None:
    for ask in (shelf.path, shelf.unpacked):
        with pytest.raises(NotFound, match="no package"):
            ask(DIGEST)


def test_what_our_own_client_packs_comes_out_as_it_was(shelf: PackageShelf, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "a" / "b").mkdir(parents=True)
    (here / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (here / "run.sh").chmod(0o755)
    (here / "a" / "b" / "größe 1.csv").write_bytes(CHANCE * 50)
    (here / "a" / "empty").touch()
    package = pack(here)
    with package.file:
        shelf.save(package.digest, package.chunks())
    there = shelf.unpacked(package.digest)
    assert (there / "a" / "b" / "größe 1.csv").read_bytes() == CHANCE * 50
    assert (there / "a" / "empty").read_bytes() == b""
    assert [stat.S_IMODE((there / name).stat().st_mode) for name in ("run.sh", "a/empty")] == [0o700, 0o600]


@pytest.mark.parametrize(
    "content",
    [
        zipped(),
        zipped(("a/", b""), ("a/b.py", b"1"), ("./c.py", b"2")),
        zipped(("inner.zip", DATA)),
        zipped(("a\\b", b"1"), ("C:x", b"2"), ("名前 x", b"3")),
        b"#!/bin/sh\n" + DATA,
        zipped(("zeros", bytes(10 * 2**20))),
    ],
    ids=["nothing", "folders", "a zip", "odd names", "something before it", "zeros, a few"],
)
def test_odd_but_honest_packages_are_taken(shelf: PackageShelf, content: bytes) -> None:
    shelf.save(digest_of(content), [content])
    assert shelf.unpacked(digest_of(content)).is_dir()


def with_flag(flag: int) -> bytes:
    """Set a flag of the first entry, in its own head and in the list."""
    data = bytearray(zipped(("train.py", b"print('hi')")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature) + offset
        data[at : at + 2] = struct.pack("<H", flag)
    return bytes(data)


def with_method(method: int) -> bytes:
    """Say that the first entry is compressed in another way."""
    data = bytearray(zipped(("train.py", b"print('hi')")))
    for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = data.find(signature) + offset
        data[at : at + 2] = struct.pack("<H", method)
    return bytes(data)


def with_broken_content() -> bytes:
    """A zip of which all is right but the compressed bytes."""
    data = bytearray(zipped(("x.py", b"print('hello, world')")))
    at = data.find(b"x.py") + len("x.py")
    data[at : at + 6] = b"\xff" * 6
    return bytes(data)


def over_each_other() -> bytes:
    """A kernel of zeros to which many entries of the list point."""
    data = zipped(("0", bytes(2**20)))
    at = data.find(b"PK\1\2")
    end = data.find(b"PK\5\6")
    one = data[at:end]
    index = b"".join(one[:46] + str(number).encode() for number in range(10)) if one.endswith(b"0") else b""
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 10, 10, len(index), at, 0)
    return data[:at] + index + tail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a zip file"),
        (b"PK\3\4 some files", "is not a zip file"),
        (b"\x1f\x8b\x08 a tar perhaps", "is not a zip file"),
        (DATA[:-30], "is not a zip file"),
        (DATA[len(DATA) // 2 :], "is"),
        (with_broken_content(), 'is damaged at "x.py"'),
        (with_flag(0x1), 'is encrypted: "train.py"'),
        (with_flag(0x41), "is encrypted"),
        (with_method(99), "method 99"),
        (with_method(97), "method 97"),
        (zipped(("a", b"1"), method=zipfile.ZIP_LZMA), "method 14"),
        (zipped(("a", b"1"), method=zipfile.ZIP_BZIP2), "method 12"),
        (zipped(("zeros", bytes(2**25))), "unpacks to more"),
        (zipped(*((f"{n}", bytes(2**21)) for n in range(16))), "unpacks to more"),
        (over_each_other(), "lie over each other"),
        (zipped(("../out.py", b"1")), "not below its own folder"),
        (zipped(("a/../../out.py", b"1")), "not below its own folder"),
        (zipped(("/etc/passwd", b"1")), "not below its own folder"),
        (zipped((entry("link", 0o120777), b"/etc/passwd")), "a link, a device"),
        (zipped((entry("fifo", 0o010644), b"")), "a link, a device"),
        (zipped((entry("disk", 0o060644), b"")), "a link, a device"),
        (zipped((entry("link/", 0o120777), b"/etc")), "a link, a device"),
        (zipped(("a/b", b"1"), ("a//b", b"2")), "two entries for one path"),
        (zipped(("a/b", b"1"), ("a/./b", b"2")), "two entries for one path"),
        (zipped(("a", b"1"), ("a/b", b"2")), "as a file and as a folder"),
        (zipped(("a/b", b"1"), ("a/b/", b"")), "as a file and as a folder"),
        (zipped(("x" * 256, b"1")), "longer or deeper"),
        (zipped(("é" * 128, b"1")), "longer or deeper"),
        (zipped(("/".join(["abcdefghij"] * 120), b"1")), "longer or deeper"),
        (zipped(("a/" * 65 + "b", b"1")), "longer or deeper"),
        (zipped(("a\nb", b"1")), "nobody can see"),
        (zipped(("a\x1b[2Jb", b"1")), "nobody can see"),
        (zipped(("aXb", b"1")).replace(b"aXb", b"a\0b"), "nobody can see"),
    ],
)
def test_a_package_that_cannot_be_trusted_is_refused_with_the_reason(
    shelf: PackageShelf, content: bytes, words: str
) -> None:
    assert words in refusal(shelf, content)


def test_a_refusal_is_one_line_that_a_terminal_can_show(shelf: PackageShelf) -> None:
    said = refusal(shelf, zipped(("\x1b[2J" + "x" * 5000 + "/..", b"1")))
    assert said.isprintable()
    assert len(said) < 300


def test_a_list_of_entries_larger_than_any_package_needs_is_not_even_read(shelf: PackageShelf) -> None:
    data = zipped(("a", b"1"))
    at = data.find(b"PK\5\6")
    lying = data[:at] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**24, 0, 0)
    with patch.object(zipfile, "ZipFile", side_effect=AssertionError("was read")):
        assert "a list of them" in refusal(shelf, lying)


def test_the_files_are_counted_whatever_the_list_says_of_itself(tmp_path: Path) -> None:
    data = bytearray(zipped(*((f"{number}", b"") for number in range(3))))
    at = data.find(b"PK\5\6")
    data[at + 8 : at + 12] = struct.pack("<2H", 1, 1)
    assert "has 3 files; 2 are the most" in refusal(
        PackageShelf(tmp_path / "p", limits=PackageLimits(files=2)), bytes(data)
    )


def test_the_large_kind_of_zip_cannot_hide_how_long_its_list_is(shelf: PackageShelf) -> None:
    data = zipped(("a", b"1"))
    at = data.find(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    assert "more than 4 GiB" in refusal(shelf, data[:at] + locator + data[at:])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, len(DATA)),
)
def test_however_a_package_is_damaged_it_is_taken_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(DATA)
    for at, value in flips:
        data[at] = value
    content = bytes(data[: cut or None])
    folder = tmp_path_factory.mktemp("damaged")
    package = folder / "p.zip"
    package.write_bytes(content)
    with suppress(ConfigError):
        unpack(package, folder / "out")
        assert (folder / "out").is_dir()
    assert all(path.is_relative_to(folder) for path in folder.rglob("*"))
    assert {path.name for path in folder.iterdir()} <= {"p.zip", "out"}


def test_limits_count_what_comes_out_not_what_is_said(tmp_path: Path) -> None:
    content = bytearray(zipped(("zeros", bytes(2**25))))
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.find(signature) + offset
        content[at : at + 4] = struct.pack("<L", 100)
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(ConfigError):
        unpack(tmp_path / "p.zip", tmp_path / "out")
    assert left_in(tmp_path) == ["p.zip"]


def test_a_full_disk_is_not_the_package_s_fault_and_leaves_nothing(shelf: PackageShelf) -> None:
    with (
        patch.object(unpacking, "_extract", side_effect=OSError(28, "No space left on device")),
        pytest.raises(Unreachable, match="No space left on device"),
    ):
        shelf.save(DIGEST, [DATA])
    assert left_in(shelf.folder) == left_in(shelf.work) == []


def test_a_folder_that_was_removed_is_unpacked_again(shelf: PackageShelf) -> None:
    shelf.save(DIGEST, [DATA])
    for file in ("lib/x.py", "train.py"):
        (shelf.unpacked(DIGEST) / file).unlink()
    (shelf.work_of(DIGEST) / "lib").rmdir()
    shelf.work_of(DIGEST).rmdir()
    shelf.save(DIGEST, [])
    assert (shelf.work_of(DIGEST) / "train.py").is_file()


def test_many_who_send_the_same_package_at_once_all_have_it(shelf: PackageShelf) -> None:
    faults: list[HeadroomError] = []

    def send() -> None:
        try:
            shelf.save(DIGEST, [DATA])
        except HeadroomError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert left_in(shelf.work) == sorted([shelf.work_of(DIGEST).name, "lib", "train.py", "x.py"])


@pytest.mark.parametrize(
    ("limits", "is_taken"),
    [
        (PackageLimits(files=2), True),
        (PackageLimits(files=1), False),
        (PackageLimits(unpacked_bytes=16), True),
        (PackageLimits(unpacked_bytes=15), False),
        (PackageLimits(path_bytes=8), True),
        (PackageLimits(path_bytes=7), False),
    ],
)
def test_limits_hold_to_the_last_byte(tmp_path: Path, limits: PackageLimits, is_taken: bool) -> None:  # noqa: FBT001
    shelf = PackageShelf(tmp_path / "packages", limits=limits)
    taken: Callable[[], object] = lambda: shelf.save(DIGEST, [DATA])  # noqa: E731
    if is_taken:
        taken()
    else:
        with pytest.raises(ConfigError):
            taken()
