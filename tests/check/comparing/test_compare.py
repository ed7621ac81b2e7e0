"""Gradients by hand against JAX's."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.check import compare
from tests.references import levels, normal

LABELS = np.array([0, 2, 1])
OURS: dict[str, tuple[Any, ...]] = {
    "conv": (normal(2, 5, 4, 2), normal(3, 2, 2, 3), normal(3)),
    "dense": (normal(3, 4), normal(4, 2), normal(2)),
    "max_pool": (levels(2, 5, 4, 2), 2),
    "avg_pool": (normal(2, 5, 4, 2), 2),
    "global_max_pool": (levels(2, 3, 3, 2),),
    "global_avg_pool": (normal(2, 3, 3, 2),),
    **{name: (levels(3, 4, count=5) - 2,) for name in ("relu", "leaky_relu", "elu", "selu")},
    **{name: (30 * normal(3, 4),) for name in ("sigmoid", "tanh", "gelu", "softplus", "softmax", "log_softmax")},
    "softmax_cross_entropy": (normal(3, 4), LABELS),
    "mean_squared_error": (normal(3, 4), normal(3, 4, seed=1)),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_agree(name: str) -> None:
    report = compare(getattr(jcnn, name), getattr(jcnn, f"{name}_backward"), *OURS[name])
    assert (report.verdict, report.diagnosis) == ("agrees", None)
    assert all(witness.holds for witness in report.witnesses)
    assert (report.kinks > 0) == (name in {"max_pool", "global_max_pool", "relu", "leaky_relu", "selu"})


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_ours_agree_in_other_dtypes(dtype: str) -> None:
    assert compare(jcnn.dense, jcnn.dense_backward, *OURS["dense"], dtype=dtype).verdict == "agrees"


def test_options_reach_both_and_wrong_ones_are_named() -> None:
    x, w, b = OURS["conv"]
    wrong = partial(jcnn.conv_backward, stride=1, padding=((1, 2), (0, 0)))
    report = compare(jcnn.conv, jcnn.conv_backward, x, w, b, stride=2, padding=1)
    assert report.verdict == "agrees"
    report = compare(partial(jcnn.conv, padding=((2, 1), (0, 0))), lambda dy, x, w: wrong(dy, x, w), x, w)
    assert report.verdict == "bug"
    assert report.mistakes == ("padding on the wrong side",)
    assert [witness.holds for witness in report.witnesses] == [False, False]


def sine_backward(dy: Any, x: Any) -> Any:
    return dy * np.cos(x)


@pytest.mark.parametrize(
    ("backward", "verdict", "said"),
    [
        pytest.param(sine_backward, "agrees", "None", id="right"),
        pytest.param(lambda dy, x: (sine_backward(dy, x),), "agrees", "None", id="tuple"),
        pytest.param(lambda dy, x: sine_backward(*(np.float32(a) for a in (dy, x))), "rounding", "float32", id="float32"),
        pytest.param(lambda dy, x: -sine_backward(dy, x), "bug", "dx has the wrong sign", id="sign"),
        pytest.param(lambda dy, x: sine_backward(dy, x) / 4, "bug", "dx is 0.25 times", id="factor"),
        pytest.param(lambda dy, x: sine_backward(dy, x)[::-1], "bug", "turned round along axis 0", id="reversed"),
        pytest.param(lambda dy, x: sine_backward(dy, x).T, "bug", "axes 0 and 1 exchanged", id="transposed"),
        pytest.param(lambda dy, x: 0 * x, "bug", "dx is 0 everywhere", id="zero"),
        pytest.param(lambda dy, x: x / 0.0, "bug", "NaN or infinite", id="infinite"),
        pytest.param(lambda dy, x: dy * np.cos(x) + (x > 0.5), "bug", "dx is wrong in", id="somewhere"),
        pytest.param(lambda dy, x: dy[7], "bug", "It raises IndexError", id="exception"),
        pytest.param(lambda dy, x: sine_backward(dy, x)[:1], "bug", "dx has shape (1, 4): expected (4, 4)", id="shape"),
        pytest.param(lambda dy, x: (dy, dy, dy), "bug", "returns 3 gradients: expected 1, (dx)", id="number"),
        pytest.param(lambda dy, x: "dx", "bug", "expected an array", id="text"),
        pytest.param(lambda dy, x: dy.astype(int), "bug", "dtype int64", id="integers"),
        pytest.param(lambda dy, x: np.multiply(dy, np.cos(x), out=x), "bug", "changes its argument x", id="mutation"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_verdicts(backward: Callable[..., Any], verdict: str, said: str) -> None:
    def sine(x: jax.Array) -> jax.Array:
        return jnp.sin(x)

    report = compare(sine, backward, normal(4, 4))
    assert report.verdict == verdict
    assert said in str(report.diagnosis)
    assert str(report).startswith(verdict)


def test_ties_are_set_apart() -> None:
    def split(dy: Any, x: Any) -> Any:
        best = x == x.max((1, 2), keepdims=True)
        return best / best.sum((1, 2), keepdims=True) * dy[:, None, None, :]

    report = compare(jcnn.global_max_pool, split, levels(2, 3, 3, 2))
    assert report.verdict == "kink"
    assert report.mistakes == ("ties split",)


def test_gradients_of_trees() -> None:
    def network(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        return jnp.tanh(jnp.matmul(x, params["w"]))

    def backward(dy: Any, params: dict[str, Any], x: Any) -> Any:
        inner = dy * (1 - np.tanh(x @ params["w"]) ** 2)
        return {"w": x.T @ inner}, inner @ params["w"].T

    report = compare(network, backward, {"w": normal(3, 2)}, normal(4, 3))
    assert report.verdict == "agrees"
    assert [row.leaf for row in report.rows] == ["dparams['w']", "dx"]
    wrong = compare(network, lambda *a: (backward(*a)[0], normal(4, 3)), {"w": normal(3, 2)}, normal(4, 3))
    assert wrong.worst
    assert wrong.worst.leaf == "dx"


def test_without_forward_mode_the_adjoint_test_is_not_made() -> None:
    report = compare(partial(jcnn.conv, gradient="manual"), jcnn.conv_backward, *OURS["conv"])
    assert report.verdict == "agrees"
    assert [witness.holds for witness in report.witnesses] == [None, True]


def test_nothing_is_set_and_float64_needs_no_flag() -> None:
    with jax.enable_x64(False):
        assert compare(jnp.sin, lambda dy, x: dy * jnp.cos(x), normal(3).astype(np.float32)).verdict == "agrees"
        assert jnp.asarray(1.0).dtype == "float32"


def test_refusals() -> None:
    with pytest.raises(TypeError, match="no floating-point arrays"):
        compare(jnp.sin, jnp.cos, 3)
    with pytest.raises(TypeError, match="expected one floating-point array"):
        compare(jnp.argmax, jnp.cos, normal(3))
    with pytest.raises(ValueError, match="dtype='float8'"):
        compare(jnp.sin, jnp.cos, normal(3), dtype="float8")
