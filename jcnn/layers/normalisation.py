"""Layers that normalise: batch, layer and group normalisation, each with one scale and one offset a channel."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jcnn import arguments, geometry
from jcnn.geometry import GeometryError, wrong
from jcnn.layers.base import EVALUATION, Context, Layer, NetworkError, Parameters, Shape, State
from jcnn.normalisation import (
    Axes,
    batch_norm,
    batch_norm_backward,
    batch_statistics,
    group_norm,
    group_norm_backward,
    layer_norm,
    layer_norm_backward,
)
from jcnn.precision import sum_dtype

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm"]


@dataclass(frozen=True, repr=False, kw_only=True)
class _Normalisation(Layer):
    """What the three share.

    Attributes:
        epsilon: what is added to the variance.
        scale: whether a scale is learned; it is 1 otherwise.
        offset: whether an offset is learned; it is 0 otherwise.
    """

    epsilon: float = 1e-5
    scale: bool = True
    offset: bool = True

    def __post_init__(self) -> None:
        epsilon = arguments.number("epsilon", self.epsilon)
        if epsilon <= 0:
            raise ValueError(wrong("epsilon", self.epsilon, "a number above 0"))
        scale, offset = arguments.flag("scale", self.scale), arguments.flag("offset", self.offset)
        self._keep(epsilon=epsilon, scale=scale, offset=offset)

    @property
    def transparent(self) -> bool:
        return True

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        """Scales of 1, offsets of 0."""
        return self._learned(jnp.ones(shape[-1:], dtype), jnp.zeros(shape[-1:], dtype))

    def multiply_adds(self, shape: Shape) -> int:
        """One a value for the variance, and one to normalise, scale and shift."""
        return 2 * math.prod(shape)

    def _learned(self, scale: Array, offset: Array) -> dict[str, Array]:
        """What of the two is learned, by name."""
        return {**({"scale": scale} if self.scale else {}), **({"offset": offset} if self.offset else {})}

    def _scale_and_offset(self, params: Parameters, x: Array) -> tuple[Array, Array]:
        """Both, 1 and 0 where they are not learned."""
        one, zero = jnp.ones(x.shape[-1:], x.dtype), jnp.zeros(x.shape[-1:], x.dtype)
        return params.get("scale", one), params.get("offset", zero)


@dataclass(frozen=True, repr=False)
class BatchNorm(_Normalisation):
    """Batch normalisation: every channel to mean 0 and variance 1, then scaled and shifted.

    In training by the statistics of the batch, in evaluation by running ones, which are its state. A forward pass in training
    over m values a channel moves them, from 0 and 1 on, by

        mean     ← (1 − momentum) · mean     + momentum · mean of the batch
        variance ← (1 − momentum) · variance + momentum · variance of the batch · m / (m − 1)

    The momentum is how much of a batch goes in, as PyTorch counts it; in Keras and Flax it is what stays. The variance of the
    batch is made unbiased, as in PyTorch, since the running one stands for that of all images.

    Attributes:
        momentum: above 0, at most 1.
        epsilon: what is added to the variance.
        scale: whether a scale is learned; it is 1 otherwise.
        offset: whether an offset is learned; it is 0 otherwise.
        axis_name: mapped axes of `jax.shard_map` or `jax.vmap` that the batch is split along: in training the statistics are
            then those of the whole batch. Under `jax.jit` with sharded arrays they are so without it.

    Source: Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift".
    """

    momentum: float = 0.1
    axis_name: str | tuple[str, ...] | None = None
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        momentum = arguments.number("momentum", self.momentum)
        if not 0 < momentum <= 1:
            raise ValueError(wrong("momentum", self.momentum, "how much of a batch goes in, above 0 and at most 1"))
        self._keep(momentum=momentum, axis_name=_axis_name(self.axis_name))

    def init_state(self, shape: Shape, dtype: Any) -> dict[str, Array]:
        """A mean of 0 and a variance of 1 for each channel, in at least float32."""
        dtype = sum_dtype(jnp.zeros((), dtype))
        return {"mean": jnp.zeros(shape[-1:], dtype), "variance": jnp.ones(shape[-1:], dtype)}

    def next_state(self, saved: "Normalised", state: State) -> dict[str, Array]:
        mean, variance = batch_statistics(jax.lax.stop_gradient(saved.x), axis_name=self.axis_name)
        values = math.prod(saved.x.shape[:-1]) * (1 if self.axis_name is None else jax.lax.axis_size(self.axis_name))
        batch = {"mean": mean, "variance": variance * (values / (values - 1))}
        return {name: (1 - self.momentum) * state[name] + self.momentum * batch[name] for name in batch}

    def multiply_adds(self, shape: Shape) -> int:
        """One a value, as in evaluation."""
        return math.prod(shape)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, "Normalised"]:
        scale, offset = self._scale_and_offset(params, x)
        if context.training:
            options = {"axis_name": self.axis_name, "gradient": context.ops.gradient}
            return batch_norm(x, scale, offset, epsilon=self.epsilon, **options), Normalised(x)
        if context.state is None:
            raise NetworkError(f"{self!r} is asked without a state: expected its running mean and variance in context.state")
        running = (context.state["mean"], context.state["variance"])
        y = batch_norm(x, scale, offset, *running, epsilon=self.epsilon, gradient=context.ops.gradient)
        return y, Normalised(x, running)

    def backward(self, params: Parameters, saved: "Normalised", dy: Array) -> tuple[Array, dict[str, Array]]:
        axis_name = None if saved.running else self.axis_name
        known = (*self._scale_and_offset(params, saved.x), *saved.running)
        dx, dscale, doffset, *_ = batch_norm_backward(dy, saved.x, *known, epsilon=self.epsilon, axis_name=axis_name)
        return dx, self._learned(dscale, doffset)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normalised:
    """What a batch normalisation leaves for its backward pass.

    Attributes:
        x: its input.
        running: the mean and the variance that it took; () for those of the batch.
    """

    x: Array
    running: tuple[Array, ...] = ()


@dataclass(frozen=True, repr=False)
class LayerNorm(_Normalisation):
    """Layer normalisation: the channels of every pixel, or each whole example, to mean 0 and variance 1, as `layer_norm`.

    Attributes:
        axes: `"channels"`, every pixel by itself, or `"all"`, channels and pixels of an example together.
        epsilon: what is added to the variance.
        scale: whether a scale is learned; it is 1 otherwise.
        offset: whether an offset is learned; it is 0 otherwise.

    Source: Ba, Kiros & Hinton 2016, "Layer normalization".
    """

    axes: Axes = "channels"

    def __post_init__(self) -> None:
        super().__post_init__()
        geometry.choice("axes", self.axes, get_args(Axes))

    @property
    def window(self) -> int | None:
        """Every pixel alone, or the whole map."""
        return 1 if self.axes == "channels" else None

    def output_shape(self, shape: Shape) -> Shape:
        shape = geometry.example_shape("shape", shape)
        return _with_sets_of(shape[-1] if self.axes == "channels" else math.prod(shape), shape)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        learned = self._scale_and_offset(params, x)
        return layer_norm(x, *learned, epsilon=self.epsilon, axes=self.axes, gradient=context.ops.gradient), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, dict[str, Array]]:
        learned = self._scale_and_offset(params, saved)
        dx, dscale, doffset = layer_norm_backward(dy, saved, *learned, epsilon=self.epsilon, axes=self.axes)
        return dx, self._learned(dscale, doffset)


@dataclass(frozen=True, repr=False)
class GroupNorm(_Normalisation):
    """Group normalisation: each group of channels of an example to mean 0 and variance 1, as `group_norm`.

    Attributes:
        groups: into how many the channels are divided; as many as there are channels is instance normalisation.
        epsilon: what is added to the variance.
        scale: whether a scale is learned; it is 1 otherwise.
        offset: whether an offset is learned; it is 0 otherwise.

    Source: Wu & He 2018, "Group normalization".
    """

    groups: int
    window: ClassVar[None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(groups=geometry.integer("groups", self.groups, 1))

    def output_shape(self, shape: Shape) -> Shape:
        shape = geometry.example_shape("shape", shape)
        if shape[-1] % self.groups:
            raise GeometryError(f"groups={self.groups}: expected a divisor of the input's {shape[-1]} channels (shape {shape})")
        return _with_sets_of(math.prod(shape) // self.groups, shape)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        learned = self._scale_and_offset(params, x)
        return group_norm(x, *learned, groups=self.groups, epsilon=self.epsilon, gradient=context.ops.gradient), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, dict[str, Array]]:
        learned = self._scale_and_offset(params, saved)
        dx, dscale, doffset = group_norm_backward(dy, saved, *learned, groups=self.groups, epsilon=self.epsilon)
        return dx, self._learned(dscale, doffset)


def _with_sets_of(values: int, shape: Shape) -> Shape:
    """The shape, of which so many values share a mean and a variance."""
    if values == 1:
        raise GeometryError(f"each mean is over one value of {shape}, whose variance is 0: expected at least 2 values")
    return shape


def _axis_name(value: Any) -> str | tuple[str, ...] | None:
    names = (value,) if isinstance(value, str) else value
    if names is None:
        return None
    if not isinstance(names, tuple | list) or not names or not all(isinstance(name, str) for name in names):
        raise TypeError(wrong("axis_name", value, "the name of a mapped axis, a tuple of them, or None"))
    return value if isinstance(value, str) else tuple(names)
