"""Artifacts: what is taken in is what was there, under a name that follows from it; what leads elsewhere is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.control.service.artifacts import ArtifactShelf, digest_in
from scheduler.control.service.unpacking import PackageLimits
from scheduler.model.errors import ConfigError, NotFound

NAMES = st.text("abc.-é", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
TREES = st.dictionaries(st.tuples(NAMES), st.binary(max_size=20), min_size=1, max_size=4)
DEEP_TREES = st.tuples(TREES, st.sampled_from([("x",), ("x", "y")]), TREES).map(
    lambda parts: parts[0] | {(*parts[1], *path): content for path, content in parts[2].items()}
)


@pytest.fixture
def shelf(tmp_path: Path) -> ArtifactShelf:
    return ArtifactShelf(tmp_path / "artifacts")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job, with an artifact of two files."""
    write(tmp_path / "job" / "model", {("weights",): b"v1", ("deep", "run.sh"): b"#!"})
    (tmp_path / "job" / "model" / "deep" / "run.sh").chmod(0o755)
    return tmp_path / "job"


def write(folder: Path, tree: dict[tuple[str, ...], bytes]) -> None:
    for path, content in tree.items():
        target = folder.joinpath(*path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def read(folder: Path) -> dict[tuple[str, ...], bytes]:
    return {path.relative_to(folder).parts: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left(shelf: ArtifactShelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir())


def test_what_is_taken_in_is_what_was_there_and_nobody_changes_it(shelf: ArtifactShelf, job: Path) -> None:
    made = shelf.take_in(job, "model")
    path = shelf.wanted(made.digest)
    assert read(path) == read(job / "model")
    assert (made.files, made.size_bytes, left(shelf)) == (2, 4, [path.name])
    modes = {one.name: one.stat().st_mode & 0o777 for one in (path, *path.rglob("*"))}
    assert modes == {path.name: 0o500, "deep": 0o500, "run.sh": 0o500, "weights": 0o400}
    (job / "model" / "weights").write_bytes(b"v2")
    assert (path / "weights").read_bytes() == b"v1"
    assert digest_in(str(path)) == made.digest


@given(tree=DEEP_TREES, other=DEEP_TREES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_content_has_the_same_name_and_other_content_another(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[str, ...], bytes], other: dict[tuple[str, ...], bytes]
) -> None:
    base = tmp_path_factory.mktemp("tree")
    shelf = ArtifactShelf(base / "artifacts")
    for name, content in (("a", tree), ("b", dict(reversed(tree.items()))), ("c", other)):
        write(base / "job" / name, content)
    one, again, third = (shelf.take_in(base / "job", name) for name in "abc")
    assert one == again
    assert (one.digest == third.digest) == (tree == other)
    assert read(shelf.path(one.digest)) == tree
    assert len(left(shelf)) == len({one.digest, third.digest})


def test_whether_a_file_runs_counts_and_when_it_was_written_does_not(shelf: ArtifactShelf, job: Path) -> None:
    before = shelf.take_in(job, "model").digest
    os.utime(job / "model" / "weights", (5.0, 5.0))
    assert shelf.take_in(job, "model").digest == before
    (job / "model" / "weights").chmod(0o755)
    assert shelf.take_in(job, "model").digest != before


def linked(job: Path) -> None:
    (job / "model" / "secret").symlink_to("/etc/passwd")


def linked_folder(job: Path) -> None:
    (job / "model" / "out").symlink_to(job.parent, target_is_directory=True)


def broken_link(job: Path) -> None:
    (job / "model" / "gone").symlink_to("nowhere")


def linked_itself(job: Path) -> None:
    (job / "model").rename(job / "real")
    (job / "model").symlink_to("real", target_is_directory=True)


def a_pipe(job: Path) -> None:
    os.mkfifo(job / "model" / "pipe")


def unseen(job: Path) -> None:
    (job / "model" / "a\nb").write_text("x")


def not_text(job: Path) -> None:
    Path(os.fsdecode(os.fsencode(job / "model") + b"/\xff")).write_text("x")


def a_file(job: Path) -> None:
    (job / "model").rename(job / "real")
    (job / "model").write_text("x")


def nothing(job: Path) -> None:
    (job / "model").rename(job / "elsewhere")


def empty(job: Path) -> None:
    nothing(job)
    (job / "model" / "deep").mkdir(parents=True)


def too_many(job: Path) -> None:
    for number in range(9):
        (job / "model" / str(number)).write_text("")


def too_large(job: Path) -> None:
    (job / "model" / "large").write_bytes(b"x" * 100)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (linked, "which is a link"),
        (linked_folder, "which is a link"),
        (broken_link, "which is a link"),
        (linked_itself, "is no folder"),
        (a_pipe, "which is a link, a device"),
        (unseen, "nobody can see"),
        (not_text, "nobody can see"),
        (a_file, "is no folder"),
        (nothing, "left none called"),
        (empty, "no files"),
        (too_many, "more than 8 files"),
        (too_large, "larger than 100 bytes"),
    ],
)
def test_what_is_no_artifact_is_refused_and_leaves_nothing(
    tmp_path: Path, job: Path, spoil: Callable[[Path], None], why: str
) -> None:
    shelf = ArtifactShelf(tmp_path / "artifacts", PackageLimits(unpacked_bytes=100, files=8))
    shelf.take_in(job, "model")
    spoil(job)
    with pytest.raises(ConfigError, match=why):
        shelf.take_in(job, "model")
    assert len(left(shelf)) == 1


def test_no_path_leads_out_of_the_jobs_folder(shelf: ArtifactShelf, job: Path) -> None:
    for path in ("../job/model", "model/../../job", str(job / "model")):
        with pytest.raises(ConfigError, match="not below"):
            shelf.take_in(job, path)


def test_what_is_wanted_is_young_again_and_is_not_dropped(shelf: ArtifactShelf, job: Path) -> None:
    digest = shelf.take_in(job, "model").digest
    os.utime(shelf.path(digest), (5.0, 5.0))

    def is_old(changed_s: float) -> bool:
        return changed_s < 10.0

    assert shelf.old(is_old) == (digest,)
    shelf.wanted(digest)
    assert not shelf.drop(digest, is_old), "somebody wanted it since"
    os.utime(shelf.path(digest), (5.0, 5.0))
    assert shelf.drop(digest, is_old)
    assert left(shelf) == []
    assert not shelf.drop(digest, is_old)
    with pytest.raises(NotFound, match="is gone"):
        shelf.wanted(digest)
    with pytest.raises(ConfigError, match="not the digest"):
        shelf.path("sha256:../etc")
