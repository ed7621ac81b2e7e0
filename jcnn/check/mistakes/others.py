"""Mistakes of dropout, of enlarging, and of targets that are smoothed, weighted or ignored."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.formulas import kept, log_softmax, softmax
from jcnn.check.mistakes.catalogue import Mistake, Wrong

Array = np.ndarray
Factor = int | Sequence[int]


def _dropped(change: Callable[[Array, Array, float], Array]) -> Wrong:
    """Dropout by x, the mask and the rate."""

    def dropout(x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
        return change(x, kept(x, key, rate=rate, spatial=spatial), rate)

    return dropout


def _dropped_back(change: Callable[[Array, Array, Array, float], Array]) -> Wrong:
    """Its backward, by dy, x, the mask and the rate."""

    def dropout_backward(dy: Array, x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
        return change(dy, x, kept(x, key, rate=rate, spatial=spatial), rate)

    return dropout_backward


def _single_values(x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
    return formulas.dropout(x, key, rate=rate)


def _single_values_back(dy: Array, x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
    return formulas.dropout_backward(dy, x, key, rate=rate)


def _times(number: float, rate: float) -> float:
    return number / rate if rate else np.inf


DROPOUT = (
    Mistake(
        "not divided by what is kept",
        "Kept values are not divided by 1 − rate: the expectation shrinks, and evaluation, where nothing is dropped, sees "
        "larger numbers than training did.",
        {
            "dropout": _dropped(lambda x, keep, rate: x * keep),
            "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * keep),
        },
    ),
    Mistake(
        "divided by the rate",
        "Kept values are divided by the rate: they are divided by the probability to be kept, 1 − rate.",
        {
            "dropout": _dropped(lambda x, keep, rate: x * keep * _times(1, rate)),
            "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * keep * _times(1, rate)),
        },
    ),
    Mistake(
        "multiplied by what is kept",
        "Kept values are multiplied by 1 − rate: dividing by it keeps the expectation.",
        {
            "dropout": _dropped(lambda x, keep, rate: x * keep * (1 - rate)),
            "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * keep * (1 - rate)),
        },
    ),
    Mistake(
        "mask turned round",
        "What should be dropped is kept, and the other way round: the rate is the probability to be dropped.",
        {
            "dropout": _dropped(lambda x, keep, rate: x * ~keep / (1 - rate)),
            "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * ~keep / (1 - rate)),
        },
    ),
    Mistake(
        "nothing dropped",
        "Nothing is dropped, as in evaluation: in training values become 0 by the mask.",
        {"dropout": _dropped(lambda x, keep, rate: x), "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy)},
    ),
    Mistake(
        "single values dropped in place of maps",
        "Single values are dropped where whole maps are to be: spatial dropout draws once for each example and channel.",
        {"dropout": _single_values, "dropout_backward": _single_values_back},
    ),
    Mistake(
        "mask not used on the way back",
        "dx has no mask in it: what was dropped had no part in the output, so its gradient is 0.",
        {"dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy / (1 - rate))},
    ),
    Mistake(
        "divided twice",
        "It is divided by 1 − rate twice, as where the mask that is kept has the factor in it already.",
        {
            "dropout": _dropped(lambda x, keep, rate: x * keep / (1 - rate) ** 2),
            "dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * keep / (1 - rate) ** 2),
        },
    ),
    Mistake(
        "output in place of the mask",
        "dy is multiplied by the forward pass's output: it is multiplied by the mask alone.",
        {"dropout_backward": _dropped_back(lambda dy, x, keep, rate: dy * x * keep / (1 - rate))},
    ),
)


def _each(x: Array, factor: Factor) -> tuple[int, ...]:
    return (factor,) * (x.ndim - 2) if isinstance(factor, int) else tuple(factor)


def _corners_aligned(array: Array, x: Array, factor: Factor, *, back: bool) -> Array:
    """The first and the last output lie on the first and the last pixel."""
    for axis, (size, times) in enumerate(zip(x.shape[1:-1], _each(x, factor), strict=True), 1):
        outputs = np.arange(size * times)
        position = outputs * (size - 1) / max(size * times - 1, 1)
        array = _by_position(array, position, size, axis, back=back)
    return array


def _from_the_first(array: Array, x: Array, factor: Factor, *, back: bool) -> Array:
    """Output o lies at o / A."""
    for axis, (size, times) in enumerate(zip(x.shape[1:-1], _each(x, factor), strict=True), 1):
        array = _by_position(array, np.arange(size * times) / times, size, axis, back=back)
    return array


def _zeros_outside(array: Array, x: Array, factor: Factor, *, back: bool) -> Array:
    """What lies beyond the edge is 0."""
    for axis, (size, times) in enumerate(zip(x.shape[1:-1], _each(x, factor), strict=True), 1):
        position = (np.arange(size * times) + 0.5) / times - 0.5
        array = _by_position(array, position, size, axis, back=back, outside=True)
    return array


def _by_position(array: Array, position: Array, size: int, axis: int, *, back: bool, outside: bool = False) -> Array:
    matrix = np.maximum(1 - np.abs(np.arange(size) - position[:, None]), 0)
    if not outside:
        clipped = np.clip(position, 0, size - 1)
        matrix = np.maximum(1 - np.abs(np.arange(size) - clipped[:, None]), 0)
    return np.moveaxis(np.tensordot(matrix.T if back else matrix, array, (1, axis)), 0, axis)


def _lines(change: Callable[..., Array]) -> dict[str, Wrong]:
    """Both passes, with other lines between the pixels."""

    def upsample(x: Array, factor: Factor, *, method: str = "nearest") -> Array:
        return formulas.upsample(x, factor) if method == "nearest" else change(x, x, factor, back=False)

    def upsample_backward(dy: Array, x: Array, factor: Factor, *, method: str = "nearest") -> Array:
        return formulas.upsample_backward(dy, x, factor) if method == "nearest" else change(dy, x, factor, back=True)

    return {"upsample": upsample, "upsample_backward": upsample_backward}


def _first_of_each(x: Array, factor: Factor) -> tuple[slice, ...]:
    return (slice(None), *(slice(None, None, times) for times in _each(x, factor)))


def _zeros_between(x: Array, factor: Factor, *, method: str = "nearest") -> Array:
    y = np.zeros_like(formulas.upsample(x, factor))
    y[_first_of_each(x, factor)] = x
    return y


def _tiled(x: Array, factor: Factor, *, method: str = "nearest") -> Array:
    return np.tile(x, (1, *_each(x, factor), 1))


def _tiled_back(dy: Array, x: Array, factor: Factor, *, method: str = "nearest") -> Array:
    pairs = [size for pair in zip(_each(x, factor), x.shape[1:-1], strict=True) for size in pair]
    return dy.reshape(len(x), *pairs, x.shape[-1]).sum(tuple(range(1, 2 * x.ndim - 4, 2)))


def _averaged(dy: Array, x: Array, factor: Factor, *, method: str = "nearest") -> Array:
    return formulas.upsample_backward(dy, x, factor, method=method) / np.prod(_each(x, factor))


UPSAMPLE = (
    Mistake(
        "zeros between the pixels",
        "Pixels are set apart with zeros between them: each is to be repeated, factor times along every axis.",
        {"upsample": _zeros_between},
    ),
    Mistake(
        "map repeated in place of its pixels",
        "The whole map is put side by side (np.tile): every pixel is repeated where it stands (np.repeat).",
        {"upsample": _tiled, "upsample_backward": _tiled_back},
    ),
    Mistake(
        "corners aligned",
        "The corner pixels of input and output lie on each other (align_corners=True): output o lies at (o + ½)/A − ½.",
        _lines(_corners_aligned),
    ),
    Mistake(
        "half a pixel off",
        "Output o is taken from the position o/A: the middles of the pixels meet at (o + ½)/A − ½.",
        _lines(_from_the_first),
    ),
    Mistake(
        "zeros beyond the edge",
        "Beyond the edge lie zeros, so the outputs there are too small: there the pixel at the edge counts.",
        _lines(_zeros_outside),
    ),
    Mistake(
        "nearest in place of lines",
        "Pixels are repeated where lines between them are asked for.",
        _lines(
            lambda array, x, factor, *, back: (
                formulas.upsample_backward(array, x, factor) if back else formulas.upsample(array, factor)
            )
        ),
    ),
    Mistake(
        "mean instead of sum over the copies",
        "dx is the mean over a pixel's copies: each of them moves the loss, so their gradients are added.",
        {"upsample_backward": _averaged},
    ),
    Mistake(
        "first copy only",
        "dx is the gradient of each pixel's first copy (dy[:, ::A]): all its copies count.",
        {"upsample_backward": lambda dy, x, factor, *, method="nearest": dy[_first_of_each(x, factor)]},
    ),
)


def _aimed(aim: Callable[..., Array]) -> dict[str, Wrong]:
    """The loss and its gradient with another target."""

    def softmax_cross_entropy(logits: Array, labels: Array, **options: Any) -> Array:
        return -(aim(logits, labels, **options) * log_softmax(logits)).sum(-1)

    def softmax_cross_entropy_backward(dy: Array, logits: Array, labels: Array, **options: Any) -> Array:
        t = aim(logits, labels, **options)
        return dy[..., None] * (softmax(logits) * t.sum(-1, keepdims=True) - t)

    return {
        "softmax_cross_entropy": softmax_cross_entropy,
        "softmax_cross_entropy_backward": softmax_cross_entropy_backward,
    }


def _over_the_others(logits: Array, labels: Array, *, label_smoothing: float = 0.0, **options: Any) -> Array:
    classes = logits.shape[-1]
    spread = label_smoothing / max(classes - 1, 1)
    t = formulas.aimed_at(logits, labels, **options)
    every = formulas.aimed_at(logits, labels, label_smoothing=1.0, **options) * classes
    return (1 - label_smoothing) * t + spread * (every - t)


def _weight_of_the_label(logits: Array, labels: Array, *, class_weights: Array | None = None, **options: Any) -> Array:
    t = formulas.aimed_at(logits, labels, **options)
    if class_weights is None:
        return t
    own = formulas.aimed_at(logits, labels, class_weights=class_weights, ignored_label=options.get("ignored_label"))
    return t * own.sum(-1, keepdims=True)


def _without(name: str) -> Callable[..., Array]:
    def aim(logits: Array, labels: Array, **options: Any) -> Array:
        return formulas.aimed_at(logits, labels, **{key: value for key, value in options.items() if key != name})

    return aim


def _ignored_counted(logits: Array, labels: Array, *, ignored_label: int | None = None, **options: Any) -> Array:
    return formulas.aimed_at(logits, labels if labels.shape == logits.shape else labels % logits.shape[-1], **options)


TARGETS = (
    Mistake(
        "smoothing over the other classes",
        "What is taken from the label is spread over the other classes, s/(C − 1) each: it is spread over all, s/C each.",
        _aimed(_over_the_others),
    ),
    Mistake(
        "smoothing left out",
        "The labels are not smoothed: the target is (1 − s) t + s/C.",
        _aimed(_without("label_smoothing")),
    ),
    Mistake(
        "class weights left out",
        "The classes are not weighted: each class's part of the target is multiplied by its weight.",
        _aimed(_without("class_weights")),
    ),
    Mistake(
        "weight of the label for all classes",
        "The whole loss of an example is multiplied by the weight of its label: with smoothing every class's part has the "
        "weight of that class.",
        _aimed(_weight_of_the_label),
    ),
    Mistake(
        "ignored examples counted",
        "Examples with the ignored label count: their loss and gradient are 0.",
        _aimed(_ignored_counted),
    ),
)

MISTAKES = (*DROPOUT, *UPSAMPLE, *TARGETS)
