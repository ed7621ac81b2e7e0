"""Augmentations as values: done in their order, each with a key of its own, in words and as data."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn.data import augmentations
from jcnn.data.augment import crop, identities, warp
from jcnn.data.augmentations import (
    AUGMENTATIONS,
    AlternatingFlip,
    Augment,
    Batch,
    Crop,
    Cutout,
    Flip,
    Mixup,
    Warp,
    augmented,
    from_words,
    in_words,
)

IMAGES = jax.random.uniform(jax.random.key(1), (6, 5, 7, 2))
KEY = jax.random.key(7)


def shown(augment: Augment, epoch: int = 0, key: jax.Array = KEY) -> Batch:
    batch = Batch(IMAGES, jnp.arange(6) % 3, identities(IMAGES), jnp.asarray(epoch), jax.random.key(9))
    return augmented(augment, key, batch, 3)


def test_true_is_the_warp_and_false_nothing() -> None:
    np.testing.assert_array_equal(shown(True).images, warp(KEY, IMAGES))
    np.testing.assert_array_equal(shown((Warp(),)).images, warp(KEY, IMAGES))
    np.testing.assert_array_equal(shown(False).images, IMAGES)
    np.testing.assert_array_equal(shown(()).images, IMAGES)


def test_they_are_done_in_their_order_with_keys_of_their_own() -> None:
    first, second = jax.random.split(KEY)
    expected = crop(second, warp(first, IMAGES, shift=2), padding=3)
    np.testing.assert_array_equal(shown((Warp(shift=2), Crop(3))).images, expected)
    assert not np.array_equal(shown((Crop(3), Warp(shift=2))).images, expected)
    twice = shown((Crop(3), Crop(3))).images
    assert not np.array_equal(twice, crop(first, crop(first, IMAGES, padding=3), padding=3))


def test_targets_become_distributions_only_where_something_mixes_them() -> None:
    np.testing.assert_array_equal(shown((Flip(), Cutout(2))).targets, jnp.arange(6) % 3)
    mixed = shown((Flip(), Mixup(1.0), Mixup(1.0)))
    assert mixed.targets.shape == (6, 3)
    np.testing.assert_allclose(mixed.targets.sum(1), 1, rtol=1e-5)


def test_alternating_flips_go_by_the_image_as_it_was() -> None:
    """Whatever else is done to it first, and whatever the step's key."""
    by = (Crop(2), AlternatingFlip())
    for step in range(3):
        key = jax.random.key(step)
        even, odd = (shown(by, epoch, key).images for epoch in (0, 1))
        np.testing.assert_array_equal(even, odd[:, :, ::-1])
    sides = []
    for step in range(3):
        first, _ = jax.random.split(jax.random.key(step))
        as_it_is = crop(first, IMAGES, padding=2)
        sides.append((shown(by, 0, jax.random.key(step)).images == as_it_is).all((1, 2, 3)))
    assert 0 < sides[0].sum() < len(IMAGES)
    np.testing.assert_array_equal(sides[0], sides[1])
    np.testing.assert_array_equal(sides[0], sides[2])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_changes_a_batch_and_knows_what_it_takes(name: str) -> None:
    one = AUGMENTATIONS[name]()
    assert any(not np.array_equal(shown((one,), epoch).images, IMAGES) for epoch in (0, 1))
    for rank in range(4):
        images = jnp.ones((2, *[4] * rank, 1))
        batch = Batch(images, jnp.zeros(2, int), identities(images), jnp.asarray(0), KEY)
        if rank in one.ranks:
            augmentations.check_rank((one,), rank)
            assert jax.eval_shape(lambda batch: augmented((one,), KEY, batch, 3).images, batch).shape == images.shape
        else:
            with pytest.raises(ValueError, match=r"^images has shape"):
                augmented((one,), KEY, batch, 3)
            with pytest.raises(ValueError, match=rf"^augment=.*{type(one).__name__}.*give Recipe\(augment=False\)"):
                augmentations.check_rank((one,), rank)


@pytest.mark.parametrize(
    ("words", "augment"),
    [
        ([], True),
        (["warp"], True),
        (["none"], False),
        (["flip,crop:4,cutout:8"], (Flip(), Crop(4), Cutout(8))),
        (["flip", "crop:2"], (Flip(), Crop(2))),
        (["warp:2"], (Warp(shift=2.0),)),
    ],
    ids=str,
)
def test_words(words: list[str], augment: Any) -> None:
    assert from_words(words) == augment
    assert from_words([in_words(augment)]) == augment


@pytest.mark.parametrize("words", [["none", "flip"], ["crops"], ["flip;crop"]], ids=str)
def test_words_that_are_none(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^augment '"):
        from_words(words)


@pytest.mark.parametrize("augment", [None, 1, "flip", [Flip()], (Flip,), (True,), Flip()], ids=repr)
def test_what_is_no_augmentation_is_refused(augment: Any) -> None:
    with pytest.raises(ValueError, match=r"^augment=.*expected True, False, or a tuple of augmentations: Warp, Crop"):
        augmentations.check(augment)
