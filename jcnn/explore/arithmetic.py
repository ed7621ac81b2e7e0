"""One convolution of one grey picture, and the arithmetic of each of its numbers, written out."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from jcnn.check.precision import double_precision
from jcnn.conv import conv
from jcnn.geometry import Rounding, span
from jcnn.window import Window, parse_window


class Setting(NamedTuple):
    """How the window walks; the arguments of `jcnn.conv`."""

    stride: int = 1
    padding: int = 0
    dilation: int = 1
    rounding: Rounding = "floor"


class Layer(NamedTuple):
    """What went in, what came out.

    Attributes:
        x: the picture.
        w: the filter.
        setting: how the window walks.
        window: the same, parsed against the picture.
        y: the result.
    """

    x: Num[np.ndarray, "h w"]
    w: Float[np.ndarray, "f g"]
    setting: Setting
    window: Window
    y: Float[np.ndarray, "oh ow"]


class Product(NamedTuple):
    """One term of a sum: a pixel times a weight; padded: the pixel lies outside the picture and counts as 0."""

    pixel: float
    weight: float
    padded: bool


def forward(x: Num[np.ndarray, "h w"], w: Float[np.ndarray, "f g"], setting: Setting) -> Layer:
    """Convolves in float64.

    Raises:
        GeometryError: sizes that do not fit; the message names the numbers, and what would fit.
    """
    window = parse_window(x.shape, w.shape, **setting._asdict())
    with double_precision():
        y = conv(
            jnp.asarray(x, jnp.float64)[None, ..., None], jnp.asarray(w, jnp.float64)[..., None, None], **setting._asdict()
        )
    return Layer(x, w, setting, window, np.asarray(y)[0, ..., 0])


def corner(layer: Layer, row: int, column: int) -> tuple[int, int]:
    """The pixel under the window's first tap at a position; negative inside the padding."""
    stride, ((top, _), (left, _)) = layer.window.stride, layer.window.padding
    return stride[0] * row - top, stride[1] * column - left


def products(layer: Layer, row: int, column: int) -> list[list[Product]]:
    """The terms of the sum at a position, in the filter's rows."""
    top, left = corner(layer, row, column)
    height, width = layer.x.shape

    def product(i: int, j: int) -> Product:
        r, c = top + layer.window.dilation[0] * i, left + layer.window.dilation[1] * j
        inside = 0 <= r < height and 0 <= c < width
        return Product(float(layer.x[r, c]) if inside else 0.0, float(layer.w[i, j]), not inside)

    return [[product(i, j) for j in range(layer.w.shape[1])] for i in range(layer.w.shape[0])]


def number(value: float) -> str:
    """A number as short as it can be said, with a true minus sign."""
    return f"{value + 0.0:.5g}".replace("-", "−")


def factor(value: float) -> str:
    """A number that stands after a multiplication dot: in brackets if it is negative."""
    return f"({number(value)})" if value < 0 else number(value)


def sum_lines(layer: Layer, row: int, column: int) -> list[str]:
    """The sum at a position, a line for every row of the filter, then its value.

    `y[3, 4] = 0·(−1) + 5·0 + 12·1`, `+ …`, `= 23`
    """
    rows = [" + ".join(f"{number(p.pixel)}·{factor(p.weight)}" for p in line) for line in products(layer, row, column)]
    return [f"y[{row}, {column}] = {rows[0]}", *(f"+ {line}" for line in rows[1:]), f"= {number(layer.y[row, column])}"]


def size_sentences(layer: Layer) -> list[str]:
    """How many positions the window has along each axis, with the formula's numbers; one sentence where both are alike."""
    said = []
    for name, n, f, s, (lo, hi), d, out in zip(
        ("rows", "columns"), layer.x.shape, layer.w.shape, layer.window.stride, layer.window.padding, layer.window.dilation,
        layer.y.shape, strict=True,
    ):  # fmt: skip
        taps = f"{f}" if d == 1 else f"({d}·({f} − 1) + 1)"
        exact = (n + lo + hi - span(f, d)) / s + 1
        rest = "" if exact == out else f" = {exact:.4g}, rounded down to {out}"
        said.append((name, f"({n} + {lo} + {hi} − {taps})/{s} + 1 = {out if not rest else ''}".rstrip(" =") + rest))
    if said[0][1] == said[1][1]:
        return [f"rows and columns: {said[0][1]}"]
    return [f"{name}: {sentence}" for name, sentence in said]
