"""A call of a convolution, parsed: what the ways to compute it are chosen by."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jcnn.precision import sum_dtype
from jcnn.window import Window


@dataclass(frozen=True)
class Call:
    """All that is known of a convolution before its numbers are; hashable, hence static under `jit`.

    What it says of itself in a method is where a way is valid, or taken.

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

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spatial sizes of the output."""
        return self.window.output_shape(self.sizes)

    @property
    def taps(self) -> int:
        """Number of filter positions."""
        return math.prod(self.window.size)

    def one_group(self) -> bool:
        """All channels meet all filters."""
        return self.groups == 1

    def depthwise(self) -> bool:
        """Every group looks at one channel only."""
        return self.groups > 1 and self.c_in == self.groups

    def few_products(self) -> bool:
        """No channels meet, or so few products make an output that their sum can be written out."""
        return self.depthwise() or self.c_in * self.taps <= 32

    def moves_by_one(self) -> bool:
        """Stride and dilation are 1."""
        return {*self.window.stride, *self.window.dilation} == {1}

    def strided(self) -> bool:
        """Pixels are left out between positions, none between taps."""
        return max(self.window.stride) > 1 and set(self.window.dilation) == {1}

    def minimal(self) -> bool:
        """Minimal filtering saves products: filters of several taps that move pixel by pixel, in float32 and without groups."""
        return self.sums_in_float32() and self.moves_by_one() and self.one_group() and self.taps > 1

    def sums_in_float32(self) -> bool:
        """Sums are taken in float32."""
        return sum_dtype(jax.ShapeDtypeStruct((), self.dtype)) == jnp.float32  # pyright: ignore[reportArgumentType]
