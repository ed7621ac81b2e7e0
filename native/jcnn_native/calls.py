"""The three passes of a convolution as JAX calls."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array

from jcnn_native.library import register

register()


def forward(
    x: Array,
    w: Array,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k].

    Args:
        x: (N, *S, C_in), float32.
        w: (*F, C_in // groups, C_out), float32.
        stride: one per spatial axis.
        padding: (before, after) per spatial axis.
        dilation: one per spatial axis.
        groups: channels fall into so many groups that do not meet.

    Returns:
        (N, *O, C_out).
    """
    sizes = zip(x.shape[1:-1], w.shape[:-2], stride, padding, dilation, strict=True)
    out = [(n + sum(p) - d * (f - 1) - 1) // s + 1 for n, f, s, p, d in sizes]
    return _call("forward", (x.shape[0], *out, w.shape[-1]), (x, w), stride, padding, dilation, groups)


def input_gradient(
    dy: Array,
    w: Array,
    *,
    input_shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """dx, the gradient of ⟨dy, forward(x, w)⟩ by x, whose spatial sizes are `input_shape`; the rest as in `forward`."""
    shape = (dy.shape[0], *input_shape, w.shape[-2] * groups)
    return _call("input_gradient", shape, (dy, w), stride, padding, dilation, groups)


def filter_gradient(
    dy: Array,
    x: Array,
    *,
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """dw, the gradient of ⟨dy, forward(x, w)⟩ by w, whose spatial sizes are `window`; the rest as in `forward`."""
    shape = (*window, x.shape[-1] // groups, dy.shape[-1])
    return _call("filter_gradient", shape, (dy, x), stride, padding, dilation, groups)


def _call(
    name: str,
    shape: Sequence[int],
    arrays: tuple[Array, Array],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Array:
    for array in arrays:
        if array.dtype != np.float32:
            raise TypeError(f"jcnn_native.{name}: an array has dtype {array.dtype}, expected float32")
    result = jax.ShapeDtypeStruct(tuple(shape), np.float32)
    call: Any = jax.ffi.ffi_call(f"jcnn_native_{name}", result, vmap_method="sequential")
    before, after = zip(*padding, strict=True)
    attributes = {"stride": stride, "before": before, "after": after, "dilation": dilation}
    integers = {key: np.asarray(value, np.int64) for key, value in attributes.items()}
    found = call(*arrays, **integers, groups=np.int64(groups))
    # Inside of shard_map the result varies over the mesh as the arrays do, which a call does not say by itself.
    axes = tuple(jax.typeof(arrays[0]).manual_axis_type.varying)
    return jax.lax.pcast(found, axes, to="varying") if axes else found
