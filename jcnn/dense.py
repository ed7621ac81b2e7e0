"""The fully connected layer and flattening, each with its backward by hand."""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn import arguments
from jcnn.arguments import AnyArray
from jcnn.precision import rounded_at_end, sum_dtype, wide
from jcnn.programs import compiled


def dense(
    x: Num[AnyArray, "*n c_in"], w: Num[AnyArray, "c_in c_out"], b: Num[AnyArray, " c_out"] | None = None
) -> Num[Array, "*n c_out"]:
    """y = x · w + b over the last axis; on a map (N, *S, C) a dense layer at every pixel, the same as a 1×1 convolution.

    Args:
        x: (…, C_in); float16, bfloat16 (both summed in float32), float32, float64, int32 or int64 (exact).
        w: (C_in, C_out), same dtype.
        b: (C_out,), same dtype, or None.

    Returns:
        (…, C_out), dtype of x; float32 follows `jax.default_matmul_precision`.

    Raises:
        TypeError: dtypes that differ or are not listed.
        ValueError: shapes that do not fit, or an empty batch.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.1.
    """
    return _forward(*_parse(x, w, b))


def dense_backward(
    dy: Num[AnyArray, "*n c_out"], x: Num[AnyArray, "*n c_in"], w: Num[AnyArray, "c_in c_out"]
) -> tuple[Num[Array, "*n c_in"], Num[Array, "c_in c_out"], Num[Array, " c_out"]]:
    """The gradients of `dense` by input, weights and bias.

    From y[n, o] = Σ_i x[n, i] w[i, o] + b[o]:

        dx = dy · wᵀ        dw = xᵀ · dy  (summed over examples)        db = Σ_n dy[n]

    Args:
        dy: output gradient, (…, C_out).
        x: the input that `dense` saw.
        w: the weights that `dense` saw.

    Returns:
        (dx, dw, db), shapes and dtype of x, w and a bias.

    Raises:
        TypeError: as `dense`.
        ValueError: as `dense`, or dy has another shape than the output.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.5.
    """
    x, w, _ = _parse(x, w, None)
    dy = arguments.output_gradient(dy, (*x.shape[:-1], w.shape[-1]), x, "dense", options=f"w of shape {w.shape}")
    return _backward(dy, x, w)


def flatten(x: Num[AnyArray, "n *s"]) -> Num[Array, "n m"]:
    """Each example as one vector, row-major, channels fastest: (N, *S, C) → (N, S₁·…·S_d·C).

    Raises:
        TypeError: no array of numbers.
        ValueError: no batch axis, or an empty one.
    """
    x = _with_batch(x)
    return x.reshape(x.shape[0], -1)


def flatten_backward(dy: Num[AnyArray, "n m"], x: Num[AnyArray, "n *s"]) -> Num[Array, "n *s"]:
    """dx = dy in the shape of x: flattening only renames positions."""
    x = _with_batch(x)
    return arguments.output_gradient(dy, (x.shape[0], math.prod(x.shape[1:])), x, "flatten").reshape(x.shape)


def _with_batch(x: AnyArray) -> Array:
    x = arguments.ordered("x", x)
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape}: expected a batch axis and at least one more")
    arguments.not_empty("x", x)
    return x


def _parse(x: AnyArray, w: AnyArray, b: AnyArray | None) -> tuple[Array, Array, Array | None]:
    x, w = arguments.numeric("x", x, integers=True), arguments.numeric("w", w, integers=True)
    if w.ndim != 2 or x.ndim < 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(
            f"x has shape {x.shape}, w has shape {w.shape}: expected (N, …, C_in) and (C_in, C_out); "
            f"flatten(x) joins all but the batch axis"
        )
    arguments.not_empty("x", x)
    arguments.not_empty("w", w)
    b = None if b is None else arguments.vector("b", b, w.shape[1], f"one bias per output of w, whose shape is {w.shape}")
    arguments.same_dtype(x=x, w=w, b=b)
    return x, w, b


@compiled()
def _forward(x: Array, w: Array, b: Array | None) -> Array:
    def forward(x: Array, w: Array, b: Array | None) -> Array:
        y = jnp.matmul(x, w, preferred_element_type=sum_dtype(x))
        return y if b is None else y + wide(b).reshape((1,) * (y.ndim - 1) + (-1,))

    return rounded_at_end(forward, x, w, b)


@compiled()
def _backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    def backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        rows = dy.reshape(-1, dy.shape[-1])
        dx = jnp.matmul(dy, w.T, preferred_element_type=sum_dtype(dy))
        dw = jnp.matmul(x.reshape(-1, x.shape[-1]).T, rows, preferred_element_type=sum_dtype(dy))
        return dx, dw, wide(rows).sum(0)

    return rounded_at_end(backward, dy, x, w)
