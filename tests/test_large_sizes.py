"""Sizes as large as they come: refused before anything is made, or of no consequence."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import jcnn
from jcnn import GeometryError, geometry
from jcnn.geometry import LIMIT, output_size
from jcnn.window import UNROLLED, parse_window
from tests.references import normal

X, W, LINE = normal(1, 6, 6, 2), normal(2, 2, 2, 3), normal(1, 6, 2)
OWN = normal(5, 5, 2, 2, 2, 1)
TEN_MILLION = 10**7

sizes = st.integers(1, 40) | st.integers(1, LIMIT) | st.sampled_from([LIMIT - 1, LIMIT, TEN_MILLION])


@given(n=sizes, f=sizes, stride=sizes, lo=sizes, hi=sizes, dilation=sizes, rounding=st.sampled_from(["floor", "ceil", "exact"]))
@example(n=7, f=LIMIT, stride=LIMIT, lo=1, hi=1, dilation=1, rounding="exact")
@example(n=LIMIT - 8, f=2, stride=LIMIT - 1, lo=1, hi=2, dilation=1, rounding="exact")
@settings(max_examples=200)
def test_the_arithmetic_is_quick_at_any_size(
    n: int, f: int, stride: int, lo: int, hi: int, dilation: int, rounding: geometry.Rounding
) -> None:
    start, rest = time.process_time(), n + lo + hi - dilation * (f - 1) - 1
    fits = n + lo + hi <= LIMIT and rest >= 0 and (rounding != "exact" or rest % stride == 0)
    if fits:
        size = output_size(n, f, stride=stride, padding=(lo, hi), dilation=dilation, rounding=rounding)
        assert size - 1 in (rest // stride, -(-rest // stride))
    else:
        with pytest.raises(GeometryError) as caught:
            output_size(n, f, stride=stride, padding=(lo, hi), dilation=dilation, rounding=rounding)
        assert len(str(caught.value)) < 400
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("name", ["stride", "padding", "dilation"])
@pytest.mark.parametrize("value", [2**31, 2**63, 10**30, (1, 2**31), (2**31, 1)], ids=str)
@pytest.mark.parametrize(
    "call",
    [
        lambda **given: jcnn.conv(X, W, **given),
        lambda **given: jcnn.conv_backward(X, X, W, **given),
        lambda **given: jcnn.conv_transpose(X[..., :1], W[..., :1], **given),
        lambda **given: jcnn.max_pool(X, 2, **given),
        lambda **given: jcnn.avg_pool(X, 2, count_padding=True, **given),
        lambda **given: jcnn.conv_matrix(W, (6, 6, 2), **given),
        lambda **given: jcnn.locally_connected(X, OWN, **given),
        lambda **given: jcnn.Conv(8, 3, **given),
        lambda **given: jcnn.MaxPool(2, **given),
    ],
    ids=["conv", "backward", "transpose", "max", "average", "matrix", "local", "Conv", "MaxPool"],
)
def test_beyond_32_bits(call: Callable[..., Any], name: str, value: Any) -> None:
    with pytest.raises(GeometryError, match=rf"{name}(\[[01]\])?=\d.*: expected an integer of at most 2,147,483,647"):
        call(**{name: value})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jcnn.conv(X, W, padding=TEN_MILLION), r"the padded input would have shape \(20000006, 20000006\)"),
        (lambda: jcnn.conv(X, W, padding=2**30), r"P=\(1073741824, 1073741824\).*at most 2,147,483,647 of both, less padding"),
        (lambda: jcnn.conv(X, W, dilation=TEN_MILLION), "D=10000000: .*an empty output; what fits: "),
        (lambda: jcnn.conv(X, W, dilation=2**31 - 1, padding=2**30 - 4), "the window spans 2,147,483,648; expected at most"),
        (lambda: jcnn.conv_transpose(X[..., :1], W[..., :1], stride=TEN_MILLION), "stride=.10000000, 10000000.*elements"),
        (lambda: jcnn.conv_transpose(X[..., :1], W[..., :1], stride=2**30), "transposed size .* is too large"),
        (lambda: jcnn.conv_transpose(X[..., :1], W[..., :1], output_size=TEN_MILLION), r"output_size=\(10000000, 10000000\)"),
        (lambda: jcnn.max_pool(LINE, TEN_MILLION, stride=1, padding=TEN_MILLION // 2), "10,000,000 taps.*formulation='lax'"),
        (lambda: jcnn.max_pool(LINE, 3, stride=1, padding=2**30 - 4), "sees only padding"),
        (lambda: jcnn.max_pool(LINE, 3, stride=1, padding=10**9, dilation=4 * 10**8), "one of .* windows .* sees only padding"),
        (lambda: jcnn.conv_matrix(W, (TEN_MILLION, 10, 2), sparse=True), "list of entries.*expected at most 134,217,728"),
        (lambda: jcnn.conv_matrix(W, (10**4, 10, 2)), "matrix of the convolution .*expected at most 134,217,728.*sparse=True"),
        (lambda: jcnn.summary((jcnn.Flatten(), jcnn.Dense(LIMIT)), (6, 6, 4)), "w would have shape .*elements"),
        (lambda: jcnn.summary((jcnn.Conv(LIMIT, 1),), (6, 6, 4)), "the output would have shape"),
        (lambda: jcnn.summary((jcnn.Flatten(),), (2**16, 2**16, 4)), r"\(17179869184,\), 17,179,869,184 elements"),
    ],
)
def test_too_large_to_be_made(call: Callable[[], Any], message: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=message):
        call()
    assert time.process_time() - start < 1


def test_the_largest_window_that_is_written_out() -> None:
    line = jnp.zeros((1, 2000, 1), jnp.float32)
    assert jax.eval_shape(lambda x: jcnn.avg_pool(x, UNROLLED), line).shape == (1, 1, 1)
    for call in (
        lambda x: jcnn.avg_pool(x, UNROLLED + 1),
        lambda x: jcnn.max_pool(x, UNROLLED + 1),
        lambda x: jcnn.max_pool(x, UNROLLED + 1, formulation="lax", gradient="manual"),
        lambda x: jcnn.max_pool_backward(x[:, :1], x, UNROLLED + 1),
        lambda x: jcnn.avg_pool_backward(x[:, :1], x, UNROLLED + 1),
        lambda x: jcnn.conv(x, x[0, : UNROLLED + 1, :, None], formulation="taps"),
        lambda x: jcnn.conv(x, x[0, : UNROLLED + 1, :, None], formulation="im2col"),
    ):
        with pytest.raises(GeometryError, match=r"window=\(1025,\): 1,025 taps.*expected at most 1,024, or"):
            jax.eval_shape(call, line)
    assert jcnn.max_pool(line, UNROLLED + 1, formulation="lax").shape == (1, 1, 1)
    assert jcnn.conv(line, line[0, : UNROLLED + 1, :, None]).shape == (1, 976, 1)


@pytest.mark.parametrize("stride", [7, LIMIT])
def test_a_stride_beyond_the_input_has_one_output(stride: int) -> None:
    assert parse_window((6, 6), 2, stride=stride).output_shape((6, 6)) == (1, 1)
    conv_dy, pool_dy = normal(1, 1, 1, 3), normal(1, 1, 1, 2)
    for ours, expected in zip(
        jcnn.conv_backward(conv_dy, X, W, stride=stride), jcnn.conv_backward(conv_dy, X, W, stride=5), strict=True
    ):
        np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(jcnn.max_pool(X, 2, stride=stride), jcnn.max_pool(X, 2, stride=5))
    for backward in (jcnn.max_pool_backward, jcnn.avg_pool_backward):
        np.testing.assert_array_equal(backward(pool_dy, X, 2, stride=stride), backward(pool_dy, X, 2, stride=5))


@pytest.mark.parametrize("formulation", ["lax", "taps", "fft"])
def test_the_dilation_of_a_single_tap_is_of_no_consequence(formulation: Any) -> None:
    w = W[:1, :1]
    expected = jcnn.conv(X, w, formulation=formulation)
    np.testing.assert_array_equal(jcnn.conv(X, w, dilation=LIMIT, formulation=formulation), expected)
    for ours, plain in zip(jcnn.conv_backward(expected, X, w, dilation=LIMIT), jcnn.conv_backward(expected, X, w), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_arrays_of_too_many_numbers_are_refused_before_they_are_copied() -> None:
    huge = np.broadcast_to(np.float32(0), (10**4, 10**4, 10**4))
    for call in (lambda: jcnn.relu(huge), lambda: jcnn.dense(np.ones((2, 3), np.float32), huge)):
        with pytest.raises(ValueError, match=r"1,000,000,000,000 elements: expected at most 2,147,483,647"):
            call()


def test_too_many_patches_are_refused() -> None:
    with pytest.raises(jcnn.GeometryError, match=r"the patches .* elements: expected at most .*; take formulation='lax'"):
        jcnn.conv(np.ones((1, 3, 3, 1)), np.ones((3, 3, 1, 1)), padding=20000, formulation="im2col")
