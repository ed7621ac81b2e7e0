"""Published files as arrays, and what is said of those that are not."""

import errno
import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from jcnn.data import DataError
from jcnn.data.originals import check_sha256, read_cifar, read_idx, read_tar
from tests.data.small_sets import idx


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 5)], ids=str)
def test_idx(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "file.gz").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "file.gz"), array)


WHOLE = idx(np.arange(64, dtype=np.uint8).reshape(4, 4, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "no IDX file of bytes: it begins with nothing", id="empty"),
        pytest.param(WHOLE[:-9], "damaged or cut short", id="cut short"),
        pytest.param(WHOLE[:30] + bytes([WHOLE[30] ^ 8]) + WHOLE[31:], "damaged", id="changed"),
        pytest.param(b"hello", "damaged", id="no gzip"),
        pytest.param(gzip.compress(b"\0\0\x09\x01\0\0\0\1a"), "begins with 00 00 09 01", id="another type"),
        pytest.param(gzip.compress(b"\0\0\x08\x01\0\0\0\5abc"), r"holds 3 bytes .* shape \(5,\)", id="too few"),
        pytest.param(gzip.compress(b"\0\0\x08\x01\0\0\0\2abc"), r"holds 3 bytes .* shape \(2,\)", id="too many"),
        pytest.param(gzip.compress(b"\0\0\x08\x03\0\0"), "holds 0 bytes", id="half a header"),
    ],
)
def test_no_idx(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "file.gz")


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_cifar(label_bytes: int) -> None:
    """Red plane first, then green, then blue, each row by row."""
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    labels = np.arange(3 * label_bytes, dtype=np.uint8).reshape(3, label_bytes)
    content = b"".join(
        label.tobytes() + b"".join(image[..., channel].tobytes() for channel in range(3))
        for label, image in zip(labels, images, strict=True)
    )
    found, named = read_cifar(content, "batch.bin", label_bytes)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(named, labels)
    for wrong in (content[:-1], content + b"?", b""):
        with pytest.raises(DataError, match=rf"batch.bin has {len(wrong):,} bytes: expected a multiple of 3,07"):
            read_cifar(wrong, "batch.bin", label_bytes)


def archive(path: Path, members: dict[str, bytes], *, link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
            file.addfile(info)
    return path


def test_tar_reads_what_is_wanted_and_unpacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "a.tar.gz", {"../evil": b"1", "/evil": b"2", "set/a.bin": b"abc", "set/b.txt": b""})
    assert read_tar(path, {"a": "set/a.bin", "b": "set/b.txt"}) == {"a": b"abc", "b": b""}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tar.gz"]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("link", ["", "set/a.bin"], ids=["missing", "a link"])
def test_tar_without_the_file(link: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"set/b.txt": b"x"}, link=link)
    with pytest.raises(DataError, match=r"a.tar.gz lacks set/a.bin"):
        read_tar(path, {"a": "set/a.bin"})


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_tar_cut_short(kept: int, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"set/a.bin": np.random.default_rng(0).bytes(5000)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="damaged or cut short"):
        read_tar(path, {"a": "set/a.bin"})


def test_checksum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    check_sha256(path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    with pytest.raises(DataError, match=r"file has a wrong checksum .SHA-256 ba7816bf8f01cfea…, expected 0000000000000000…."):
        check_sha256(path, "0" * 64)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_what_the_disk_refuses_is_told_by_name(tmp_path: Path, kind: str) -> None:
    """It is not the file that is damaged, and nobody is told to remove it."""
    path = tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    readers = (read_idx, lambda path: check_sha256(path, "0"), lambda path: read_tar(path, {"a": "b"}))
    for read in readers:
        with pytest.raises(OSError, match=r".") as told:
            read(path)
        assert told.value.filename == str(path)
        assert told.value.errno in (errno.ENOENT, errno.EISDIR)


def test_sizes_whose_product_overflows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x04" + struct.pack(">4I", 2**16, 2**16, 2**16, 2**16)))
    with pytest.raises(DataError, match="holds 0 bytes after its header"):
        read_idx(path)
