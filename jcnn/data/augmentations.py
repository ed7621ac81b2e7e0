"""What a recipe does to the images it shows, as small frozen values: `(Flip(), Crop(padding=4), Cutout(size=8))`.

Each is one function of `jcnn.data.augment` with its amounts. They are done in their order, on the batch of every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import jax
from jax import Array
from jaxtyping import Float, Int, Num, UInt32

from jcnn import arguments, named_values
from jcnn.data.augment import (
    alternating_flip,
    amount,
    brightness_contrast,
    crop,
    cutout,
    flip,
    mixup,
    part,
    pixels,
    positive,
    warp,
)
from jcnn.precision import sum_dtype


class Batch(NamedTuple):
    """A batch on its way, and what an augmentation may go by.

    Attributes:
        images: (B, *S, C), floating.
        targets: class numbers (B,); once something mixes them, distributions (B, classes), at least float32.
        identity: (B,), a number for each image, the same in every epoch.
        epoch: 0, 1, ….
        run_key: a random key that is the same in every step.
    """

    images: Float[Array, "b *s c"]
    targets: Num[Array, "b *classes"]
    identity: UInt32[Array, " b"]
    epoch: Int[Array, ""]
    run_key: Array


@dataclass(frozen=True)
class Augmentation:
    """A change of the images of a batch, with its amounts; equal values do the same.

    Attributes:
        ranks: numbers of spatial axes that it can be done with.
        mixes: whether it changes targets, which then are distributions.
    """

    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    mixes: ClassVar[bool] = False

    def apply(self, key: Array, batch: Batch) -> Batch:
        """The batch, changed; a pure function of both."""
        return batch._replace(images=self.changed(key, batch.images))

    def changed(self, key: Array, images: Float[Array, "b *s c"]) -> Float[Array, "b *s c"]:
        """The images, changed, where that is all that it does."""
        raise NotImplementedError


@dataclass(frozen=True)
class Warp(Augmentation):
    """Shifts, turns and resizes each image; amounts as `warp`."""

    ranks: ClassVar[tuple[int, ...]] = (2,)
    shift: float = 1.0
    degrees: float = 15.0
    zoom: float = 0.15

    def __post_init__(self) -> None:
        for name in ("shift", "degrees", "zoom"):
            _keep(self, name, amount(name, getattr(self, name)))

    def changed(self, key: Array, images: Array) -> Array:
        return warp(key, images, shift=self.shift, degrees=self.degrees, zoom=self.zoom)


@dataclass(frozen=True)
class Crop(Augmentation):
    """Moves each image by up to `padding` whole pixels, continued by reflection; as `crop`."""

    padding: int = 4

    def __post_init__(self) -> None:
        _keep(self, "padding", pixels("padding", self.padding, 0))

    def changed(self, key: Array, images: Array) -> Array:
        return crop(key, images, padding=self.padding)


@dataclass(frozen=True)
class Flip(Augmentation):
    """Shows half of the images as their mirror images, drawn anew every time; as `flip`."""

    def changed(self, key: Array, images: Array) -> Array:
        return flip(key, images)


@dataclass(frozen=True)
class AlternatingFlip(Augmentation):
    """Shows each image and its mirror image in turn, epoch by epoch; as `alternating_flip`."""

    def apply(self, key: Array, batch: Batch) -> Batch:
        del key
        return batch._replace(images=alternating_flip(batch.run_key, batch.images, batch.identity, batch.epoch))


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Puts a square of `size` pixels of the value `fill` somewhere into each image; as `cutout`."""

    size: int = 8
    fill: float = 0.0

    def __post_init__(self) -> None:
        _keep(self, "size", pixels("size", self.size, 1))
        _keep(self, "fill", arguments.number("fill", self.fill))

    def changed(self, key: Array, images: Array) -> Array:
        return cutout(key, images, size=self.size, fill=self.fill)


@dataclass(frozen=True)
class Mixup(Augmentation):
    """Blends each image, and its target, with another of the batch; as `mixup`."""

    ranks: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    mixes: ClassVar[bool] = True
    alpha: float = 0.2

    def __post_init__(self) -> None:
        _keep(self, "alpha", positive("alpha", self.alpha))

    def apply(self, key: Array, batch: Batch) -> Batch:
        images, targets = mixup(key, batch.images, batch.targets, alpha=self.alpha)
        return batch._replace(images=images, targets=targets)


@dataclass(frozen=True)
class BrightnessContrast(Augmentation):
    """Gives each image another brightness and contrast; amounts as `brightness_contrast`."""

    ranks: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    brightness: float = 0.2
    contrast: float = 0.2

    def __post_init__(self) -> None:
        _keep(self, "brightness", amount("brightness", self.brightness))
        _keep(self, "contrast", part("contrast", self.contrast))

    def changed(self, key: Array, images: Array) -> Array:
        return brightness_contrast(key, images, brightness=self.brightness, contrast=self.contrast)


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "warp": Warp,
    "crop": Crop,
    "flip": Flip,
    "alternating-flip": AlternatingFlip,
    "cutout": Cutout,
    "mixup": Mixup,
    "brightness-contrast": BrightnessContrast,
}
"""By the names that they have in words and as data."""

Augment = bool | tuple[Augmentation, ...]
"""What a recipe says of it: True is the warp alone, False nothing."""


def parts(augment: Augment) -> tuple[Augmentation, ...]:
    """The augmentations that are meant, in their order."""
    if isinstance(augment, tuple):
        return augment
    return (Warp(),) if augment else ()


def check(augment: Any) -> None:
    """Raises ValueError unless it is True, False, or a tuple of augmentations."""
    whole = isinstance(augment, tuple) and all(type(one) in AUGMENTATIONS.values() for one in augment)
    if not whole and not isinstance(augment, bool):
        listed = ", ".join(kind.__name__ for kind in AUGMENTATIONS.values())
        raise ValueError(f"augment={augment!r}: expected True, False, or a tuple of augmentations: {listed}")


def check_rank(augment: Augment, rank: int) -> None:
    """Raises ValueError for an augmentation that cannot be done with images of so many spatial axes."""
    for one in parts(augment):
        if rank not in one.ranks:
            needed = "(N, H, W, C)" if one.ranks == (2,) else "(N, *S, C), with at least one spatial axis"
            raise ValueError(
                f"augment={augment!r}: expected images {needed}, for {type(one).__name__}, and train has {rank} spatial axes; "
                "give Recipe(augment=False)"
            )


def augmented(augment: Augment, key: Array, batch: Batch, classes: int) -> Batch:
    """The batch after all augmentations in turn.

    One alone takes the key as it is; of more, each takes its own part of it.

    Args:
        augment: what to do.
        key: of the step.
        batch: as the step has it, its targets class numbers.
        classes: how many there are; for those that mix targets.
    """
    chosen = parts(augment)
    if any(one.mixes for one in chosen):
        batch = batch._replace(targets=jax.nn.one_hot(batch.targets, classes, dtype=sum_dtype(batch.images)))
    keys = [key] if len(chosen) == 1 else jax.random.split(key, max(len(chosen), 1))
    for one, own in zip(chosen, keys, strict=False):
        batch = one.apply(own, batch)
    return batch


def from_words(words: Sequence[str]) -> Augment:
    """Augmentations as the command line has them: `flip,crop:4,cutout:8`; `none` for none, and no word at all for the warp.

    Raises:
        ValueError: no such augmentation, or numbers that it does not take.
    """
    each = [word for text in words for word in text.split(",") if word]
    if each in ([], ["warp"]):
        return True
    if each == ["none"]:
        return False
    return tuple(named_values.from_words("augment", word, AUGMENTATIONS) for word in each)


def in_words(augment: Augment) -> str:
    """The words that `from_words` makes it from."""
    return ",".join(named_values.in_words(one, AUGMENTATIONS) for one in parts(augment)) or "none"


def to_data(augment: Augment) -> Any:
    """As a run's files hold it: True, False, or a list of names and amounts; what is data already stays it."""
    return [named_values.to_data(one, AUGMENTATIONS) for one in augment] if isinstance(augment, tuple) else augment


def from_data(data: Any) -> Augment:
    """What `to_data` wrote; anything but a list is left for `check` to refuse.

    Raises:
        ValueError: a list that holds something else.
    """
    if not isinstance(data, list):
        return data
    return tuple(named_values.from_data("augment", one, AUGMENTATIONS) for one in cast(list[Any], data))


def usage() -> str:
    """All words there are, with their amounts."""
    return ", ".join(named_values.usage(name, AUGMENTATIONS) for name in AUGMENTATIONS)


def _keep(value: Augmentation, name: str, checked: Any) -> None:
    object.__setattr__(value, name, checked)
