"""Arrays that are refused, by which exception, and that its message names the argument, its value and what was expected."""

# Wrong types are the point here.
# pyright: reportArgumentType=false

import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import GeometryError
from tests.calls import DY, Case, W, X, average, conv, pool, transpose

B = np.ones(8)
W2 = W[:, :, :2]  # for two groups
LOGITS, DENSE = np.ones((3, 4)), np.ones((4, 5))


ARRAYS: dict[str, Case] = {
    "list": (conv(x=[[1.0]]), TypeError, ["x is a list", "expected a JAX or NumPy array", "jnp.asarray"]),
    "filter-list": (conv(w=[1.0]), TypeError, ["w is a list", "expected a JAX or NumPy array"]),
    "none": (conv(x=None), TypeError, ["x is a NoneType", "expected"]),
    "uint8": (conv(x=X.astype(np.uint8)), TypeError, ["x has dtype uint8", "expected one of float16", "astype(jnp.float32)"]),
    "bool": (conv(x=X > 0), TypeError, ["x has dtype bool", "expected one of"]),
    "complex": (conv(x=X + 0j), TypeError, ["x has dtype complex128", "expected one of"]),
    "int16": (conv(x=X.astype(np.int16)), TypeError, ["x has dtype int16", "int32, int64"]),
    "mixed": (conv(w=W.astype(np.float32)), TypeError, ["dtypes differ", "x float64", "w float32", ".astype(x.dtype)"]),
    "mixed-bias": (conv(b=B.astype(np.float32)), TypeError, ["dtypes differ", "b float32"]),
    "rank-2": (conv(x=X[0, 0]), ValueError, ["x has shape (6, 4)", "expected (N, *S, C)"]),
    "rank-6": (conv(x=X[None, None]), ValueError, ["x has shape (1, 1, 2, 6, 6, 4)", "1 to 3 spatial axes"]),
    "filter-rank": (conv(w=W[0]), ValueError, ["w has shape (3, 4, 8)", "2 spatial axes"]),
    "no-batch-axis": (conv(x=X[0]), ValueError, ["w has shape (3, 3, 4, 8)", "1 spatial axis, as"]),
    "empty-batch": (conv(x=X[:0]), ValueError, ["x has shape (0, 6, 6, 4)", "the batch is empty", "at least one"]),
    "empty-axis": (conv(x=X[:, :0]), ValueError, ["x has shape (2, 0, 6, 4)", "an axis is empty"]),
    "empty-filter": (conv(w=W[..., :0]), ValueError, ["w has shape (3, 3, 4, 0)", "expected at least one"]),
    "channels": (conv(x=X[..., :3]), ValueError, ["x has 3 channels", "(2, 6, 6, 3)", "expected C_in = 4"]),
    "bias-shape": (conv(b=B[:7]), ValueError, ["b has shape (7,)", "expected (8,)", "one bias per filter"]),
    "bias-rank": (conv(b=B[None]), ValueError, ["b has shape (1, 8)", "expected (8,)"]),
    "groups-channels": (conv(groups=2), ValueError, ["2 groups", "expected C_in = 8"]),
    "groups-filters": (conv(w=W2[..., :7], groups=2), ValueError, ["groups=2", "expected a divisor of C_out = 7"]),
    "groups-zero": (conv(groups=0), GeometryError, ["groups=0", "expected an integer of at least 1"]),
    "groups-bool": (conv(groups=True), GeometryError, ["groups=True", "expected an integer"]),
    "formulation": (conv(formulation="magic"), ValueError, ["formulation='magic'", "expected one of 'lax'"]),
    "gradient": (conv(gradient="auto"), ValueError, ["gradient='auto'", "expected 'autodiff' or 'manual'"]),
    "convolve-list": (lambda: jcnn.convolve(X, [1.0]), TypeError, ["w is a list", "expected"]),
    "dy-shape": (
        lambda: jcnn.conv_backward(DY[:, 1:], X, W),
        ValueError,
        ["dy has shape (2, 3, 4, 8)", "expected (2, 4, 4, 8)"],
    ),
    "dy-dtype": (lambda: jcnn.conv_backward(DY.astype(np.float32), X, W), TypeError, ["dtypes differ", "dy float32"]),
    "transpose-channels": (transpose(y=DY[..., :7]), ValueError, ["y has 7 channels", "w 8 filters", "expected the same"]),
    "transpose-bias": (transpose(b=B), ValueError, ["b has shape (8,)", "expected (4,)", "channel of the result"]),
    "pool-bool": (pool(x=X > 0), TypeError, ["x has dtype bool", "expected integers of 8 to 64 bits or one of"]),
    "pool-complex": (pool(x=X + 0j), TypeError, ["x has dtype complex128", "expected"]),
    "pool-rank": (pool(x=X[0, 0]), ValueError, ["x has shape (6, 4)", "expected (N, *S, C)"]),
    "pool-empty": (pool(x=X[:0]), ValueError, ["the batch is empty"]),
    "pool-gradient": (pool(gradient="hand"), ValueError, ["gradient='hand'", "expected 'autodiff' or 'manual'"]),
    "pool-dy": (
        lambda: jcnn.max_pool_backward(DY, X, 2),
        ValueError,
        ["dy has shape (2, 4, 4, 8)", "expected (2, 3, 3, 4)", "max_pool's output"],
    ),
    "relu-dy": (
        lambda: jcnn.relu_backward(DY, X),
        ValueError,
        ["dy has shape (2, 4, 4, 8)", "expected (2, 6, 6, 4)", "the activation's output"],
    ),
    "relu-dy-list": (lambda: jcnn.relu_backward([1.0], X), TypeError, ["dy is a list", "expected a JAX or NumPy array"]),
    "tanh-dy-dtype": (
        lambda: jcnn.tanh_backward(X.astype(np.float32), X),
        TypeError,
        ["dtypes differ", "dy float32", "x float64"],
    ),
    "maxout-dy": (lambda: jcnn.maxout_backward(X, X, 2), ValueError, ["expected (2, 6, 6, 2)", "maxout's output"]),
    "flatten-dy": (lambda: jcnn.flatten_backward(X, X), ValueError, ["expected (2, 144)", "flatten's output"]),
    "global-average-dy": (lambda: jcnn.global_avg_pool_backward(X, X), ValueError, ["expected (2, 4)", "global_avg_pool's"]),
    "global-max-dy": (lambda: jcnn.global_max_pool_backward(X, X), ValueError, ["expected (2, 4)", "global_max_pool's"]),
    "squared-error-dy": (
        lambda: jcnn.mean_squared_error_backward(X, X, X),
        ValueError,
        ["expected (2, 6, 6)", "mean_squared_error's output"],
    ),
    "average-dy": (
        lambda: jcnn.avg_pool_backward(DY, X, 2),
        ValueError,
        ["dy has shape (2, 4, 4, 8)", "expected (2, 3, 3, 4)"],
    ),
    "average-int": (average(x=X.astype(np.int32)), TypeError, ["x has dtype int32", "expected one of float16"]),
    "global-int": (lambda: jcnn.global_avg_pool(X.astype(np.int32)), TypeError, ["x has dtype int32", "expected"]),
    "global-rank": (lambda: jcnn.global_max_pool(X[0, 0]), ValueError, ["x has shape (6, 4)", "expected (N, *S, C)"]),
    "dense-features": (lambda: jcnn.dense(X[:, 0, 0], W[0, 0, :3]), ValueError, ["x has shape (2, 4)", "(3, 8)", "expected"]),
    "dense-unflattened": (lambda: jcnn.dense(X, np.ones((144, 5))), ValueError, ["(2, 6, 6, 4)", "(144, 5)", "flatten(x)"]),
    "dense-vector": (lambda: jcnn.dense(np.ones(4), DENSE), ValueError, ["x has shape (4,)", "expected (N, …, C_in)"]),
    "dense-bias": (lambda: jcnn.dense(LOGITS, DENSE, B), ValueError, ["b has shape (8,)", "expected (5,)"]),
    "dense-dtype": (lambda: jcnn.dense(LOGITS, DENSE.astype(np.int32)), TypeError, ["x float64", "w int32"]),
    "dense-empty": (lambda: jcnn.dense(LOGITS[:0], DENSE), ValueError, ["x has shape (0, 4)", "the batch is empty"]),
    "dense-dy": (
        lambda: jcnn.dense_backward(jnp.ones((3, 4)), jnp.asarray(LOGITS), jnp.asarray(DENSE)),
        ValueError,
        ["dy has shape (3, 4)", "expected (3, 5)"],
    ),
    "flatten-vector": (lambda: jcnn.flatten(np.ones(4)), ValueError, ["x has shape (4,)", "expected a batch axis"]),
    "relu-int": (lambda: jcnn.relu(X.astype(np.int32)), TypeError, ["x has dtype int32", "expected one of float16"]),
    "gelu-list": (lambda: jcnn.gelu([1.0]), TypeError, ["x is a list", "expected"]),
    "softmax-scalar": (lambda: jcnn.softmax(jnp.ones(())), ValueError, ["x has shape ()", "expected a last axis"]),
    "maxout-pieces": (lambda: jcnn.maxout(X, 3), ValueError, ["pieces=3", "expected a divisor", "(2, 6, 6, 4)"]),
    "maxout-bool": (lambda: jcnn.maxout(X, True), ValueError, ["pieces=True", "expected an integer of at least 1"]),
    "label-large": (
        lambda: jcnn.softmax_cross_entropy(LOGITS, np.array([0, 4, 1])),
        ValueError,
        ["labels[1] = 4", "expected a class number from 0 to 3"],
    ),
    "label-negative": (
        lambda: jcnn.softmax_cross_entropy(LOGITS, np.array([-1, 0, 0])),
        ValueError,
        ["labels[0] = -1", "0 to 3"],
    ),
    "label-of-a-map": (
        lambda: jcnn.softmax_cross_entropy(LOGITS[None], np.array([[0, 1, 9]])),
        ValueError,
        ["labels[0, 2] = 9", "expected"],
    ),
    "label-backward": (
        lambda: jcnn.softmax_cross_entropy_backward(jnp.ones(3), jnp.asarray(LOGITS), np.array([0, 4, 1])),
        ValueError,
        ["labels[1] = 4", "expected"],
    ),
    "label-shape": (
        lambda: jcnn.softmax_cross_entropy(LOGITS, np.array([0, 1])),
        ValueError,
        ["labels has shape (2,)", "expected (3,) class numbers or (3, 4)"],
    ),
    "label-float": (
        lambda: jcnn.softmax_cross_entropy(LOGITS, np.ones(3)),
        TypeError,
        ["labels has dtype float64", "integers"],
    ),
    "label-list": (
        lambda: jcnn.softmax_cross_entropy(LOGITS, [0, 1, 2]),
        TypeError,
        ["labels is a list", "expected"],
    ),
    "logits-int": (
        lambda: jcnn.softmax_cross_entropy(LOGITS.astype(np.int32), np.array([0, 1, 2])),
        TypeError,
        ["logits has dtype int32", "expected"],
    ),
    "logits-empty": (
        lambda: jcnn.softmax_cross_entropy(LOGITS[:0], np.array([], int)),
        ValueError,
        ["logits has shape (0, 4)"],
    ),
    "error-shape": (
        lambda: jcnn.mean_squared_error(LOGITS, LOGITS[0]),
        ValueError,
        ["target has shape (4,)", "expected (3, 4)"],
    ),
    "error-dtype": (
        lambda: jcnn.mean_squared_error(LOGITS, LOGITS.astype(np.float32)),
        TypeError,
        ["prediction float64", "target float32"],
    ),
}


@pytest.mark.parametrize(("call", "exception", "pieces"), ARRAYS.values(), ids=ARRAYS)
def test_refused(call: Callable[[], Any], exception: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(exception, match=re.escape(pieces[0])) as caught:
        call()
    for piece in pieces[1:]:
        assert piece in str(caught.value)
