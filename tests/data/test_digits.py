"""The embedded digits: whole, split as documented, and the same for ever."""

import hashlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from jcnn.data import DataError, Dataset, load

FINGERPRINTS = {
    "train": "d10bc9f4b621227f81965724a976852c8e9a5bbb5c2e4a156470b1f626b14c2d",
    "test": "1972b85f9712b7e513cca6c241e96dbc16287e8807f4efd906677540ca0930fd",
}


@pytest.fixture(scope="module")
def splits() -> dict[str, Dataset]:
    return {split: load("digits", split) for split in FINGERPRINTS}


@pytest.mark.parametrize("split", FINGERPRINTS)
def test_fingerprints_are_pinned(splits: dict[str, Dataset], split: str) -> None:
    data = splits[split]
    computed = hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()
    assert data.fingerprint == computed == FINGERPRINTS[split]


def test_what_a_split_says_of_itself(splits: dict[str, Dataset]) -> None:
    for split, data in splits.items():
        assert (data.name, data.split, data.classes, data.input_shape) == ("digits", split, 10, (8, 8, 1))
        assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
        assert len(data.images) == len(data.labels)
        assert data.class_names == tuple("0123456789")
    assert (len(splits["train"].labels), len(splits["test"].labels)) == (1438, 359)


def test_stratified(splits: dict[str, Dataset]) -> None:
    """A fifth of every class, rounded."""
    train, test = (np.bincount(splits[split].labels, minlength=10) for split in ("train", "test"))
    np.testing.assert_array_equal(test, np.rint((train + test) / 5))


def rows(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def test_complete_and_disjoint(splits: dict[str, Dataset]) -> None:
    """Together the splits are the published images, each once; brightness 0 … 16 becomes 0 … 255, rounded."""
    with resources.files("jcnn.data").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        sixteenths, labels = arrays["images"], arrays["labels"]
    images = np.floor(sixteenths * (255 / 16) + 0.5).astype(np.uint8)[..., None]
    both = [rows(data.images, data.labels) for data in splits.values()]
    assert sorted(both[0] + both[1]) == rows(images, labels)
    assert len(set(rows(images, labels))) == len(labels) == 1797
    assert not set(both[0]) & set(both[1])


def test_deterministic_and_the_training_split_by_default(splits: dict[str, Dataset]) -> None:
    again = load("digits")
    np.testing.assert_array_equal(again.images, splits["train"].images)
    np.testing.assert_array_equal(again.labels, splits["train"].labels)


def test_the_split_is_the_documented_one(splits: dict[str, Dataset]) -> None:
    """The first fifth of each class in the order of SHA-256("0:index"), in the set's own order."""
    with resources.files("jcnn.data").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        labels = arrays["labels"]
    digest = [hashlib.sha256(f"0:{index}".encode()).hexdigest() for index in range(len(labels))]
    chosen: list[int] = []
    for label in range(10):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=digest.__getitem__)
        chosen += members[: round(len(members) / 5)]
    np.testing.assert_array_equal(splits["test"].labels, labels[sorted(chosen)])


def test_any_changed_byte_of_the_package_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = resources.files("jcnn.data").joinpath("digits.npz").read_bytes()
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    for position in range(0, len(content), len(content) // 50):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        (tmp_path / "digits.npz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"digits\.npz is damaged: install jcnn anew"):
            load("digits")
    (tmp_path / "digits.npz").write_bytes(content)
    assert load("digits").images.shape == (1438, 8, 8, 1)
