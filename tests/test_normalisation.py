"""Normalisation: what its sets have in common afterwards, over mapped axes as over one batch, gradients by hand and by JAX.

Values and gradients against the textbook, in every dtype: `tests/check/selfcheck`. Against PyTorch: `tests/peers`.
"""

# Wrong types are among what is refused.
# pyright: reportArgumentType=false

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import jcnn
from tests.references import assert_agree, normal

Gradients = tuple[jax.Array, ...]

X, DY = jnp.asarray(3 * normal(4, 3, 2, 6) + 1), jnp.asarray(normal(4, 3, 2, 6, seed=1))
SCALE, OFFSET = jnp.asarray(normal(6, seed=2)), jnp.asarray(normal(6, seed=3))
MEAN, VARIANCE = jnp.asarray(normal(6, seed=4)), jnp.asarray(np.abs(normal(6, seed=5)))
EPSILON = 1e-3

OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[Any], Any]]] = {
    "batch": (jcnn.batch_norm, jcnn.batch_norm_backward, lambda x: x.reshape(24, 6).T),
    "pixels": (jcnn.layer_norm, jcnn.layer_norm_backward, lambda x: x.reshape(24, 6)),
    "examples": (
        partial(jcnn.layer_norm, axes="all"),
        partial(jcnn.layer_norm_backward, axes="all"),
        lambda x: x.reshape(4, 36),
    ),
    "groups": (
        partial(jcnn.group_norm, groups=3),
        partial(jcnn.group_norm_backward, groups=3),
        lambda x: np.moveaxis(x.reshape(4, 6, 3, 2), 2, 1).reshape(12, 12),
    ),
}
"""Forward, backward, and the sets that share statistics as rows."""
operations = pytest.mark.parametrize(("forward", "backward", "rows"), OPERATIONS.values(), ids=OPERATIONS)


@operations
def test_every_set_has_mean_0_and_almost_variance_1(forward: Any, backward: Any, rows: Any) -> None:  # noqa: ARG001
    y = rows(np.asarray(forward(X, jnp.ones(6), jnp.zeros(6), epsilon=EPSILON)))
    variance = rows(np.asarray(X)).var(1)
    assert_agree(y.mean(1) + 1, np.ones(len(y)))
    assert_agree(y.var(1), variance / (variance + EPSILON))


@operations
def test_what_a_set_has_in_common_gets_no_gradient(forward: Any, backward: Any, rows: Any) -> None:  # noqa: ARG001
    """Shifting or enlarging x changes nothing, so dx has no part along the ones, nor along x̂ but for ε."""
    dx = rows(np.asarray(backward(DY, X, SCALE, OFFSET, epsilon=EPSILON)[0]))
    x = rows(np.asarray(X))
    centred = x - x.mean(1, keepdims=True)
    normalised = centred / np.sqrt(x.var(1, keepdims=True) + EPSILON)
    assert_agree(dx.sum(1) + 1, np.ones(len(dx)))
    upstream = rows(np.asarray(DY) * np.asarray(SCALE))
    left = EPSILON / (x.var(1) + EPSILON) ** 1.5 * (upstream * normalised).sum(1)
    assert_agree((dx * normalised).sum(1) + 1, left + 1)


@operations
def test_by_hand_as_by_jax(forward: Any, backward: Any, rows: Any) -> None:  # noqa: ARG001
    _, pullback = jax.vjp(partial(forward, epsilon=EPSILON), X, SCALE, OFFSET)
    _, ruled = jax.vjp(partial(forward, epsilon=EPSILON, gradient="manual"), X, SCALE, OFFSET)
    by_hand = backward(DY, X, SCALE, OFFSET, epsilon=EPSILON)
    assert_agree(by_hand, pullback(DY))
    assert_agree(ruled(DY), by_hand)


def test_in_evaluation_by_hand_as_by_jax() -> None:
    args = (X, SCALE, OFFSET, MEAN, VARIANCE)
    _, pullback = jax.vjp(jcnn.batch_norm, *args)
    _, ruled = jax.vjp(partial(jcnn.batch_norm, gradient="manual"), *args)
    by_hand = jcnn.batch_norm_backward(DY, *args)
    assert len(by_hand) == 5
    assert_agree(by_hand, pullback(DY))
    assert_agree(ruled(DY), by_hand)


@pytest.mark.parametrize(("dtype", "digits"), [("bfloat16", 8), ("float32", 22), ("float64", 51)])
def test_the_batch_by_its_own_statistics(dtype: str, digits: int) -> None:
    """Of half precision too: the statistics lose none of the digits that they are summed in."""
    x, scale, offset = (array.astype(dtype) for array in (X, SCALE, OFFSET))
    given = jcnn.batch_norm(x, scale, offset, *jcnn.batch_statistics(x))
    assert_agree(given.astype("float64"), jcnn.batch_norm(x, scale, offset).astype("float64"), 2.0**-digits)


def test_special_cases_of_one_another() -> None:
    assert_agree(jcnn.group_norm(X, SCALE, OFFSET, groups=1), jcnn.layer_norm(X, SCALE, OFFSET, axes="all"))
    each = jax.vmap(lambda x: jcnn.batch_norm(x[None], SCALE, OFFSET)[0])
    assert_agree(jcnn.group_norm(X, SCALE, OFFSET, groups=6), each(X))
    flat = jcnn.batch_norm(X.reshape(24, 6), SCALE, OFFSET)
    assert_agree(jcnn.batch_norm(X, SCALE, OFFSET).reshape(24, 6), flat)


def test_statistics_of_half_precision_are_summed_in_float32() -> None:
    """4,096 ones: a sum in bfloat16 would end at 256, one in float16 at 2,048."""
    for dtype in ("bfloat16", "float16"):
        mean, variance = jcnn.batch_statistics(jnp.ones((4096, 1), dtype).at[0].set(3.0))
        assert mean.dtype == variance.dtype == "float32"
        assert float(mean[0]) == pytest.approx(4098 / 4096, rel=1e-6)
        assert float(variance[0]) == pytest.approx(4 / 4096 * (1 - 1 / 4096), rel=1e-4)


def test_half_precision_with_parameters_in_float32() -> None:
    x, dy = X.astype("bfloat16"), DY.astype("bfloat16")
    scale, offset = SCALE.astype("float32"), OFFSET.astype("float32")
    y = jcnn.batch_norm(x, scale, offset)
    dx, dscale, doffset = jcnn.batch_norm_backward(dy, x, scale, offset)
    assert (y.dtype, dx.dtype, dscale.dtype, doffset.dtype) == ("bfloat16", "bfloat16", "float32", "float32")
    derived = jax.vjp(jcnn.batch_norm, x, scale, offset)[1](dy)
    for one, other in zip((dx, dscale, doffset), derived, strict=True):
        assert one.dtype == other.dtype
        tolerance = 2.0**-8 if one.dtype == "bfloat16" else 2.0**-20
        assert_agree(one.astype("float64"), other.astype("float64"), tolerance)


def test_numbers_that_are_all_alike_become_the_offset() -> None:
    x = jnp.full((3, 2, 4), 7.0)
    dx, dscale, _ = jcnn.batch_norm_backward(jnp.ones((3, 2, 4)), x, jnp.ones(4), jnp.ones(4))
    assert (jcnn.batch_norm(x, jnp.ones(4), jnp.full(4, 0.5)) == 0.5).all()
    assert (dx == 0).all()
    assert (dscale == 0).all()


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_second_derivatives(gradient: Any) -> None:
    def loss(x: jax.Array) -> jax.Array:
        return (jcnn.batch_norm(x, SCALE, OFFSET, gradient=gradient) ** 3).sum()

    def slope(x: jax.Array) -> jax.Array:
        return (jax.grad(loss)(x) * DY).sum()

    step = 1e-5
    numeric = (slope(X + step * DY) - slope(X - step * DY)) / (2 * step)
    assert float((jax.grad(slope)(X) * DY).sum()) == pytest.approx(float(numeric), rel=1e-7)


def split(array: jax.Array) -> jax.Array:
    return array.reshape(2, 2, *array.shape[1:])


WHOLE: Gradients = jcnn.batch_norm_backward(DY, X, SCALE, OFFSET)


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_statistics_over_a_mapped_axis(gradient: Any) -> None:
    """Each of two halves of the batch sees the statistics of both, forward and, whichever way, back."""
    operation = partial(jcnn.batch_norm, axis_name="half", gradient=gradient)
    mapped = jax.vmap(operation, (0, None, None), axis_name="half")
    y, pullback = jax.vjp(mapped, split(X), SCALE, OFFSET)
    assert_agree(y.reshape(X.shape), jcnn.batch_norm(X, SCALE, OFFSET))
    dx, dscale, doffset = pullback(split(DY))
    assert_agree((dx.reshape(X.shape), dscale, doffset), WHOLE)

    def inside(x: jax.Array, dy: jax.Array) -> Gradients:
        return jax.vjp(operation, x, SCALE, OFFSET)[1](dy)

    by_parts(jax.vmap(inside, axis_name="half")(split(X), split(DY)))


def by_parts(gradients: Gradients) -> None:
    """dx of the whole batch; of scale and offset a share from each part."""
    dx, dscale, doffset = gradients
    assert_agree((dx.reshape(X.shape), dscale.sum(0), doffset.sum(0)), WHOLE)


def test_the_backward_over_a_mapped_axis() -> None:
    backward = partial(jcnn.batch_norm_backward, axis_name="half")
    by_parts(jax.vmap(backward, (0, 0, None, None), axis_name="half")(split(DY), split(X), SCALE, OFFSET))
    mean, variance = jax.vmap(partial(jcnn.batch_statistics, axis_name="half"), axis_name="half")(split(X))
    assert_agree((mean[0], variance[1]), jcnn.batch_statistics(X))


def test_over_two_mapped_axes() -> None:
    rows = jax.vmap(partial(jcnn.batch_norm, axis_name=("a", "b")), (0, None, None), axis_name="a")
    both = jax.vmap(rows, (0, None, None), axis_name="b")
    assert_agree(both(X.reshape(2, 2, 1, 3, 2, 6), SCALE, OFFSET).reshape(X.shape), jcnn.batch_norm(X, SCALE, OFFSET))


def test_mean_and_variance_that_are_given_need_no_axis() -> None:
    given = jcnn.batch_norm(X, SCALE, OFFSET, MEAN, VARIANCE, axis_name="nowhere")
    np.testing.assert_array_equal(given, jcnn.batch_norm(X, SCALE, OFFSET, MEAN, VARIANCE))


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "unchecked"])
@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_statistics_over_four_devices(gradient: Any, checked: bool) -> None:
    """The gradient within `shard_map` and of it; with its checks JAX sums the gradients of what is alike everywhere."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    parts, alike = PartitionSpec("data"), PartitionSpec()
    operation = partial(jcnn.batch_norm, axis_name="data", gradient=gradient)

    def on_devices(function: Callable[..., Any], *out: PartitionSpec) -> Callable[..., Any]:
        outputs: Any = out if len(out) > 1 else next(iter(out))
        specs = {"in_specs": (parts, alike, alike, parts), "out_specs": outputs}
        return jax.jit(jax.shard_map(function, mesh=mesh, check_vma=checked, **specs))

    def inside(x: jax.Array, scale: jax.Array, offset: jax.Array, dy: jax.Array) -> Gradients:
        return jax.vjp(operation, x, scale, offset)[1](dy)

    forward = on_devices(lambda x, scale, offset, _: operation(x, scale, offset), parts)
    assert_agree(forward(X, SCALE, OFFSET, DY), jcnn.batch_norm(X, SCALE, OFFSET))
    outside = jax.grad(lambda *args: (forward(*args, DY) * DY).sum(), (0, 1, 2))
    assert_agree(outside(X, SCALE, OFFSET), WHOLE)
    if checked:
        assert_agree(on_devices(inside, parts, alike, alike)(X, SCALE, OFFSET, DY), WHOLE)
    else:
        dx, dscale, doffset = on_devices(inside, parts, parts, parts)(X, SCALE, OFFSET, DY)
        by_parts((dx, dscale.reshape(4, 6), doffset.reshape(4, 6)))


@operations
def test_a_program_for_any_number_of_examples(forward: Any, backward: Any, rows: Any) -> None:  # noqa: ARG001
    batch = jax.ShapeDtypeStruct(jax.export.symbolic_shape("n, 3, 2, 6"), "float64")
    program = jax.export.export(jax.jit(forward))(batch, SCALE, OFFSET)
    assert_agree(program.call(X, SCALE, OFFSET), forward(X, SCALE, OFFSET))


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (2, 1, 1, 3), (1, 1, 2, 1, 3)], ids=str)
def test_every_rank(shape: tuple[int, ...]) -> None:
    x, axes = jnp.asarray(normal(*shape)), tuple(range(len(shape) - 1))
    mean, variance = jcnn.batch_statistics(x)
    assert_agree((mean, variance), (np.asarray(x).mean(axes), np.asarray(x).var(axes)))
    assert math.prod(jcnn.batch_norm(x, jnp.ones(3), jnp.zeros(3)).shape) == x.size


ONE = jnp.ones((1, 1, 6))
ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "rank": (lambda: jcnn.batch_norm(X[0, 0, 0], SCALE, OFFSET), ValueError, ["x has shape (6,)", "x[None] adds a batch axis"]),
    "empty": (lambda: jcnn.layer_norm(X[:0], SCALE, OFFSET), ValueError, ["the batch is empty"]),
    "integers": (lambda: jcnn.batch_norm(X.astype(int), SCALE, OFFSET), TypeError, ["x has dtype int64", "float32"]),
    "scale": (lambda: jcnn.batch_norm(X, SCALE[:5], OFFSET), ValueError, ["scale has shape (5,)", "expected (6,)"]),
    "offset": (
        lambda: jcnn.group_norm(X, SCALE, OFFSET.astype("float32"), groups=2),
        TypeError,
        ["x float64", "offset float32"],
    ),
    "narrow": (
        lambda: jcnn.batch_norm(X.astype("float32"), SCALE.astype("bfloat16"), OFFSET),
        TypeError,
        ["x float32", "scale bfloat16"],
    ),
    "mean alone": (lambda: jcnn.batch_norm(X, SCALE, OFFSET, MEAN), ValueError, ["variance=None with a mean", "both"]),
    "variance alone": (
        lambda: jcnn.batch_norm_backward(DY, X, SCALE, OFFSET, None, VARIANCE),
        ValueError,
        ["mean=None with a variance"],
    ),
    "negative variance": (
        lambda: jcnn.batch_norm(X, SCALE, OFFSET, MEAN, VARIANCE.at[2].set(-1.0)),
        ValueError,
        ["variance[2] = -1.0", "expected 0 or more"],
    ),
    "epsilon 0": (lambda: jcnn.batch_norm(X, SCALE, OFFSET, epsilon=0), ValueError, ["epsilon=0", "above 0"]),
    "epsilon that is 0 in float32": (
        lambda: jcnn.layer_norm(*(a.astype("float32") for a in (X, SCALE, OFFSET)), epsilon=1e-50),
        ValueError,
        ["epsilon=1e-50", "1.18e-38", "float32"],
    ),
    "epsilon text": (lambda: jcnn.batch_norm(X, SCALE, OFFSET, epsilon="small"), TypeError, ["epsilon='small'"]),
    "one value": (lambda: jcnn.batch_norm(ONE, SCALE, OFFSET), ValueError, ["(1, 1, 6)", "one value", "mean and variance"]),
    "one value a pixel": (
        lambda: jcnn.layer_norm(X[..., :1], SCALE[:1], OFFSET[:1]),
        ValueError,
        ["(4, 3, 2, 1)", 'axes="all"'],
    ),
    "one value a group": (lambda: jcnn.group_norm(ONE, SCALE, OFFSET, groups=6), ValueError, ["fewer groups"]),
    "axes": (lambda: jcnn.layer_norm(X, SCALE, OFFSET, axes="pixels"), ValueError, ["axes='pixels'", "'channels' or 'all'"]),
    "groups": (lambda: jcnn.group_norm(X, SCALE, OFFSET, groups=4), ValueError, ["groups=4", "a divisor", "(4, 3, 2, 6)"]),
    "no groups": (lambda: jcnn.group_norm(X, SCALE, OFFSET, groups=0), ValueError, ["groups=0", "at least 1"]),
    "no axis": (
        lambda: jcnn.batch_norm(X, SCALE, OFFSET, axis_name="batch"),
        ValueError,
        ["axis_name='batch'", "axis_name of a jax.vmap", "jax.shard_map"],
    ),
    "axis by number": (lambda: jcnn.batch_statistics(X, axis_name=0), TypeError, ["axis_name=0", "a name"]),
    "gradient": (lambda: jcnn.batch_norm(X, SCALE, OFFSET, gradient="hand"), ValueError, ["gradient='hand'"]),
    "dy": (
        lambda: jcnn.layer_norm_backward(DY[1:], X, SCALE, OFFSET),
        ValueError,
        ["dy has shape (3, 3, 2, 6)", "layer_norm's"],
    ),
    "dy of groups": (
        lambda: jcnn.group_norm_backward(DY[1:], X, SCALE, OFFSET, groups=2),
        ValueError,
        ["group_norm's", "groups=2"],
    ),
}


@pytest.mark.parametrize(("call", "error", "pieces"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused_is_named(call: Callable[[], Any], error: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all(piece in str(caught.value) for piece in pieces), str(caught.value)


def test_no_forward_mode_by_hand() -> None:
    with pytest.raises(TypeError, match="no forward mode"):
        jax.jvp(lambda x: jcnn.batch_norm(x, SCALE, OFFSET, gradient="manual"), (X,), (X,))
