"""A first layer that whitens patches of images by filters which are not learned."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.lib.stride_tricks import sliding_window_view

from jcnn import arguments, geometry
from jcnn.conv.operation import conv, conv_gradients
from jcnn.geometry import wrong
from jcnn.layers.base import EVALUATION, Context, Layer, NetworkError, Parameters, Shape, Sizes, State
from jcnn.layers.spatial import Convolved
from jcnn.precision import sum_dtype
from jcnn.window import parse_window

__all__ = ["Whiten"]

AT_ONCE = 1 << 22
"""Numbers of patches that are looked at together."""


@dataclass(frozen=True, repr=False)
class Whiten(Layer):
    """A convolution whose filters make the values of a patch uncorrelated and equally strong, each beside its negative.

    With patches p of mean μ and covariance Σ = V diag(λ) Vᵀ over some images, the outputs are

        z = diag(λ + ε)^(−½) Vᵀ (p − μ)        y = (z, −z) + b

    2 · F · C of them a position, F pixels a patch of C channels. V, λ and μ are its state, taken from the first training images
    before the first step (`jcnn.adapt`, which `fit` calls) and never changed after that; b is learned. As `init_state` has it,
    before it has seen any, z is the patch itself. It is to stand first in a network: elsewhere it is shown no images.

    Attributes:
        window: F, an int or one per axis.
        epsilon: ε, so that directions in which patches hardly differ are not blown up.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.2.
    """

    window: Sizes = 2
    epsilon: float = 5e-4

    def __post_init__(self) -> None:
        epsilon = arguments.number("epsilon", self.epsilon)
        if epsilon <= 0:
            raise ValueError(wrong("epsilon", self.epsilon, "a number above 0"))
        self._keep(window=geometry.entries("window", self.window), epsilon=epsilon)

    def output_shape(self, shape: Shape) -> Shape:
        spatial = geometry.example_shape("shape", shape, (1, 2, 3))[:-1]
        window = parse_window(spatial, self.window)
        return (*window.output_shape(spatial), 2 * math.prod(self._patch(shape)))

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        return {"b": jnp.zeros((2 * math.prod(self._patch(shape)),), dtype)}

    def init_state(self, shape: Shape, dtype: Any) -> dict[str, Array]:
        """Filters that pass on each value of a patch, and take away nothing."""
        patch = self._patch(shape)
        w = jnp.eye(math.prod(patch), dtype=sum_dtype(jnp.zeros((), dtype))).reshape(*patch, -1)
        return {"w": jnp.concatenate([w, -w], -1), "b": jnp.zeros((2 * w.shape[-1],), w.dtype)}

    def next_state(self, saved: Any, state: State) -> State:
        return state

    def adapt(self, state: State, x: np.ndarray) -> dict[str, Array]:
        patch = self._patch(x.shape[1:])
        size, axes = math.prod(patch), tuple(range(1, x.ndim - 1))
        views = sliding_window_view(x, patch[:-1], axes)  # (N, *O, C, *F)
        views = np.moveaxis(views, x.ndim - 1, -1)
        count, total, products = 0, np.zeros(size), np.zeros((size, size))
        each = max(AT_ONCE // math.prod(views.shape[1:]), 1)
        for first in range(0, len(views), each):
            patches = views[first : first + each].reshape(-1, size).astype(np.float64)
            count, total, products = count + len(patches), total + patches.sum(0), products + patches.T @ patches
        mean = total / count
        strengths, directions = np.linalg.eigh(products / count - np.outer(mean, mean))
        # The strongest first, the sign of each such that its largest entry is positive: eigenvectors have none of their own.
        directions = directions[:, ::-1]
        directions = directions * np.sign(directions[np.abs(directions).argmax(0), np.arange(size)])
        w = directions / np.sqrt(np.maximum(strengths[::-1], 0) + self.epsilon)
        w = np.concatenate([w, -w], -1)
        dtype = state["w"].dtype
        return {"w": jnp.asarray(w.reshape(*patch, -1), dtype), "b": jnp.asarray(-mean @ w, dtype)}

    def multiply_adds(self, shape: Shape) -> int:
        size = math.prod(self._patch(shape))
        return math.prod(self.output_shape(shape)[:-1]) * size * 2 * size

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, tuple[Convolved, Array]]:
        if context.state is None:
            raise NetworkError(f"{self!r} is asked without a state: expected its filters in context.state")
        w, ops = context.state["w"].astype(x.dtype), context.ops
        y = conv(x, w, params["b"] + context.state["b"].astype(x.dtype), formulation=ops.formulation, gradient=ops.gradient)
        return y, (Convolved(x, ops.formulation), w)

    def backward(self, params: Parameters, saved: Any, dy: Array) -> tuple[Array, dict[str, Array]]:
        seen, w = saved
        dx, _, db = conv_gradients(
            dy, seen.x, w, stride=1, padding=0, dilation=1, groups=1, rounding="floor", formulation=seen.formulation
        )
        return dx, {"b": db}

    def _patch(self, shape: Shape) -> Shape:
        return (*geometry.per_axis("window", self.window, len(shape) - 1), shape[-1])
