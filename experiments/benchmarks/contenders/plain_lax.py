"""JAX without a framework: `lax.conv_general_dilated`, `lax.reduce_window`, autodiff."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from experiments.benchmarks.cases import Convolution, Layer, Pooling, Step
from experiments.benchmarks.contenders.protocol import Contender, Variant, serve
from experiments.benchmarks.contenders.through_jax import Apply, Functions, preparer, versions


def _convolve(x: jax.Array, w: jax.Array, stride: int, padding: int, groups: int = 1) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    pads = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, w, (stride, stride), pads, dimension_numbers=layout, feature_group_count=groups)


def _pool(x: jax.Array, start: float, combine: Any, window: int, stride: int, padding: int = 0) -> jax.Array:
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    return lax.reduce_window(x, start, combine, (1, window, window, 1), (1, stride, stride, 1), pads)


def _apply(layer: Layer, params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    match layer.kind:
        case "conv":
            return _convolve(x, params["w"], 1, layer.padding) + params["b"]
        case "dense":
            return x @ params["w"] + params["b"]
        case "max_pool":
            return _pool(x, -jnp.inf, lax.max, layer.window, layer.window)
        case "avg_pool":
            return _pool(x, 0.0, lax.add, layer.window, layer.window) / layer.window**2
        case "flatten":
            return x.reshape(len(x), -1)
        case kind:
            return {"relu": jax.nn.relu, "tanh": jnp.tanh}[kind](x)


def _network(case: Step, variant: Variant) -> Apply:
    del variant

    def forward(params: Any, x: jax.Array) -> jax.Array:
        for layer, own in zip(case.layers, params, strict=True):
            x = _apply(layer, own, x)
        return x

    return forward


def _conv(case: Convolution, variant: Variant) -> Any:
    del variant
    return lambda x, w: _convolve(x, w, case.stride, case.padding, case.groups)


def _max_pool(case: Pooling, variant: Variant) -> Any:
    del variant
    return lambda x: _pool(x, -jnp.inf, lax.max, case.window, case.stride, case.padding)


if __name__ == "__main__":
    serve(Contender(versions(), preparer(Functions(_conv, _max_pool, _network))))
