"""A call of a convolution, parsed: what the ways to compute it are chosen by."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jcnn.precision import sum_dtype
from jcnn.window import Window


@dataclass(frozen=True)
class Call:
    """All that is known of a convolution before its numbers are; hashable, hence static under `jit`.

    Attributes:
        window: the parsed window.
        groups: as in `conv`.
        c_in: channels of the input.
        c_out: channels of the output.
        sizes: spatial sizes of the input.
        dtype: of the arrays.
    """

    window: Window
    groups: int
    c_in: int
    c_out: int
    sizes: tuple[int, ...]
    dtype: str

    @staticmethod
    def of(x: Array, w: Array, window: Window, groups: int) -> "Call":
        """The call with these arrays, which fit each other and the window."""
        return Call(window, groups, x.shape[-1], w.shape[-1], tuple(x.shape[1:-1]), x.dtype.name)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spatial sizes of the output."""
        return self.window.output_shape(self.sizes)

    @property
    def taps(self) -> int:
        """Number of filter positions."""
        return math.prod(self.window.size)

    @property
    def depthwise(self) -> bool:
        """Whether every group looks at one channel only."""
        return self.groups > 1 and self.c_in == self.groups

    @property
    def moves_by_one(self) -> bool:
        """Whether stride and dilation are 1."""
        return {*self.window.stride, *self.window.dilation} == {1}

    @property
    def sums_in_float32(self) -> bool:
        """Whether sums are taken in float32."""
        return sum_dtype(jax.ShapeDtypeStruct((), self.dtype)) == jnp.float32  # pyright: ignore[reportArgumentType]
