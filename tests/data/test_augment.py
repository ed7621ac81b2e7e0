"""Augmentation: each change is its definition, as it can be told from the images alone; the same for the same key."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from jcnn.data.augment import alternating_flip, brightness_contrast, crop, cutout, flip, identities, mixup, warp
from tests.draws import draws

IMAGES = jax.random.uniform(jax.random.key(1), (5, 6, 9, 2), jnp.float64)


def test_no_amount_is_no_change() -> None:
    # Coordinates are exact here, so bilinear weights are 0 and 1.
    np.testing.assert_allclose(warp(jax.random.key(0), IMAGES, shift=0, degrees=0, zoom=0), IMAGES, rtol=1e-14)


def test_the_key_decides() -> None:
    same, other = warp(jax.random.key(0), IMAGES), warp(jax.random.key(1), IMAGES)
    np.testing.assert_array_equal(warp(jax.random.key(0), IMAGES), same)
    assert not np.allclose(same, other)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_brightness_and_dtype_stay_in_range(dtype: jnp.dtype) -> None:
    warped = warp(jax.random.key(0), IMAGES.astype(dtype), shift=3, degrees=90, zoom=0.5)
    assert warped.dtype == dtype
    assert warped.shape == IMAGES.shape
    slack = float(jnp.finfo(dtype).eps) * 4  # four bilinear weights, each rounded
    assert float(warped.min()) >= -slack
    assert float(warped.max()) <= 1 + slack


def test_a_shift_moves_the_centre_of_mass_by_no_more_than_asked() -> None:
    dot = jnp.zeros((64, 15, 15, 1), jnp.float64).at[:, 7, 7].set(1)
    warped = warp(jax.random.key(0), dot, shift=2, degrees=0, zoom=0)[..., 0]
    np.testing.assert_allclose(warped.sum((1, 2)), 1, rtol=1e-12)
    rows = (warped * jnp.arange(15.0)[None, :, None]).sum((1, 2)) - 7
    assert float(jnp.abs(rows).max()) <= 2 + 1e-12
    assert float(rows.max() - rows.min()) > 2  # 64 draws from 4 pixels' width


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_precision_image_is_moved_as_a_float32_one(dtype: str) -> None:
    """The same pixels, and one rounding of the result."""
    images = jax.random.uniform(jax.random.key(2), (2, 24, 300, 1), jnp.float32).astype(dtype)
    warped = warp(jax.random.key(0), images).astype(jnp.float32)
    exact = warp(jax.random.key(0), images.astype(jnp.float32))
    # Half a unit of the result; and the two programs may round the float32 differently by a few of its own, at pixels up to 1.
    bound = float(jnp.finfo(dtype).eps) / 2 * jnp.abs(exact) + 8 * float(jnp.finfo(jnp.float32).eps)
    assert bool((jnp.abs(warped - exact) <= bound).all())


def test_every_pixel_is_looked_up_where_it_is_by_the_formula() -> None:
    """The image of each pixel's row, and that of its column, show where the 256 × 256 pixels of the new image come from."""
    size, shift, degrees, zoom = 256, 3.0, 15.0, 0.15
    rows = jnp.broadcast_to(jnp.arange(size, dtype=jnp.float32)[:, None, None], (size, size, 1))
    key = jax.random.key(4)
    found = warp(key, jnp.stack([rows, rows.swapaxes(0, 1)]), shift=shift, degrees=degrees, zoom=zoom)

    drawn = [jax.random.uniform(part, shape, jnp.float32, -most, most) for part, shape, most in zip(
        jax.random.split(key, 3), ((2, 2), (2,), (2,)), (shift, math.radians(degrees), zoom), strict=True
    )]  # fmt: skip
    moved, angle, stretch = (np.asarray(part, np.float64) for part in drawn)
    p = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij"))
    for number, axis in enumerate((0, 1)):  # the first image tells rows, the second columns
        a, z = angle[number], stretch[number]
        turned = np.exp(z) * (np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ p.reshape(2, -1)).reshape(p.shape)
        at = turned + (size - 1) / 2 + moved[number][:, None, None]
        inside = ((at >= 0) & (at <= size - 1)).all(0)
        assert inside.sum() > 40_000
        assert np.abs(np.asarray(found[number, ..., 0], np.float64) - at[axis])[inside].max() < 1e-3


SHAPES = st.tuples(st.integers(1, 5), st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(1, 3))


def drawn(shape: tuple[int, list[int], int], seed: int) -> np.ndarray:
    """Images of this shape whose values all differ."""
    n, sizes, channels = shape
    values = np.random.default_rng(seed).permutation(n * int(np.prod(sizes)) * channels)
    return (values.reshape(n, *sizes, channels) + 1).astype(np.float64)


@draws(10)
@given(SHAPES, st.integers(0, 10), st.integers(0, 2**31))
def test_a_crop_is_a_window_of_the_image_as_numpy_reflects_it(shape: Any, padding: int, seed: int) -> None:
    images = drawn(shape, seed)
    moved = np.asarray(crop(jax.random.key(seed), images, padding=padding))
    for before, after in zip(images, moved, strict=True):
        *sizes, _ = before.shape
        around = np.pad(before, [*[(padding, padding)] * len(sizes), (0, 0)], mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(around, sizes, axis=tuple(range(len(sizes))))
        same = (np.moveaxis(windows, len(sizes), -1) == after).all(axis=tuple(range(len(sizes), 2 * len(sizes) + 1)))
        assert same.any()


def test_a_crop_goes_as_far_as_asked_each_way_and_no_further() -> None:
    rows = np.broadcast_to(np.arange(20.0)[:, None, None], (400, 20, 20, 1)).astype(np.float32)
    moved = np.asarray(crop(jax.random.key(0), rows, padding=3))
    by, counts = np.unique(moved[:, 10, 0, 0] - 10, return_counts=True)
    np.testing.assert_array_equal(by, np.arange(-3, 4))
    assert counts.min() > 400 / 7 - 4 * np.sqrt(400 / 7)  # four standard deviations
    across = np.asarray(crop(jax.random.key(0), rows.swapaxes(1, 2), padding=3))[:, 0, 10, 0] - 10
    assert abs(np.corrcoef(moved[:, 10, 0, 0], across)[0, 1]) < 0.2  # four standard deviations: rows and columns on their own


@draws(10)
@given(SHAPES, st.integers(0, 2**31))
def test_a_flip_is_the_image_or_its_mirror_image(shape: Any, seed: int) -> None:
    images = drawn(shape, seed)
    for before, after in zip(images, np.asarray(flip(jax.random.key(seed), images)), strict=True):
        assert (before == after).all() or (before[..., ::-1, :] == after).all()


def test_a_flip_mirrors_half_of_the_images() -> None:
    images = np.broadcast_to(np.arange(3.0)[None, :, None], (400, 3, 1)).astype(np.float32)
    mirrored = np.asarray(flip(jax.random.key(0), images))[:, 0, 0] == 2
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / 20


def test_alternating_flips_show_an_image_both_ways_in_two_epochs_wherever_it_stands() -> None:
    images = drawn((40, [3, 4], 2), 0)
    known = identities(images)
    key = jax.random.key(3)
    epochs = [np.asarray(alternating_flip(key, images, known, epoch)) for epoch in range(4)]
    np.testing.assert_array_equal(epochs[0], epochs[1][:, :, ::-1])
    np.testing.assert_array_equal(epochs[0], epochs[2])
    np.testing.assert_array_equal(epochs[1], epochs[3])
    mirrored = (epochs[0] != images).any((1, 2, 3))
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(40)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(alternating_flip(key, images[order], known[order], jnp.asarray(2)), epochs[2][order])
    other = np.asarray(alternating_flip(jax.random.key(4), images, known, 0))
    assert ((other != images).any((1, 2, 3)) != mirrored).any()


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16", "float32", "float64"])
def test_identities_tell_images_apart_that_differ_in_a_bit(dtype: Any) -> None:
    images = jnp.zeros((1 + 2 * 6, 2, 3, 1), dtype)
    step = jnp.asarray(1, dtype) if dtype == "uint8" else jnp.finfo(dtype).tiny
    for number in range(12):
        images = images.at[1 + number, number % 6 // 3, number % 3, 0].set(step * (1 + number // 6))
    assert len(set(np.asarray(identities(images)).tolist())) == len({np.asarray(one).tobytes() for one in images}) == 13


@draws(10)
@given(SHAPES, st.integers(1, 9), st.integers(0, 2**31))
def test_cutout_leaves_all_but_one_box(shape: Any, size: int, seed: int) -> None:
    images = drawn(shape, seed)
    for image in np.asarray(cutout(jax.random.key(seed), images, size=size)) == 0:
        hidden = image[..., 0]
        assert (image == hidden[..., None]).all()
        assert hidden.any()
        along = [hidden.any(tuple(other for other in range(hidden.ndim) if other != axis)) for axis in range(hidden.ndim)]
        assert hidden.sum() == np.prod([one.sum() for one in along])  # a box
        for one in along:
            (places,) = one.nonzero()
            assert places[-1] - places[0] + 1 == len(places) <= size
            assert len(places) == min(size, len(one)) or one[0] or one[-1]  # whole, or at an edge


def test_cutout_is_of_the_size_and_value_asked_and_centred_on_every_pixel() -> None:
    hidden = np.asarray(cutout(jax.random.key(0), jnp.zeros((2000, 9, 9, 1)), size=3, fill=0.5))[..., 0]
    assert set(np.unique(hidden)) == {0, 0.5}
    inside = hidden[(hidden != 0).sum((1, 2)) == 9]
    assert len(inside) / 2000 == pytest.approx((7 / 9) ** 2, abs=0.05)
    corner = (hidden[:, :2, :2] != 0).all((1, 2)) & ((hidden != 0).sum((1, 2)) == 4)
    assert corner.mean() == pytest.approx(1 / 81, abs=0.01)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_mixup_blends_images_and_targets_by_the_same_part(dtype: Any) -> None:
    n = 64
    images = jnp.broadcast_to(jnp.eye(n, dtype=dtype)[:, None, :, None], (n, 2, n, 1))  # which shows what was blended
    mixed, targets = mixup(jax.random.key(0), images, jnp.eye(n, dtype=dtype), alpha=1.0)
    assert mixed.dtype == targets.dtype == dtype
    np.testing.assert_array_equal(mixed[:, 0, :, 0], targets)
    slack = 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(targets, np.float64).sum(1), 1, atol=slack)
    assert ((np.asarray(targets) != 0).sum(1) <= 2).all()
    partners = np.asarray(targets, np.float64) - np.diag(np.diag(np.asarray(targets, np.float64)))
    assert (np.count_nonzero(partners, axis=0) <= 1).all()  # a permutation


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixups_parts_are_from_the_beta_distribution(alpha: float) -> None:
    # A target of 1 blended with 0 is λ, every small one to all its digits.
    halves = jnp.concatenate([jnp.ones((100_000, 1)), jnp.zeros((100_000, 1))])
    _, targets = mixup(jax.random.key(1), jnp.zeros((200_000, 1)), halves, alpha=alpha)
    found = np.asarray(targets, np.float64)[:100_000, 0]
    below = found[(found > 0) & (found < 0.5)]  # 1 are also those that met their like, and what rounds to it
    assert 24_000 < len(below) < 26_000
    assert scipy.stats.kstest(below, lambda part: 2 * scipy.stats.beta(alpha, alpha).cdf(part)).pvalue > 1e-3


def test_brightness_and_contrast_are_their_formula() -> None:
    images = np.random.default_rng(0).random((500, 3, 4, 2))
    changed = np.asarray(brightness_contrast(jax.random.key(0), images, brightness=0.3, contrast=0.5), np.float64)
    mean = images.mean((1, 2, 3), keepdims=True)
    after = changed.mean((1, 2, 3), keepdims=True)
    added = (after - mean).ravel()
    factor = ((changed - after) / (images - mean)).reshape(500, -1)
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1], factor.shape), rtol=1e-6, atol=1e-6)
    for found, lowest, highest in ((added, -0.3, 0.3), (factor, 0.5, 1.5)):
        assert lowest - 1e-6 <= found.min() < lowest + 0.05
        assert highest - 0.05 < found.max() <= highest + 1e-6
    assert abs(np.corrcoef(added, factor[:, 0])[0, 1]) < 0.2


CHANGES: dict[str, Callable[..., Any]] = {
    "warp": warp,
    "crop": crop,
    "flip": flip,
    "alternating flip": lambda key, images: alternating_flip(key, images, identities(images), 1),
    "cutout": partial(cutout, size=3),
    "mixup": lambda key, images: mixup(key, images, jnp.eye(5, dtype=images.dtype)),
    "brightness and contrast": brightness_contrast,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_pure_and_works_in_compiled_code(name: str) -> None:
    change, images = CHANGES[name], IMAGES.astype(jnp.float32)
    first = change(jax.random.key(0), images)
    jax.tree.map(np.testing.assert_array_equal, first, change(jax.random.key(0), np.asarray(images)))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6), first, jax.jit(change)(jax.random.key(0), images))
    others = [change(jax.random.key(seed), images) for seed in range(1, 4)]
    assert any(not np.array_equal(jax.tree.leaves(first)[0], jax.tree.leaves(other)[0]) for other in others)


@pytest.mark.parametrize("name", CHANGES)
def test_16_bit_images_are_changed_as_float32_ones_and_rounded_once(name: str) -> None:
    dtype = "bfloat16"
    images = IMAGES.astype(dtype)
    found = jax.tree.leaves(CHANGES[name](jax.random.key(0), images))[0]
    expected = jax.tree.leaves(CHANGES[name](jax.random.key(0), images.astype(jnp.float32)))[0]
    if name != "alternating flip":  # whose images are told apart by their bits
        np.testing.assert_array_equal(found, expected.astype(dtype))
    assert found.dtype == dtype


KEY, NO_KEY, LIST = jax.random.key(0), cast(Any, 0), cast(Any, IMAGES.tolist())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: crop(NO_KEY, IMAGES), "^key=0: expected one JAX random key", id="no key"),
        pytest.param(lambda: crop(KEY, LIST), "^images is a list: expected a JAX or NumPy array", id="a list"),
        pytest.param(lambda: flip(KEY, jnp.zeros((2, 3, 3, 1), jnp.uint8)), "^images has dtype uint8: expected", id="bytes"),
        pytest.param(lambda: flip(KEY, jnp.zeros((2, 3))), r"^images has shape \(2, 3\): expected \(N, \*S, C\)", id="vectors"),
        pytest.param(lambda: warp(KEY, jnp.zeros((2, 3, 3))), r"^images has shape .*: expected \(N, H, W, C\)", id="signals"),
        pytest.param(lambda: flip(KEY, jnp.zeros((0, 3, 3, 1))), r"^images has shape .*: the batch is empty", id="no image"),
        pytest.param(lambda: crop(KEY, IMAGES, padding=-1), "^padding=-1: expected an integer of at least 0", id="padding"),
        pytest.param(lambda: crop(KEY, IMAGES, padding=2**31 - 2), "^padding=.*: expected at most", id="much padding"),
        pytest.param(lambda: cutout(KEY, IMAGES, size=0), "^size=0: expected an integer of at least 1", id="no size"),
        pytest.param(lambda: cutout(KEY, IMAGES, fill=math.inf), "^fill=inf: expected a finite number", id="fill"),
        pytest.param(lambda: warp(KEY, IMAGES, zoom=-0.1), "^zoom=-0.1: expected a number from 0 on", id="zoom"),
        pytest.param(lambda: brightness_contrast(KEY, IMAGES, contrast=1.5), "^contrast=1.5: expected", id="contrast"),
        pytest.param(lambda: mixup(KEY, IMAGES, jnp.eye(5), alpha=0), "^alpha=0: expected a number above 0", id="alpha"),
        pytest.param(lambda: mixup(KEY, IMAGES, jnp.eye(4)), r"^targets has shape \(4, 4\): expected \(5,", id="targets"),
        pytest.param(lambda: mixup(KEY, IMAGES, jnp.arange(5)), "^targets has dtype int", id="class numbers"),
        pytest.param(
            lambda: alternating_flip(KEY, IMAGES, jnp.arange(4, dtype=jnp.uint32), 0),
            r"^identity has shape \(4,\): expected \(5,\)",
            id="identities of others",
        ),
        pytest.param(lambda: alternating_flip(KEY, IMAGES, jnp.arange(5), 0), "^identity has dtype int", id="signed numbers"),
        pytest.param(lambda: alternating_flip(KEY, IMAGES, identities(IMAGES), -1), "^epoch=-1: expected an", id="epoch"),
        pytest.param(lambda: alternating_flip(KEY, IMAGES, identities(IMAGES), jnp.zeros(2)), "^epoch=", id="epochs"),
    ],
)
def test_bad_input_is_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
