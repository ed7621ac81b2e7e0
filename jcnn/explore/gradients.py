"""The way back through one convolution, by the gradients that were derived by hand."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jcnn.check.precision import double_precision
from jcnn.conv import conv, conv_backward
from jcnn.explore.arithmetic import Layer

HERE, ALL, OUTPUT, OWN = "1 here, 0 elsewhere", "1 everywhere", "the output itself", "numbers of my own"
CHOICES = (HERE, ALL, OUTPUT, OWN)

SAYS = {
    HERE: "The loss is this one number of the output. Then dx is the filter, laid where the window stands, and dw is what the "
    "window sees there.",
    ALL: "The loss is the sum of all outputs. Every position lays the filter down, and where they overlap they add up.",
    OUTPUT: "The loss is ½ Σ y², whose gradient by y is y: large outputs pull hardest.",
    OWN: "Type into the table: how much the loss rises for each 1 that a number of the output rises. (An output too large "
    "for a table is given 1 here, 0 elsewhere.)",
}


class Gradients(NamedTuple):
    """What comes back.

    Attributes:
        dy: what was given.
        dx: by the picture.
        dw: by the filter.
        off: the largest difference from what JAX derives.
    """

    dy: Float[np.ndarray, "oh ow"]
    dx: Float[np.ndarray, "h w"]
    dw: Float[np.ndarray, "f g"]
    off: float


def output_gradient(layer: Layer, choice: str, row: int, column: int) -> Float[np.ndarray, "oh ow"]:
    """The output gradient of a choice; numbers of one's own begin as those of `HERE`."""
    if choice == ALL:
        return np.ones_like(layer.y)
    if choice == OUTPUT:
        return layer.y
    dy = np.zeros_like(layer.y)
    dy[row, column] = 1
    return dy


def backward(layer: Layer, dy: Float[np.ndarray, "oh ow"]) -> Gradients:
    """The gradients by hand, and how far off those of `jax.vjp` are."""
    options = layer.setting._asdict()
    with double_precision():
        x = jnp.asarray(layer.x, jnp.float64)[None, ..., None]
        w = jnp.asarray(layer.w, jnp.float64)[..., None, None]
        given = jnp.asarray(dy, jnp.float64)[None, ..., None]
        dx, dw, _ = conv_backward(given, x, w, **options)
        theirs = jax.vjp(lambda x, w: conv(x, w, **options), x, w)[1](given)
        off = max(float(jnp.abs(ours - other).max()) for ours, other in zip((dx, dw), theirs, strict=True))
    return Gradients(dy, np.asarray(dx)[0, ..., 0], np.asarray(dw)[..., 0, 0], off)
