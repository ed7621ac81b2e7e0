"""Images on the device as a whole, or streamed to it: the same bits, and memory that stays flat."""

from pathlib import Path

import jax
import numpy as np
import pytest

import jcnn
from jcnn.training import fitting
from jcnn.training.fitting import Result
from jcnn.training.recipe import Recipe

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (150, 8, 8, 1), np.uint8)
LABELS = RNG.integers(0, 4, 150)
NETWORK = (jcnn.Conv(4, 3), jcnn.Relu(), jcnn.Flatten(), jcnn.Dense(4))
RECIPE = Recipe(epochs=3, batch_size=6)


def same_bits(one: Result, other: Result) -> bool:
    pairs = zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True)
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in pairs)


@pytest.fixture(scope="module")
def resident() -> Result:
    return jcnn.fit(NETWORK, (IMAGES, LABELS), recipe=RECIPE, placement="resident")


def test_streamed_training_ends_in_the_same_bits(resident: Result) -> None:
    streamed = jcnn.fit(NETWORK, (IMAGES, LABELS), recipe=RECIPE, placement="streamed")
    assert (resident.placement, streamed.placement) == ("resident", "streamed")
    assert same_bits(resident, streamed)
    assert [record["loss"] for record in streamed.records] == [record["loss"] for record in resident.records]


def test_images_mapped_from_a_file_train_to_the_same_bits(resident: Result, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert same_bits(resident, jcnn.fit(NETWORK, (mapped, LABELS), recipe=RECIPE, placement="streamed"))


def test_floats_are_streamed_too() -> None:
    images = IMAGES.astype(np.float32) / 255
    one, other = (jcnn.fit(NETWORK, (images, LABELS), recipe=RECIPE, placement=way) for way in ("resident", "streamed"))
    assert same_bits(one, other)


def test_a_streamed_run_is_resumed_bit_for_bit_and_resident(resident: Result, tmp_path: Path) -> None:
    def stop(step: int, *_: object) -> None:
        if step > 30:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        jcnn.fit(
            NETWORK,
            (IMAGES, LABELS),
            recipe=RECIPE,
            out=tmp_path / "run",
            callbacks=[stop],
            report=False,
            placement="streamed",
        )
    resumed = jcnn.fit(
        NETWORK, (IMAGES, LABELS), recipe=RECIPE, out=tmp_path / "run", resume=True, report=False, placement="streamed"
    )
    assert same_bits(resident, resumed)


def test_what_does_not_fit_is_streamed(
    resident: Result, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(fitting, "free_memory", lambda: IMAGES.nbytes)
    chosen = jcnn.fit(NETWORK, (IMAGES, LABELS), recipe=RECIPE)
    assert chosen.placement == "streamed"
    assert "streamed" in capsys.readouterr().err
    assert same_bits(resident, chosen)


def test_another_placement_is_refused() -> None:
    with pytest.raises(ValueError, match="placement='disk': expected 'auto', 'resident' or 'streamed'"):
        jcnn.fit(NETWORK, (IMAGES, LABELS), recipe=RECIPE, placement="disk")  # pyright: ignore[reportArgumentType]
