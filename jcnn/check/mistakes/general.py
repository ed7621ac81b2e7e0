"""Mistakes that any operation can have."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jcnn.check.bounds import as_leaves
from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.check.operations import KINDS, kind_of

Array = np.ndarray

_BACKWARD = tuple(kind for kind in KINDS if kind.endswith("backward"))
_LOSSES = ("softmax_cross_entropy", "mean_squared_error")


def _after(kind: str, change: Callable[..., Any]) -> Wrong:
    """change(leaf, first argument) of every right leaf."""

    def wrong(*args: Any, **options: Any) -> Any:
        right = as_leaves(kind_of(kind).reference(*args, **options))
        changed = [change(leaf, args[0]) for leaf in right]
        return tuple(changed) if len(changed) > 1 else changed[0]

    return wrong


def _dy_ignored(kind: str) -> Wrong:
    return lambda dy, *args, **options: kind_of(kind).reference(np.ones_like(dy), *args, **options)


def _integers_kept(kind: str) -> Wrong:
    def wrong(x: Array, *args: Any, **options: Any) -> Array:
        return kind_of(kind).reference(x, *args, **options).astype(x.dtype).astype(np.float64)

    return wrong


def _exchanged(kind: str) -> Wrong:
    def wrong(*args: Any, **options: Any) -> Any:
        dx, dw, db = kind_of(kind).reference(*args, **options)
        return dw, dx, db

    return wrong


def _rounded(kind: str, dtype: Any) -> Wrong:
    """Arguments and results held in another dtype."""

    def hold(value: Any) -> Any:
        floating = isinstance(value, np.ndarray) and value.dtype == np.float64
        return value.astype(dtype).astype(np.float64) if floating else value

    def wrong(*args: Any, **options: Any) -> Any:
        held = [hold(leaf) for leaf in as_leaves(kind_of(kind).reference(*map(hold, args), **options))]
        return tuple(held) if len(held) > 1 else held[0]

    return wrong


def _low_precision(name: str, digits: int, kinds: tuple[str, ...]) -> Mistake:
    return Mistake(
        f"{name} arithmetic",
        f"Right to about {digits} digits, no more: somewhere it computes in {name} though it is given float64.",
        {kind: _rounded(kind, jnp.dtype(name)) for kind in kinds},
        "rounding",
    )


# Selecting is exact in any precision but the ties that rounding makes, and of a few bits there are many.
_NOT_SELECTING = tuple(kind for kind in KINDS if "max" not in kind or "softmax" in kind)

MISTAKES = (
    Mistake(
        "dy ignored",
        "The output gradient dy is not used: the chain rule multiplies by it, and only at the end of a network it is 1.",
        {kind: _dy_ignored(kind) for kind in _BACKWARD},
    ),
    Mistake(
        "sign turned",
        "Every number has the wrong sign.",
        {kind: _after(kind, lambda leaf, _: -leaf) for kind in (*_BACKWARD, *_LOSSES)},
    ),
    Mistake(
        "divided by the batch size",
        "Everything is divided by the number of examples N: a gradient adds up over the batch; where the loss is a mean, its "
        "1/N is in dy already.",
        {kind: _after(kind, lambda leaf, dy: leaf / dy.shape[0]) for kind in (*_BACKWARD, *_LOSSES)},
    ),
    Mistake(
        "gradients in another order",
        "dx and dw are returned in each other's place: the order is (dx, dw, db).",
        {kind: _exchanged(kind) for kind in ("conv_backward", "dense_backward")},
    ),
    Mistake(
        "integers kept",
        "The result is written into an array of the image's own dtype (zeros_like(x), or dtype=x.dtype): from an image of "
        "integers every fraction is cut off.",
        {kind: _integers_kept(kind) for kind in ("conv", "avg_pool", "dense")},
    ),
    _low_precision("float32", 7, KINDS),
    _low_precision("float16", 3, _NOT_SELECTING),
    _low_precision("bfloat16", 2, _NOT_SELECTING),
)
