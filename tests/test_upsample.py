"""Enlarging maps: known values, the law of the adjoint, the same as JAX's own resizing."""

# Wrong types are among what is refused.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from tests.references import assert_agree, normal


def test_known_values() -> None:
    x = jnp.asarray([1.0, 3.0, 2.0]).reshape(1, 3, 1)
    np.testing.assert_array_equal(jcnn.upsample(x, 2).ravel(), [1, 1, 3, 3, 2, 2])
    np.testing.assert_array_equal(jcnn.upsample(x, 2, method="linear").ravel(), [1, 1.5, 2.5, 2.75, 2.25, 2])


@pytest.mark.parametrize("method", ["nearest", "linear"])
@pytest.mark.parametrize(
    ("shape", "factor"),
    [((2, 3, 2), 4), ((2, 4, 3, 2), 2), ((1, 1, 2, 3), (3, 1)), ((2, 2, 3, 1, 2), (2, 1, 3))],
    ids=str,
)
def test_as_resizing_and_back_by_its_adjoint(shape: tuple[int, ...], factor: Any, method: Any) -> None:
    x = jnp.asarray(normal(*shape))
    y, pullback = jax.vjp(lambda x: jcnn.upsample(x, factor, method=method), x)
    resized = jax.jit(jax.image.resize, static_argnums=(1, 2))
    assert_agree(y, resized(x, y.shape, method))
    dy = jnp.asarray(normal(*y.shape, seed=1))
    dx = jcnn.upsample_backward(dy, x, factor, method=method)
    assert_agree(dx, pullback(dy)[0])
    assert float((y * dy).sum()) == pytest.approx(float((x * dx).sum()), rel=1e-12)


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_what_is_alike_stays_exactly_so_and_nothing_is_lost_on_the_way_back(method: Any) -> None:
    x = jnp.full((2, 3, 4, 1), 0.1, "float32")
    assert (jcnn.upsample(x, 3, method=method) == x[0, 0, 0, 0]).all()
    dy = jnp.asarray(normal(2, 9, 12, 1))
    dx = jcnn.upsample_backward(dy, x.astype("float64"), 3, method=method)
    assert float(dx.sum()) == pytest.approx(float(dy.sum()), rel=1e-12)


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_a_program_for_any_number_of_examples(method: Any) -> None:
    batch = jax.ShapeDtypeStruct(jax.export.symbolic_shape("n, 2, 3, 1"), "float64")
    program = jax.export.export(jax.jit(lambda x: jcnn.upsample(x, 2, method=method)))(batch)
    x = jnp.asarray(normal(3, 2, 3, 1))
    assert_agree(program.call(x), jcnn.upsample(x, 2, method=method))


X = np.ones((2, 3, 4, 1))
ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "factor 0": (lambda: jcnn.upsample(X, 0), jcnn.GeometryError, ["factor=0", "at least 1"]),
    "half": (lambda: jcnn.upsample(X, 1.5), jcnn.GeometryError, ["factor=1.5", "integer"]),
    "axes": (lambda: jcnn.upsample(X, (2, 2, 2)), jcnn.GeometryError, ["factor=(2, 2, 2)", "2 of them"]),
    "too large": (lambda: jcnn.upsample(X, 10**5), jcnn.GeometryError, ["(300000, 400000, 1)", "at most", "each example"]),
    "method": (lambda: jcnn.upsample(X, 2, method="cubic"), ValueError, ["method='cubic'"]),
    "rank": (lambda: jcnn.upsample(X[0, 0], 2), ValueError, ["x has shape (4, 1)", "expected (N, *S, C)"]),
    "integers": (lambda: jcnn.upsample(X.astype(int), 2), TypeError, ["x has dtype int64"]),
    "dy": (lambda: jcnn.upsample_backward(X, X, 2), ValueError, ["expected (2, 6, 8, 1)", "upsample's", "factor=(2, 2)"]),
}


@pytest.mark.parametrize(("call", "error", "pieces"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused_is_named(call: Callable[[], Any], error: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all(piece in str(caught.value) for piece in pieces), str(caught.value)
