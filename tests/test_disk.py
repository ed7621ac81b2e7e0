"""Files appear whole or not at all, and what the disk refuses is told by name."""

import errno
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jcnn import disk
from jcnn.disk import file_to_write, naming, write_atomically


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


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory": (Path.mkdir, "Is a directory"),
    "pipe": (os.mkfifo, "a pipe is there: expected a file"),
    "socket": (bound_socket, "a socket is there: expected a file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "a device is there: expected a file"),
}


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_never_replaced_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, linked: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    make, message = NO_FILES[kind]
    make(Path("there"))
    before = Path("there").lstat()
    path = Path("link" if linked else "there")
    if linked:
        path.symlink_to("there")
    for write in (file_to_write, lambda path: write_atomically(path, b"new")):
        with pytest.raises(OSError, match=message) as told:
            write(path)
        assert told.value.filename == str(path)
    assert Path("there").lstat() == before
    assert sorted(child.name for child in tmp_path.iterdir()) == (["link", "there"] if linked else ["there"])


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_stays_one_and_what_it_links_to_is_written(tmp_path: Path, there: bool) -> None:
    """Through two links, into another folder, which needs the half-written file beside itself."""
    (tmp_path / "far").mkdir()
    target = tmp_path / "far/file"
    if there:
        target.write_bytes(b"old")
    (tmp_path / "far/near").symlink_to("file")
    (tmp_path / "link").symlink_to("far/near")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far/near").is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(child.name for child in (tmp_path / "far").iterdir()) == ["file", "near"]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "out").symlink_to("none/file")
    for name in ("loop", "out"):
        with pytest.raises(OSError, match=r".") as told:
            write_atomically(tmp_path / name, b"new")
        assert told.value.filename == str(tmp_path / name)


ENDED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from jcnn import disk
disk.flush = lambda _: os.kill(os.getpid(), signal.SIGKILL)
disk.write_atomically(Path(sys.argv[1]), b"half")
"""


def test_what_a_killed_process_left_goes_with_the_next_write_of_the_same_file(tmp_path: Path) -> None:
    others = [
        tmp_path / name for name in (".file.more.1-1.tmp", ".file.tmp", ".file.1-x.tmp", "file.1-1.tmp", ".afile.1-1.tmp")
    ]
    for other in others:
        other.write_bytes(b"")
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", ENDED_IN_THE_MIDDLE, tmp_path / "file"], check=False)
        assert ended.returncode < 0
        (left,) = set(tmp_path.iterdir()) - set(others)
        assert left.name.startswith(".file.")
    write_atomically(tmp_path / "file", b"new")
    assert set(tmp_path.iterdir()) == {tmp_path / "file", *others}


WRITES_ON_AND_ON = """
import sys
from pathlib import Path
from jcnn import disk
for number in range(150):
    disk.write_atomically(Path(sys.argv[1]), bytes([number]) * 5000)
"""


def test_writers_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    """Two processes, and two threads here: none fails for what another took away, and the file is always one of theirs."""
    path = tmp_path / "file"
    write_atomically(path, bytes(5000))
    writers = [subprocess.Popen([sys.executable, "-c", WRITES_ON_AND_ON, path], stderr=subprocess.PIPE) for _ in range(2)]
    failed: list[OSError] = []

    def write() -> None:
        try:
            for number in range(150):
                write_atomically(path, bytes([number]) * 5000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or any(writer.poll() is None for writer in writers):
        found = path.read_bytes()
        assert found == found[:1] * 5000
    told = [writer.communicate()[1].decode() for writer in writers]
    assert ([writer.returncode for writer in writers], failed) == ([0, 0], []), told
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_still_being_written_is_left_to_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another write of the same file, begun and ended in the middle of one."""
    path, flush = tmp_path / "file", disk.flush

    def flush_after_another_write(descriptor: int) -> None:
        monkeypatch.setattr(disk, "flush", flush)
        other = threading.Thread(target=write_atomically, args=(path, b"second"))
        other.start()
        other.join()
        assert path.read_bytes() == b"second"
        flush(descriptor)

    monkeypatch.setattr(disk, "flush", flush_after_another_write)
    write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_are_no_locks_nothing_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_lock", lambda *_, **__: False)
    left = tmp_path / ".file.1-1.tmp"
    left.write_bytes(b"half")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert left.exists()
