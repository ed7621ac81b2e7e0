"""What every formulation of convolution keeps: a worked example, dtypes, programs that do not grow, gradients by hand."""

from functools import partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import conv, conv_backward
from jcnn.conv.fft import good_size
from jcnn.conv.ways import Formulation, formulations
from jcnn.definition import conv_definition
from tests import references
from tests.references import Geometry, assert_agree, levels, normal

ALL = pytest.mark.parametrize("formulation", formulations())
EXACT = pytest.mark.parametrize("formulation", ["lax", "taps", "im2col", "toeplitz"])
UNITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}


def test_the_type_lists_all_of_them() -> None:
    assert get_args(Formulation) == (*formulations(), "native", "auto")


@ALL
def test_a_worked_example(formulation: Formulation) -> None:
    """1·1 + 2·0 + 4·(−1) + 5·2 = 7, and so on."""
    x = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, ..., None]
    w = np.array([[1.0, 0], [-1, 2]])[..., None, None]
    y = jax.jit(partial(conv, formulation=formulation))(x, w, np.array([10.0]))
    assert_agree(y[0, ..., 0], np.array([[7, 9], [13, 15]]) + 10, 1e-14)


@ALL
def test_the_program_does_not_grow_with_the_image(formulation: Formulation) -> None:
    def equations(size: int) -> int:
        x, w = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((2, size, size, 2), (3, 3, 2, 4)))
        loss = lambda x, w: conv(x, w, padding=1, formulation=formulation).sum()  # noqa: E731
        return count_equations(jax.make_jaxpr(jax.grad(loss, (0, 1)))(x, w).jaxpr)

    assert equations(9) == equations(29)  # sizes that the Fourier transform rounds up, to even ones


def count_equations(jaxpr: Any) -> int:
    inner = (value for equation in jaxpr.eqns for value in equation.params.values())
    return len(jaxpr.eqns) + sum(count_equations(value.jaxpr) for value in inner if hasattr(value, "jaxpr"))


@pytest.mark.parametrize("dtype", UNITS)
@ALL
def test_floating_dtypes_keep_their_accuracy(formulation: Formulation, dtype: str) -> None:
    """Sums of 54 products in at least float32, rounded once: half a unit of the result, and little more."""
    x, w = (jnp.asarray(a, dtype) for a in (normal(2, 7, 7, 6), normal(3, 3, 6, 4)))
    wide = [np.asarray(a.astype(jnp.float64)) for a in (x, w)]
    y = jax.jit(partial(conv, formulation=formulation))(x, w)
    assert y.dtype == dtype
    exact, magnitude = conv_definition(*wide), conv_definition(*map(np.abs, wide))
    inner = min(UNITS[dtype], UNITS["float32"])
    bound = 100 * inner * magnitude + UNITS[dtype] * np.abs(exact)
    assert (np.abs(np.asarray(y, np.float64) - exact) <= bound).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@ALL
def test_gradients_keep_the_dtype(formulation: Formulation, dtype: str) -> None:
    x, w = (jnp.asarray(a, dtype) for a in (normal(1, 6, 6, 2), normal(3, 3, 2, 2)))
    dx, dw = jax.jit(jax.grad(lambda x, w: conv(x, w, formulation=formulation).sum(), (0, 1)))(x, w)
    assert (dx.dtype, dw.dtype) == (x.dtype, w.dtype)
    dy = jnp.ones((1, 4, 4, 2), jnp.float64)
    exact = conv_backward(dy, x.astype(jnp.float64), w.astype(jnp.float64))
    roundings = 40 if formulation == "winograd" else 8
    assert_agree(np.asarray(dx, np.float64), exact[0], roundings * UNITS[dtype])
    assert_agree(np.asarray(dw, np.float64), exact[1], roundings * UNITS[dtype])


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("groups", [1, 2])
@EXACT
def test_integers_are_exact(formulation: Formulation, groups: int, dtype: str) -> None:
    """Above 2²⁴ and 2⁵³, where a detour through floating point would lose units."""
    x, w = levels(1, 5, 5, 4).astype(dtype), levels(3, 3, 4 // groups, 2).astype(dtype)
    x[0, 2, 2], w[1, 1] = 1, 2**27 + 1 if dtype == "int32" else 2**55 + 1
    y = jax.jit(partial(conv, padding=1, groups=groups, formulation=formulation))(x, w)
    assert y.dtype == dtype
    geometry = Geometry((5, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), "floor")
    np.testing.assert_array_equal(y, references.conv(x, w, np.zeros(2, dtype), geometry, groups))


@pytest.mark.parametrize("formulation", ["fft", "winograd"])
def test_integers_are_refused_where_they_would_not_be_exact(formulation: Formulation) -> None:
    x, w = jnp.ones((1, 5, 1), jnp.int32), jnp.ones((3, 1, 1), jnp.int32)
    with pytest.raises(TypeError, match=rf"'{formulation}': x has dtype int32, expected a float; 'lax'"):
        conv(x, w, formulation=formulation)


def test_an_unknown_formulation_is_named_with_the_known() -> None:
    unknown: Any = "sum"
    with pytest.raises(ValueError, match="formulation='sum': expected one of 'lax', 'taps'"):
        conv(jnp.ones((1, 5, 1)), jnp.ones((3, 1, 1)), formulation=unknown)


@ALL
def test_the_gradient_by_hand_works_with_each(formulation: Formulation) -> None:
    x, w, b, dy = (jnp.asarray(a) for a in (normal(2, 6, 5, 4), normal(3, 2, 2, 6), normal(6), normal(2, 6, 4, 6)))

    @jax.jit
    def both(x: jax.Array, w: jax.Array, b: jax.Array) -> Any:
        forward = partial(conv, padding=((1, 1), (0, 0)), groups=2, formulation=formulation, gradient="manual")
        _, pullback = jax.vjp(forward, x, w, b)
        return pullback(dy), conv_backward(dy, x, w, padding=((1, 1), (0, 0)), groups=2)

    derived, by_hand = both(x, w, b)
    assert_agree(derived, by_hand, 1e-14)


@ALL
def test_works_under_vmap(formulation: Formulation) -> None:
    x, w = jnp.asarray(normal(3, 2, 6, 6, 2)), jnp.asarray(normal(3, 3, 2, 2))
    op = partial(conv, padding="same", formulation=formulation)
    mapped = jax.jit(jax.vmap(op, (0, None)))(x, w)
    assert_agree(mapped, jax.jit(op)(x.reshape(6, 6, 6, 2), w).reshape(mapped.shape))


def test_good_sizes() -> None:
    assert [good_size(n) for n in (1, 7, 11, 13, 17, 31, 97)] == [1, 8, 12, 15, 18, 32, 100]
