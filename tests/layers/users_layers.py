"""Layers as a user writes them: other names, parameters in nested pytrees, none of the house's helpers."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jcnn.layers import Context, Layer, Shape
from jcnn.layers.base import EVALUATION


class Mix(NamedTuple):
    """Two matrices, side by side in a pytree."""

    left: Array
    right: Array


@dataclass(frozen=True, repr=False)
class Gated(Layer):
    """scale · (x L ⊙ x R): its parameters are a dict with a space in a name, a list, and a named tuple."""

    units: int

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Any:
        left, right = jax.random.normal(key, (2, shape[-1], self.units), dtype)
        return {"the mix": [Mix(left, right)], "γ": {"scale": jnp.ones((), dtype)}}

    def multiply_adds(self, shape: Shape) -> int:
        return 2 * shape[-1] * self.units

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, Any]:
        (mix,) = params["the mix"]
        a, b = x @ mix.left, x @ mix.right
        return params["γ"]["scale"] * a * b, {"x": x, "sides": (a, b)}

    def backward(self, params: Any, saved: Any, dy: Array) -> tuple[Array, Any]:
        (mix,), scale = params["the mix"], params["γ"]["scale"]
        x, (a, b) = saved["x"], saved["sides"]
        da, db = scale * dy * b, scale * dy * a
        rows = x.reshape(-1, x.shape[-1])
        dw = Mix(*(rows.T @ part.reshape(-1, self.units) for part in (da, db)))
        return da @ mix.left.T + db @ mix.right.T, {"the mix": [dw], "γ": {"scale": (dy * a * b).sum()}}


@dataclass(frozen=True, repr=False)
class Noise(Layer):
    """What a layer sees of its context: adds normal numbers while the network learns, and its state at all times."""

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, None]:
        if context.training and context.key is not None:
            x = x + jax.random.normal(context.key, x.shape, x.dtype)
        return x if context.state is None else x + context.state, None


@dataclass(frozen=True, repr=False)
class Centred(Layer):
    """Subtracts the batch's mean of each channel in training, a running mean otherwise: a state without our helpers."""

    rate: float = 0.25

    def init_state(self, shape: Shape, dtype: Any) -> Any:
        return {"running": [jnp.zeros(shape[-1:], dtype)], "steps": jnp.zeros((), jnp.int32)}

    def next_state(self, saved: Any, state: Any) -> Any:
        _, mean = saved
        (before,) = state["running"]
        return {"running": [before + self.rate * (mean - before)], "steps": state["steps"] + 1}

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, Any]:
        mean = x.mean(tuple(range(x.ndim - 1))) if context.training else context.state["running"][0]
        return x - jnp.broadcast_to(mean, x.shape), (context.training, mean)

    def backward(self, params: Any, saved: Any, dy: Array) -> tuple[Array, Any]:
        training, _ = saved
        return dy - dy.mean(tuple(range(dy.ndim - 1)), keepdims=True) if training else dy, {}


@dataclass(frozen=True, repr=False)
class Dropped(Layer):
    """Leaves out about half of its inputs in training, and says that it draws."""

    @property
    def draws(self) -> bool:
        return True

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, Any]:
        key: Any = context.key
        kept = jax.random.bernoulli(key, 0.5, x.shape) if context.training else jnp.ones(x.shape, bool)
        return jnp.where(kept, x, 0), kept

    def backward(self, params: Any, saved: Any, dy: Array) -> tuple[Array, Any]:
        return jnp.where(saved, dy, 0), {}
