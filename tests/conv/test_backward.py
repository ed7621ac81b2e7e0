"""The gradients of convolution by hand, against jax.vjp, wherever they can be called."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from jcnn import conv, conv_backward
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, levels, normal

GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])
Loss = Callable[..., jax.Array]


@given(geometries(), GROUPS)
@settings(max_examples=40)
def test_by_hand_is_what_jax_derives(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    groups, c_in, c_out = channels
    options: Any = {**geometry.options, "groups": groups}
    x, w, b = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out), normal(c_out)
    dy = normal(2, *geometry.outputs, c_out, seed=1)

    @jax.jit
    def both(dy: jax.Array, *args: jax.Array) -> tuple[Any, Any]:
        _, pullback = jax.vjp(partial(conv, **options), *args)
        return conv_backward(dy, *args[:2], **options), pullback(dy)

    assert_agree(*both(dy, x, w, b))


@pytest.fixture
def arrays() -> tuple[jax.Array, ...]:
    return jnp.asarray(normal(4, 6, 5, 4)), jnp.asarray(normal(3, 2, 2, 6)), jnp.asarray(normal(6))


def loss(gradient: Any, x: jax.Array, w: jax.Array, b: jax.Array | None) -> jax.Array:
    """Not linear in the output, so that every output has a gradient of its own."""
    return jnp.sin(conv(x, w, b, stride=(2, 1), padding=((0, 1), (2, 1)), groups=2, gradient=gradient)).sum()


def in_scan(function: Loss) -> Callable[..., Any]:
    """Three steps of gradient descent on the filters."""

    def run(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda w, _: (w - 0.1 * jax.grad(function, 1)(x, w, b), None), w, length=3)[0]

    return jax.jit(run)


def sharded(function: Loss) -> Callable[..., Any]:
    """The batch over four devices, the gradients of the shared arguments summed over them."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    batch, shared = PartitionSpec("data"), PartitionSpec()

    @partial(jax.shard_map, mesh=mesh, in_specs=(batch, shared, shared), out_specs=(batch, shared, shared))
    def run(x: jax.Array, w: jax.Array, b: jax.Array) -> Any:
        # Marked as varying, each device derives its own share; without, jax itself would sum over the devices.
        w, b = (jax.lax.pcast(a, "data", to="varying") for a in (w, b))
        dx, dw, db = jax.grad(function, (0, 1, 2))(x, w, b)
        return dx, jax.lax.psum(dw, "data"), jax.lax.psum(db, "data")

    return jax.jit(run)


TRANSFORMS: dict[str, Callable[[Loss], Callable[..., Any]]] = {
    "grad": lambda f: jax.grad(f, (0, 1, 2)),
    "jit": lambda f: jax.jit(jax.grad(f, (0, 1, 2))),
    "vmap": lambda f: jax.jit(jax.vmap(lambda x, w, b: jax.grad(f, (0, 1, 2))(x[None], w, b), (0, None, None))),
    "scan": in_scan,
    "second-order": lambda f: jax.jit(
        jax.grad(lambda *args: sum((g**2).sum() for g in jax.grad(f, (0, 1, 2))(*args)), (0, 1, 2))
    ),
    "shard_map": sharded,
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_manual_gradient_through_jax(transform: str, arrays: tuple[jax.Array, ...]) -> None:
    derive = TRANSFORMS[transform]
    manual, automatic = (derive(partial(loss, gradient))(*arrays) for gradient in ("manual", "autodiff"))
    assert_agree(manual, automatic, 1e-11 if transform in {"scan", "second-order"} else 1e-12)  # many sums, one on another


def test_sharded_gradient_is_that_of_one_device(arrays: tuple[jax.Array, ...]) -> None:
    function = partial(loss, "manual")
    assert_agree(sharded(function)(*arrays), jax.grad(function, (0, 1, 2))(*arrays))


def test_manual_gradient_without_a_bias(arrays: tuple[jax.Array, ...]) -> None:
    x, w, _ = arrays
    manual, automatic = (jax.grad(partial(loss, gradient), (0, 1))(x, w, None) for gradient in ("manual", "autodiff"))
    assert_agree(manual, automatic)


def test_manual_gradient_has_no_forward_mode(arrays: tuple[jax.Array, ...]) -> None:
    with pytest.raises(TypeError, match="has no forward mode"):
        jax.jvp(partial(loss, "manual"), arrays, arrays)


def test_pixels_no_window_touched_have_no_gradient() -> None:
    x, w = normal(1, 8, 1), normal(2, 1, 1)
    dx, _, _ = conv_backward(np.ones((1, 2, 1)), x, w, stride=5)
    assert_agree(dx[0, :, 0], [w[0, 0, 0], w[1, 0, 0], 0, 0, 0, w[0, 0, 0], w[1, 0, 0], 0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_floating_dtypes_keep_their_accuracy(dtype: str) -> None:
    """At most 242 products a sum, each rounded in float32; each result once in `dtype`."""
    x, w, dy = (jnp.asarray(a, dtype) for a in (normal(2, 12, 12, 3), normal(2, 2, 3, 4), normal(2, 11, 11, 4)))
    wide = [np.asarray(a.astype(jnp.float64)) for a in (dy, x, w)]
    inner, outer = float(jnp.finfo(jnp.float32).eps), float(jnp.finfo(dtype).eps)
    backward = jax.jit(conv_backward)
    exact, magnitude = backward(*wide), backward(*map(np.abs, wide))
    for actual, expected, terms in zip(backward(dy, x, w), exact, magnitude, strict=True):
        assert actual.dtype == dtype
        error = np.abs(actual.astype(jnp.float64) - expected)
        assert (error <= 242 * inner * terms + outer * np.abs(expected)).all()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_exact(dtype: str) -> None:
    x, w, dy = levels(2, 5, 5, 2), levels(3, 3, 2, 2), levels(2, 2, 2, 2)
    exact = conv_backward(*(a.astype(dtype) for a in (dy, x, w)), stride=2)
    for actual, expected in zip(exact, conv_backward(dy, x, w, stride=2), strict=True):
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, expected)
