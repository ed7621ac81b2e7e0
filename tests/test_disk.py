"""Files appear whole or not at all, and what the disk refuses is told by name."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jcnn.disk import naming, write_atomically


@contextmanager
def no_room_after(size: int) -> Iterator[None]:
    """The kernel refuses every byte of a file after this many, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with no_room_after(100), pytest.raises(OSError, match="File too large") as told:
        write_atomically(path, bytes(1000))
    assert told.value.filename == str(path)
    assert [child.name for child in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["folder", "file as folder", "no folder"])
def test_what_is_in_the_way_is_told_by_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").write_bytes(b"")
    path = {"folder": tmp_path / "folder", "file as folder": tmp_path / "other/file", "no folder": tmp_path / "none/file"}[kind]
    with pytest.raises(OSError, match=r".") as told:
        write_atomically(path, b"new")
    assert told.value.filename == str(path)
    assert sorted(child.name for child in tmp_path.iterdir()) == ["folder", "other"]


def test_an_error_without_a_number_gets_one(tmp_path: Path) -> None:
    """As NumPy raises them: "1000 requested and 0 written"."""
    with pytest.raises(OSError, match=r"1000 requested") as told, naming(tmp_path):
        raise OSError("1000 requested and 0 written")
    assert (told.value.errno, told.value.filename) == (errno.EIO, str(tmp_path))


def test_the_kind_of_an_error_stays(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), naming(tmp_path):
        os.stat(tmp_path / "none")  # noqa: PTH116 (as the system raises it)


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_where_folders_cannot_be_flushed(number: int, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if told:
        with pytest.raises(OSError, match="Input/output error") as error:
            write_atomically(tmp_path / "file", b"new")
        assert error.value.filename == str(tmp_path / "file")
    else:
        write_atomically(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"
    assert not list(tmp_path.glob(".*"))
