"""Mapped files: read, let go of, and never written to behind anyone's back."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from jcnn.data import memory_mapped
from jcnn.data.dataset import fingerprint
from jcnn.data.memory_mapped import blocks, is_mapped, release


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


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_stays_flat_while_a_large_mapping_is_read(tmp_path: Path) -> None:
    images = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (4000, 256, 256, 1))  # 262 MB of zeros, sparse
    del images
    images = np.load(tmp_path / "large.npy", mmap_mode="r")
    fingerprint(images[:10], np.zeros(10, np.int32))
    before = resident_bytes()
    fingerprint(images, np.zeros(4000, np.int32))
    assert resident_bytes() - before < 100e6
