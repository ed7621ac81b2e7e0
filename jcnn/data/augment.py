"""Augmentation: images seen a little otherwise every time, so that the network learns to look past that.

Pure functions of a random key and a batch of images (N, *S, C), floating, channels last. Called alone each is one compiled
program; under `jax.jit` it is part of the caller's. Every image of a batch draws its own change.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Bool, Float, Int, Num, UInt32

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.precision import rounded_once
from jcnn.programs import compiled

__all__ = ["alternating_flip", "brightness_contrast", "crop", "cutout", "flip", "identities", "mixup", "warp"]


def warp(
    key: Array, images: Float[AnyArray, "n h w c"], *, shift: float = 1.0, degrees: float = 15.0, zoom: float = 0.15
) -> Float[Array, "n h w c"]:
    """Each image under its own random similarity, bilinear, black where it looks beyond the edge.

    With p a pixel's position from the centre, the new image at p is the old one at e^z R(a) p + t. Positions and brightness are
    computed in float32 at least, whatever the dtype of the images: in bfloat16 there is no 257th pixel.

    Args:
        key: a JAX random key; the result is a pure function of it and the images.
        images: (N, H, W, C), floating.
        shift: t is uniform in [−shift, shift] pixels along each axis.
        degrees: a is uniform in [−degrees, degrees].
        zoom: z is uniform in [−zoom, zoom].

    Returns:
        (N, H, W, C), dtype of images.

    Raises:
        ValueError: images of another rank, or an amount that is negative or not finite; by name.
        TypeError: no key, no floating images, or an amount that is no number; by name.

    Source: Simard, Steinkraus & Platt 2003, "Best practices for convolutional neural networks".
    """
    key, images = _checked(key, images, (2,))
    shift, degrees, zoom = amount("shift", shift), amount("degrees", degrees), amount("zoom", zoom)
    return _warp_program(key, images, shift, degrees, zoom)


@compiled("shift", "degrees", "zoom")
def _warp_program(key: Array, images: Array, shift: float, degrees: float, zoom: float) -> Array:
    return rounded_once(lambda images: _warp(key, images, shift, degrees, zoom), images)


def _warp(key: Array, images: Array, shift: float, degrees: float, zoom: float) -> Array:
    n, height, width, _ = images.shape
    dtype = images.dtype
    shift_key, turn_key, zoom_key = jax.random.split(key, 3)
    moved = jax.random.uniform(shift_key, (n, 2), dtype, -shift, shift)
    angle = jax.random.uniform(turn_key, (n,), dtype, -math.radians(degrees), math.radians(degrees))
    scale = jnp.exp(jax.random.uniform(zoom_key, (n,), dtype, -zoom, zoom))
    centre_row, centre_column = (height - 1) / 2, (width - 1) / 2
    rows, columns = jnp.meshgrid(
        jnp.arange(height, dtype=dtype) - centre_row, jnp.arange(width, dtype=dtype) - centre_column, indexing="ij"
    )

    def one(image: Array, moved: Array, angle: Array, scale: Array) -> Array:
        cosine, sine = jnp.cos(angle) * scale, jnp.sin(angle) * scale
        at = [
            cosine * rows - sine * columns + centre_row + moved[0],
            sine * rows + cosine * columns + centre_column + moved[1],
        ]
        return jax.vmap(lambda channel: map_coordinates(channel, at, order=1, mode="constant"), -1, -1)(image)

    return jax.vmap(one)(images, moved, angle, scale)


def crop(key: Array, images: Float[AnyArray, "n *s c"], *, padding: int = 4) -> Float[Array, "n *s c"]:
    """Each image moved by whole pixels: a crop of its own size out of the image continued by reflection.

    With t uniform in {−padding, …, padding} along each spatial axis of S pixels, the new image at p is the old one at r(p + t):
    r reflects at the middle of the edge pixels, r(−k) = k and r(S − 1 + k) = S − 1 − k, as often as it takes.

    Args:
        key: a JAX random key.
        images: (N, *S, C), floating.
        padding: by how many pixels it is moved at most.

    Returns:
        (N, *S, C), dtype of images; no new number is in it.

    Raises:
        ValueError: images without spatial axes, or a padding that is negative or no integer; by name.
        TypeError: no key, or no floating images; by name.

    Source: Lee et al. 2015, "Deeply-supervised nets" (with zeros); with reflection Zagoruyko & Komodakis 2016, "Wide residual
    networks".
    """
    key, images = _checked(key, images)
    return _crop(key, images, pixels("padding", padding, 0))


@compiled("padding")
def _crop(key: Array, images: Array, padding: int) -> Array:
    n, *sizes, _ = images.shape
    moves = jax.random.randint(key, (n, len(sizes)), -padding, padding + 1)

    def one(image: Array, moved: Array) -> Array:
        at = [_reflected(jnp.arange(size) + by, size) for size, by in zip(sizes, moved, strict=True)]
        return image[jnp.ix_(*at)]

    return jax.vmap(one)(images, moves)


def _reflected(at: Int[Array, " s"], size: int) -> Int[Array, " s"]:
    """Positions anywhere on a line as those inside that they are reflected to."""
    if size == 1:
        return jnp.zeros_like(at)
    at = at % (2 * (size - 1))
    return jnp.where(at < size, at, 2 * (size - 1) - at)


def flip(key: Array, images: Float[AnyArray, "n *s c"]) -> Float[Array, "n *s c"]:
    """Each image as it is, or as its mirror image: its last spatial axis, the width, reversed with probability ½.

    Args:
        key: a JAX random key.
        images: (N, *S, C), floating.

    Returns:
        (N, *S, C), dtype of images.

    Raises:
        ValueError: images without spatial axes.
        TypeError: no key, or no floating images; by name.

    Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks".
    """
    key, images = _checked(key, images)
    return _flip(key, images)


@compiled()
def _flip(key: Array, images: Array) -> Array:
    return _mirrored(images, jax.random.bernoulli(key, shape=images.shape[:1]))


def alternating_flip(
    key: Array, images: Float[AnyArray, "n *s c"], identity: UInt32[AnyArray, " n"], epoch: int | Int[AnyArray, ""]
) -> Float[Array, "n *s c"]:
    """Each image in turn as it is and as its mirror image, epoch by epoch; which way it begins is drawn, once for ever.

    So two epochs show every image both ways, where `flip` shows half of the images the same way twice.

    Args:
        key: a JAX random key, the same in all epochs.
        images: (N, *S, C), floating.
        identity: (N,), uint32: a number for each image, the same in all epochs, as `identities` finds.
        epoch: 0, 1, ….

    Returns:
        (N, *S, C), dtype of images.

    Raises:
        ValueError: images without spatial axes, not one number for each, or an epoch that is negative or no integer; by name.
        TypeError: no key, no floating images, or numbers that are not uint32; by name.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.6.
    """
    key, images = _checked(key, images)
    identity = arguments.ordered("identity", identity)
    if identity.dtype != jnp.uint32:
        raise TypeError(f"identity has dtype {identity.dtype.name}: expected uint32, as jcnn.data.augment.identities gives it")
    if identity.shape != images.shape[:1]:
        raise ValueError(f"identity has shape {identity.shape}: expected {images.shape[:1]}, a number for each image")
    return _alternating_flip(key, images, identity, _epoch(epoch))


def _epoch(epoch: Any) -> Array:
    if not isinstance(epoch, Tracer):
        return jnp.asarray(geometry.integer("epoch", epoch, 0), jnp.int32)
    if epoch.ndim or not jnp.issubdtype(epoch.dtype, jnp.integer):
        raise TypeError(f"epoch is {epoch.dtype.name}{list(epoch.shape)}: expected one integer")
    return epoch


@compiled()
def _alternating_flip(key: Array, images: Array, identity: Array, epoch: Array) -> Array:
    begins = jax.vmap(lambda number: jax.random.bernoulli(jax.random.fold_in(key, number)))(identity)
    return _mirrored(images, begins ^ (epoch % 2 == 1))


def identities(images: Num[AnyArray, "n ..."]) -> UInt32[Array, " n"]:
    """A number for each image that its values alone decide: Σ wᵢ vᵢ mod 2³², vᵢ their bits, wᵢ odd numbers by position.

    Two images that differ have the same one about once in 2³² times.

    Args:
        images: (N, …), as they are before anything is changed.

    Raises:
        TypeError: no array of numbers.
    """
    return _identities(arguments.ordered("images", images))


@compiled()
def _identities(images: Array) -> Array:
    words = {1: jnp.uint8, 2: jnp.uint16}.get(images.dtype.itemsize, jnp.uint32)
    values = jax.lax.bitcast_convert_type(images, words).reshape(images.shape[0], -1).astype(jnp.uint32)
    # The last steps of MurmurHash3 make unlike weights of 0, 1, 2, …
    weights = jnp.arange(1, values.shape[1] + 1, dtype=jnp.uint32)
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        weights = (weights ^ (weights >> 16)) * jnp.uint32(factor)
    weights |= jnp.uint32(1)
    return (values * weights[None]).sum(axis=1, dtype=jnp.uint32)


def cutout(key: Array, images: Float[AnyArray, "n *s c"], *, size: int = 8, fill: float = 0.0) -> Float[Array, "n *s c"]:
    """Each image with a square, or cube, of one value somewhere in it.

    Its centre is uniform over all pixels, so at an edge a part of it lies outside.

    Args:
        key: a JAX random key.
        images: (N, *S, C), floating.
        size: pixels along each spatial axis.
        fill: the value.

    Returns:
        (N, *S, C), dtype of images.

    Raises:
        ValueError: images without spatial axes, a size that is below 1 or no integer, or a fill that is not finite; by name.
        TypeError: no key, no floating images, or a fill that is no number; by name.

    Source: DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with cutout".
    """
    key, images = _checked(key, images)
    return _cutout(key, images, pixels("size", size, 1), arguments.number("fill", fill))


@compiled("size", "fill")
def _cutout(key: Array, images: Array, size: int, fill: float) -> Array:
    n, *sizes, _ = images.shape
    inside = jnp.ones((n, *[1] * (len(sizes) + 1)), bool)
    for axis, (own, length) in enumerate(zip(jax.random.split(key, len(sizes)), sizes, strict=True), 1):
        first = jax.random.randint(own, (n, 1), 0, length) - size // 2
        at = jnp.arange(length)[None]
        along = (first <= at) & (at < first + size)
        inside &= jnp.expand_dims(along, [other for other in range(1, images.ndim) if other != axis])
    return jnp.where(inside, jnp.asarray(fill, images.dtype), images)


def mixup(
    key: Array, images: Float[AnyArray, "n *s c"], targets: Float[AnyArray, "n classes"], *, alpha: float = 0.2
) -> tuple[Float[Array, "n *s c"], Float[Array, "n classes"]]:
    """Each image and its target blended with another of the batch: λ x + (1 − λ) x′ and λ y + (1 − λ) y′.

    λ is drawn from Beta(α, α) for each image, the other image by a permutation of the batch. The blends are computed in float32
    at least.

    Args:
        key: a JAX random key.
        images: (N, *S, C), floating; any rank.
        targets: (N, classes), the distributions over the classes, as `jax.nn.one_hot` makes them of class numbers.
        alpha: α: small, and most images stay nearly what they are; 1, and every blend is as likely.

    Returns:
        (images, targets), shapes and dtypes as given.

    Raises:
        ValueError: not one target for each image, or an alpha that is not positive and finite; by name.
        TypeError: no key, no floating arrays, or no number; by name.

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization".
    """
    key, images = _checked(key, images, None)
    targets = arguments.numeric("targets", targets)
    if targets.ndim != 2 or targets.shape[0] != images.shape[0]:
        raise ValueError(f"targets has shape {targets.shape}: expected ({images.shape[0]}, classes), a distribution for each")
    return _mixup(key, images, targets, positive("alpha", alpha))


@compiled("alpha")
def _mixup(key: Array, images: Array, targets: Array, alpha: float) -> tuple[Array, Array]:
    share_key, order_key = jax.random.split(key)
    n = images.shape[0]
    share = _symmetric_beta(share_key, alpha, n)
    other = jax.random.permutation(order_key, n)

    def blended(values: Array) -> Array:
        part = share.reshape(n, *[1] * (values.ndim - 1)).astype(values.dtype)
        return part * values + (1 - part) * values[other]

    return rounded_once(blended, images), rounded_once(blended, targets)


def _symmetric_beta(key: Array, alpha: float, n: int) -> Float[Array, " n"]:
    """n draws from Beta(α, α), float32, for any α > 0, without rejecting any.

    With Gamma(α) = Gamma(α + 1) U^{1/α} the ratio G/(G + G′) of two is, by its logit, that of two of α + 1, which is from
    Beta(α + 1, α + 1) = (1 + r)/2 with r = √(1 − U^{2/(2α + 1)}) cos 2πV, plus (ln U − ln U′)/α.

    Source: Ulrich 1984, "Computer generation of distributions on the m-sphere"; Devroye 1986, "Non-uniform random variate
    generation", IX.3.3.
    """
    radius, angle, first, second = jax.random.uniform(key, (4, n), jnp.float32, jnp.finfo(jnp.float32).tiny)
    r = jnp.sqrt(1 - radius ** (2 / (2 * alpha + 1))) * jnp.cos(2 * jnp.pi * angle)
    return jax.nn.sigmoid(2 * jnp.arctanh(r) + (jnp.log(first) - jnp.log(second)) / alpha)


def brightness_contrast(
    key: Array, images: Float[AnyArray, "n *s c"], *, brightness: float = 0.2, contrast: float = 0.2
) -> Float[Array, "n *s c"]:
    """Each image with another brightness and contrast: c (x − m) + m + b, where m is the mean of all its values.

    Computed in float32 at least. Values may leave the range that they were in: nothing is cut off.

    Args:
        key: a JAX random key.
        images: (N, *S, C), floating; any rank.
        brightness: b is uniform in [−brightness, brightness]; uint8 images come as 0 … 1.
        contrast: c is uniform in [1 − contrast, 1 + contrast].

    Returns:
        (N, *S, C), dtype of images.

    Raises:
        ValueError: an amount that is negative or not finite, or a contrast above 1; by name.
        TypeError: no key, no floating images, or an amount that is no number; by name.

    Source: Howard 2013, "Some improvements on deep convolutional neural network based image classification".
    """
    key, images = _checked(key, images, None)
    return _brightness_contrast(key, images, amount("brightness", brightness), part("contrast", contrast))


@compiled("brightness", "contrast")
def _brightness_contrast(key: Array, images: Array, brightness: float, contrast: float) -> Array:
    def changed(images: Array) -> Array:
        brightness_key, contrast_key = jax.random.split(key)
        per_image = (images.shape[0], *[1] * (images.ndim - 1))
        added = jax.random.uniform(brightness_key, per_image, images.dtype, -brightness, brightness)
        factor = jax.random.uniform(contrast_key, per_image, images.dtype, 1 - contrast, 1 + contrast)
        mean = images.mean(axis=tuple(range(1, images.ndim)), keepdims=True)
        return factor * (images - mean) + mean + added

    return rounded_once(changed, images)


def pixels(name: str, value: Any, minimum: int) -> int:
    """`value` as a number of pixels, from `minimum` to 2³⁰.

    Raises:
        ValueError: out of range, or no integer.
    """
    given = geometry.integer(name, value, minimum)
    if given > MOST_PIXELS:
        raise ValueError(geometry.wrong(name, value, f"at most {MOST_PIXELS:,} pixels"))
    return given


MOST_PIXELS = 2**30
"""So many and as many again are counted in 32 bits."""


def amount(name: str, value: Any) -> float:
    """`value` as a finite float from 0 on.

    Raises:
        ValueError: negative or not finite.
        TypeError: no number.
    """
    given = arguments.number(name, value)
    if given < 0:
        raise ValueError(geometry.wrong(name, value, "a number from 0 on"))
    return given


def positive(name: str, value: Any) -> float:
    """`value` as a finite float above 0.

    Raises:
        ValueError: 0, negative or not finite.
        TypeError: no number.
    """
    given = amount(name, value)
    if not given:
        raise ValueError(geometry.wrong(name, value, "a number above 0"))
    return given


def part(name: str, value: Any) -> float:
    """`value` as a float from 0 to 1.

    Raises:
        ValueError: out of range.
        TypeError: no number.
    """
    given = amount(name, value)
    if given > 1:
        raise ValueError(geometry.wrong(name, value, "a number from 0 to 1"))
    return given


def _mirrored(images: Array, chosen: Bool[Array, " n"]) -> Array:
    """The images, of those chosen the last spatial axis reversed."""
    return jnp.where(chosen.reshape(-1, *[1] * (images.ndim - 1)), images[..., ::-1, :], images)


def _checked(key: Any, images: Any, ranks: Sequence[int] | None = (1, 2, 3)) -> tuple[Array, Array]:
    """A key, and images of so many spatial axes; None: of any number."""
    key, images = arguments.random_key("key", key), arguments.numeric("images", images)
    if ranks is not None and images.ndim - 2 not in ranks:
        expected = "(N, H, W, C)" if tuple(ranks) == (2,) else "(N, *S, C) with 1 to 3 spatial axes"
        raise ValueError(f"images has shape {images.shape}: expected {expected}")
    arguments.not_empty("images", images)
    return key, images
