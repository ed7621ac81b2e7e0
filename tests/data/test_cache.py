"""Decoded images on the disk: read back whole, and never trusted once anything about them changed."""

import hashlib
import io
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jcnn.data import DataError, Dataset, cache
from jcnn.data.dataset import fingerprint


@pytest.fixture
def datasets() -> dict[str, Dataset]:
    random = np.random.default_rng(0)
    made = {}
    for split, count in (("train", 20), ("test", 5)):
        images, labels = random.integers(0, 256, (count, 4, 6, 3), np.uint8), random.integers(0, 3, count).astype(np.int32)
        made[split] = Dataset("set", split, images, labels, ("a", "b", "ç"), fingerprint(images, labels), "ours")
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "set/1.0.0"
    folder.mkdir(parents=True)
    (folder / "shard").write_bytes(b"records")
    return folder


@pytest.fixture
def place(tmp_path: Path, datasets: dict[str, Dataset], source: Path) -> Path:
    folder = tmp_path / "jcnn/set"
    cache.write(folder, datasets, source)
    return folder


def test_round_trip(place: Path, datasets: dict[str, Dataset]) -> None:
    for split, dataset in datasets.items():
        found = cache.read(place, split)
        assert found is not None
        np.testing.assert_array_equal(found.images, dataset.images)
        np.testing.assert_array_equal(found.labels, dataset.labels)
        assert found[4:] == dataset[4:]
        assert (found.name, found.split) == ("set", split)
        assert isinstance(found.images, np.memmap)
        assert not found.images.flags.writeable
    assert [entry.name for entry in place.parent.iterdir()] == ["set"]


def test_nothing_there(tmp_path: Path) -> None:
    assert cache.read(tmp_path / "nowhere", "train") is None


FILES = ("train-images.npy", "train-labels.npy", "manifest.json")


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_is_noticed(place: Path, name: str) -> None:
    """In any of the files that the split is read from, also where NumPy's header and JSON would allow another: spaces."""
    path = place / name
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        with pytest.raises(DataError):
            cache.read(place, "train")
    path.write_bytes(content)
    assert cache.read(place, "train") is not None


def forge(place: Path, name: str, content: bytes) -> None:
    """Puts a file in the cache, and a manifest that vouches for it."""
    (place / f"train-{name}.npy").write_bytes(content)
    manifest = cache.read_manifest(place)
    assert manifest is not None
    manifest["splits"]["train"]["sha256"][name] = hashlib.sha256(content).hexdigest()
    (place / "manifest.json").write_bytes(cache._text(manifest))


def header(shape: tuple[int, ...], dtype: str) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": dtype})
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("labels", header((10**12,), "<i4"), id="labels of 4 TB"),
        pytest.param("labels", header((-20,), "<i4") + bytes(80), id="a negative size"),
        pytest.param("labels", header((19,), "<i4") + bytes(76), id="a label too few"),
        pytest.param("labels", header((20,), "|O") + bytes(160), id="objects"),
        pytest.param("images", header((20, 4, 6, 10**9), "|u1"), id="images of 480 GB"),
        pytest.param("images", header((20, 4, 6, 3), "|i1") + bytes(1440), id="signed pixels"),
        pytest.param("images", b"", id="nothing"),
        pytest.param("images", b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 65534, id="brackets without end"),
    ],
)
def test_a_forged_file_is_refused(place: Path, name: str, content: bytes) -> None:
    """Also where the digests fit: whatever reading it raises, and whatever size it declares."""
    forge(place, name, content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError):
        cache.read(place, "train")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"splits": []}, id="splits that are a list"),
        pytest.param({"splits": {"train": {"sha256": 3}}}, id="digests that are a number"),
        pytest.param({"source": {"path": 3, "state": {}}}, id="a path that is a number"),
    ],
)
def test_a_forged_manifest_is_refused(place: Path, manifest: dict[str, object]) -> None:
    whole = cache.read_manifest(place) or {}
    said = {**whole, **manifest} if manifest else {"format": cache.FORMAT}
    (place / "manifest.json").write_bytes(cache._text(said))
    with pytest.raises(DataError):
        cache.read(place, "train")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere", "bytes after the end"])
@pytest.mark.parametrize("name", FILES)
def test_something_else_in_place_of_a_file(
    place: Path, name: str, kind: str, datasets: dict[str, Dataset], source: Path
) -> None:
    path = place / name
    content = path.read_bytes()
    path.unlink()
    make: dict[str, Callable[[], object]] = {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link to nowhere": lambda: path.symlink_to("nowhere"),
        "bytes after the end": lambda: path.write_bytes(content + b" "),
    }
    make[kind]()
    if (name, kind) == ("manifest.json", "link to nowhere"):
        assert cache.read(place, "train") is None
    else:
        with pytest.raises(DataError):
            cache.read(place, "train")
    cache.write(place, datasets, source)
    assert cache.read(place, "train") is not None


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_in_place_of_the_folder(place: Path, kind: str, datasets: dict[str, Dataset], source: Path) -> None:
    elsewhere = place.rename(place.with_name("elsewhere"))
    if kind == "file":
        place.write_bytes(b"")
        with pytest.raises(DataError):
            cache.read(place, "train")
    else:
        place.symlink_to(elsewhere)
    cache.write(place, datasets, source)
    assert cache.read(place, "train") is not None
    assert not place.is_symlink()


@pytest.mark.parametrize("room", [50, 2000])
def test_a_full_disk_is_told_by_name_and_leaves_nothing(
    tmp_path: Path, datasets: dict[str, Dataset], source: Path, room: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))  # the kernel refuses every byte after this, as a full disk does
    large = datasets["train"]._replace(images=datasets["train"].images.repeat(4, axis=1))
    try:
        with pytest.raises(OSError, match=r".") as told:
            cache.write(tmp_path / "jcnn/set", {"train": large}, source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(told.value.filename).endswith("train-images.npy")
    assert list((tmp_path / "jcnn").iterdir()) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_truncated(place: Path, name: str, kept: int) -> None:
    path = place / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError):
        cache.read(place, "train")


@pytest.mark.parametrize("name", ["train-images.npy", "train-labels.npy"])
def test_a_missing_file(place: Path, name: str) -> None:
    (place / name).unlink()
    with pytest.raises(DataError, match=name):
        cache.read(place, "train")


def test_prepared_anew(place: Path, source: Path) -> None:
    path = source / "shard"
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns + 1000))
    with pytest.raises(DataError, match=r"set/1.0.0 changed since"):
        cache.read(place, "train")


def test_the_prepared_set_may_go(place: Path, source: Path) -> None:
    shutil.rmtree(source)
    assert cache.read(place, "train") is not None


def test_the_folder_may_move(place: Path, tmp_path: Path, source: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for folder in (place.parent, source.parent):
        folder.rename(tmp_path / "elsewhere" / folder.name)
    assert cache.read(tmp_path / "elsewhere/jcnn/set", "train") is not None
    (tmp_path / "elsewhere/set/1.0.0/shard").write_bytes(b"others")
    with pytest.raises(DataError, match="changed since"):
        cache.read(tmp_path / "elsewhere/jcnn/set", "train")


def test_another_version(place: Path) -> None:
    manifest = {**(cache.read_manifest(place) or {}), "format": cache.FORMAT + 1}
    (place / "manifest.json").write_bytes(cache._text(manifest))
    with pytest.raises(DataError, match="of another version"):
        cache.read(place, "train")


def test_what_a_killed_process_left_is_written_over(place: Path, datasets: dict[str, Dataset], source: Path) -> None:
    left = place.with_name(f".{place.name}")
    left.mkdir()
    (left / "train-images.npy").write_bytes(b"half")
    cache.write(place, datasets, source)
    assert [entry.name for entry in place.parent.iterdir()] == [place.name]


def test_written_over(place: Path, datasets: dict[str, Dataset], source: Path) -> None:
    (place / "train-images.npy").write_bytes(b"")
    cache.write(place, datasets, source)
    assert cache.read(place, "train") is not None
