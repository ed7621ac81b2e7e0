"""Mapped files: read, let go of, and never written to behind anyone's back."""

import hashlib
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from jcnn.data import memory_mapped
from jcnn.data.dataset import fingerprint
from jcnn.data.memory_mapped import blocks, is_mapped, release, take_rows


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (300, 40, 40, 3), np.uint8))
    return path


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


@pytest.mark.parametrize(
    ("mode", "mapped"), [("r", True), ("r+", False), ("c", False), (None, False)], ids=["read", "write", "copy", "loaded"]
)
def test_only_a_mapping_for_reading_is_one(stored: Path, mode: Literal["r", "r+", "c"] | None, mapped: bool) -> None:
    images = np.load(stored, mmap_mode=mode)
    assert is_mapped(images) is mapped
    assert is_mapped(images[3:, ::2]) is mapped


def test_changes_of_a_private_mapping_are_kept(stored: Path) -> None:
    images = np.load(stored, mmap_mode="c")
    images[:] = 7
    images.flags.writeable = False
    release(images)
    release(images[1:])
    assert (images == 7).all()


@pytest.mark.parametrize("anonymous", [True, False], ids=["anonymous", "of a file"])
def test_a_private_mapping_that_is_no_memmap_is_left_alone(stored: Path, anonymous: bool) -> None:
    size = 480_000
    if anonymous:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    else:
        with stored.open("rb") as file:
            pages = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    images = np.ndarray((size,), np.uint8, buffer=pages)
    images[:] = 7
    images.flags.writeable = False
    release(images)
    assert (images == 7).all()


def test_what_was_let_go_of_reads_the_same(stored: Path) -> None:
    images = np.load(stored, mmap_mode="r")
    before = images.copy()
    release(images)
    assert (images == before).all()


@pytest.mark.parametrize("block", [1, 5000, 1 << 26])
def test_blocks_are_the_whole_array(stored: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_mapped, "BLOCK", block)
    images = np.load(stored, mmap_mode="r")
    parts = [part.copy() for part in blocks(images)]
    assert (np.concatenate(parts) == images).all()


def test_fingerprint_of_a_mapping_is_that_of_the_array(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_mapped, "BLOCK", 5000)
    labels = np.arange(300, dtype=np.int32)
    images = np.load(stored)
    expected = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert fingerprint(np.load(stored, mmap_mode="r"), labels) == expected
    assert fingerprint(images[::-1][::-1], labels) == expected


VIEWS = {
    "whole": lambda images: images,
    "as a plain array": np.asarray,
    "from the third row": lambda images: images[3:],
    "other channels": lambda images: images[..., :2],
    "backwards": lambda images: images[::-1],
    "reshaped": lambda images: images[2:].reshape(-1, 40),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("mode", ["r", "c", None], ids=["read", "copy", "loaded"])
def test_rows_of_any_view_are_its_rows(stored: Path, mode: Literal["r", "c"] | None, view: Callable[..., np.ndarray]) -> None:
    images = view(np.load(stored, mmap_mode=mode))
    rows = np.random.default_rng(0).permutation(len(images))[:50]
    out = np.zeros((50, *images.shape[1:]), images.dtype)
    take_rows(images, rows, out)
    assert (out == view(np.load(stored))[rows]).all()


def test_a_file_that_was_cut_short_is_an_error(stored: Path) -> None:
    images = np.load(stored, mmap_mode="r")
    with stored.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(OSError, match="cut short"):
        take_rows(images, np.array([299]), np.zeros((1, 40, 40, 3), np.uint8))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_stays_flat_while_rows_are_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((4000, 256, 256, 1), np.uint8))
    images = np.load(tmp_path / "large.npy", mmap_mode="r")
    out = np.ones((1000, 256, 256, 1), np.uint8)
    before = resident_bytes()
    take_rows(images, np.arange(0, 4000, 4), out)
    assert resident_bytes() - before < 10e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_stays_flat_while_a_large_mapping_is_read(tmp_path: Path) -> None:
    images = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (4000, 256, 256, 1))  # 262 MB of zeros, sparse
    del images
    images = np.load(tmp_path / "large.npy", mmap_mode="r")
    fingerprint(images[:10], np.zeros(10, np.int32))
    before = resident_bytes()
    fingerprint(images, np.zeros(4000, np.int32))
    assert resident_bytes() - before < 100e6
