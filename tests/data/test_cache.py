"""Decoded images on the disk: read back whole, and never trusted once anything about them changed."""

import json
import os
import shutil
import time
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


def test_every_changed_byte_is_noticed(place: Path) -> None:
    """In any of the files that the split is read from."""
    for name in ("train-images.npy", "train-labels.npy", "manifest.json"):
        path = place / name
        content = path.read_bytes()
        for position in range(0, len(content), 7):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            try:
                found = cache.read(place, "train")
            except DataError:
                continue
            # What NumPy's header and JSON allow to differ without meaning: spaces.
            assert found is not None
            assert found.fingerprint == fingerprint(found.images, found.labels)
            assert (found.class_names, found.attribution) == (("a", "b", "ç"), "ours")
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["train-images.npy", "train-labels.npy", "manifest.json"])
@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_truncated(place: Path, name: str, kept: int) -> None:
    path = place / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError):
        cache.read(place, "train")


@pytest.mark.parametrize("name", ["train-images.npy", "train-labels.npy"])
def test_a_missing_file(place: Path, name: str) -> None:
    (place / name).unlink()
    with pytest.raises(DataError, match="train cannot be read"):
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
    manifest = json.loads((place / "manifest.json").read_text())
    del manifest["digest"]
    manifest["format"] = 2
    (place / "manifest.json").write_text(json.dumps({**manifest, "digest": cache._digest(manifest)}))
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
