"""The native convolution: the definition's values and gradients, under every transformation, from several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from jcnn import conv, conv_backward
from jcnn.conv import native
from jcnn.conv.native import conv_native
from jcnn.definition import conv_backward_definition, conv_definition
from jcnn.window import parse_window
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, normal

INSTALLED = pytest.mark.skipif(not native.available(), reason=f"no native convolution: {native.missing()}")
UNIT = 2.0**-24
GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6), (4, 4, 4), (1, 8, 16), (1, 17, 9)])  # (groups, C_in, C_out)


def single(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(normal(*shape, seed=seed), jnp.float32)


def assert_sums(actual: Any, exact: Any, magnitude: Any, terms: int) -> None:
    """Within what rounding in float32 can do to sums of so many products, in any order."""
    assert actual.dtype == jnp.float32
    assert actual.shape == exact.shape
    assert (np.abs(np.asarray(actual, np.float64) - exact) <= (terms + 2) * UNIT * magnitude).all()


@INSTALLED
@pytest.mark.parametrize("rank", [1, 2, 3])
@given(data=st.data(), channels=GROUPS)
@draws(parts=4)
def test_it_is_the_definition(rank: int, data: st.DataObject, channels: tuple[int, int, int]) -> None:
    geometry: Geometry = data.draw(geometries((rank,)))
    n = data.draw(st.integers(1, 5))
    groups, c_in, c_out = channels
    options: dict[str, Any] = {**geometry.options, "groups": groups}
    x, w = single(n, *geometry.sizes, c_in), single(*geometry.window, c_in // groups, c_out)
    dy = single(n, *geometry.outputs, c_out, seed=1)
    y, pullback = jax.vjp(partial(conv, formulation="native", gradient="manual", **options), x, w)
    arrays = [np.asarray(a, np.float64) for a in (dy, x, w)]

    for result, take in ((y, slice(0, 1)), (pullback(dy), slice(1, 3))):
        found = result if isinstance(result, tuple) else (result,)
        exact, sizes = (everything(options, *each)[take] for each in (arrays, map(np.abs, arrays)))
        for actual, expected, size in zip(found, exact, sizes, strict=True):
            assert_sums(actual, expected, size, max(w[..., 0].size, w[..., 0, :].size, dy[..., 0].size))


def everything(options: dict[str, Any], dy: Any, x: Any, w: Any) -> tuple[Any, Any, Any]:
    dx, dw, _ = conv_backward_definition(dy, x, w, **options)
    return conv_definition(x, w, **options), dx, dw


@INSTALLED
@pytest.mark.parametrize("n", [1, 2, 3, 7, 33, 64])
def test_batches_that_do_not_divide_evenly(n: int) -> None:
    x, w, dy = single(n, 9, 7, 3), single(3, 3, 3, 8), single(n, 9, 7, 8, seed=1)
    y, pullback = jax.vjp(partial(conv, padding="same", formulation="native"), x, w)
    arrays = [np.asarray(a, np.float64) for a in (dy, x, w)]
    exact, sizes = (everything({"padding": "same"}, *each) for each in (arrays, map(np.abs, arrays)))
    for actual, expected, size in zip((y, *pullback(dy)), exact, sizes, strict=True):
        assert_sums(actual, expected, size, n * 9 * 7 + 72)


def loss(formulation: Any, gradient: Any, x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
    options: Any = {"stride": (2, 1), "padding": ((0, 1), (2, 1)), "groups": 2}
    return jnp.sin(conv(x, w, b, **options, formulation=formulation, gradient=gradient)).sum()


def in_while_loop(f: Callable[..., jax.Array]) -> Callable[..., Any]:
    def run(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        def body(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return carry[0] + 1, carry[1] - jnp.float32(0.1) * jax.grad(f, 1)(x, carry[1], b)

        return jax.lax.while_loop(lambda carry: carry[0] < 3, body, (jnp.int32(0), w))[1]

    return jax.jit(run)


def sharded(f: Callable[..., jax.Array]) -> Callable[..., Any]:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    batch, shared = PartitionSpec("data"), PartitionSpec()

    @partial(jax.shard_map, mesh=mesh, in_specs=(batch, shared, shared), out_specs=(batch, shared, shared))
    def run(x: jax.Array, w: jax.Array, b: jax.Array) -> Any:
        w, b = (jax.lax.pcast(a, "data", to="varying") for a in (w, b))
        dx, dw, db = jax.grad(f, (0, 1, 2))(x, w, b)
        return dx, jax.lax.psum(dw, "data"), jax.lax.psum(db, "data")

    return jax.jit(run)


def squares(f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda *args: jnp.stack([(g**2).sum() for g in jax.grad(f, (0, 1, 2))(*args)]).sum()


TRANSFORMS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "grad": lambda f: jax.grad(f, (0, 1, 2)),
    "jit": lambda f: jax.jit(jax.grad(f, (0, 1, 2))),
    "vmap-images": lambda f: jax.jit(jax.vmap(lambda x, w, b: jax.grad(f, (0, 1, 2))(x[None], w, b), (0, None, None))),
    "vmap-filters": lambda f: jax.vmap(jax.grad(f, (0, 1, 2)), (None, 0, None)),
    "vmap-both": lambda f: jax.vmap(lambda x, w, b: jax.grad(f, (0, 1, 2))(x[None], w, b), (0, 0, None)),
    "second-order": lambda f: jax.jit(jax.grad(squares(f), (0, 1, 2))),
    "while_loop": in_while_loop,
    "shard_map": sharded,
}


@INSTALLED
@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_through_jax(transform: str, gradient: str) -> None:
    x, w, b = single(4, 6, 5, 4), single(3, 2, 2, 6), single(6)
    if transform in ("vmap-filters", "vmap-both"):
        w = jnp.stack([w, -w, w + 1, 2 * w])
    found = TRANSFORMS[transform](partial(loss, "native", gradient))(x, w, b)
    expected = TRANSFORMS[transform](partial(loss, "lax", "autodiff"))(x, w, b)
    for actual, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # Sums of at most 240 terms, one on another, and a sine between them.
        np.testing.assert_allclose(actual, other, rtol=0, atol=240 * UNIT * float(jnp.abs(other).max()))


@INSTALLED
def test_an_image_mapped_is_one_call_with_more_examples() -> None:
    x, w = single(3, 2, 6, 6, 2), single(3, 3, 2, 2)
    window = parse_window((6, 6), (3, 3))
    program = str(jax.make_jaxpr(jax.vmap(lambda x: conv_native(x, w, window, 1)))(x))
    assert "f32[6,4,4,2]" in program
    assert "scan" not in program


@INSTALLED
def test_two_threads_at_once() -> None:
    x, w = single(16, 14, 14, 8), single(3, 3, 8, 16)
    window = parse_window((14, 14), (3, 3), padding=1)

    @jax.jit
    def everything(x: jax.Array) -> Any:
        y = conv_native(x, w, window, 1)
        return y, native.input_gradient(y, w, window, 1, (14, 14)), native.filter_gradient(y, x, window, 1)

    alone = [everything(x + i) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: jax.block_until_ready(everything(x + i % 4)), range(64)))
    for i, found in enumerate(together):
        for actual, expected in zip(found, alone[i % 4], strict=True):
            np.testing.assert_array_equal(actual, expected)


@INSTALLED
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32"])
def test_other_dtypes_go_to_lax(dtype: str) -> None:
    x, w = (jnp.ones(shape, dtype) for shape in ((1, 5, 5, 2), (3, 3, 2, 2)))
    y = conv(x, w, formulation="native", gradient="manual")
    assert y.dtype == dtype
    assert (y == 18).all()
    if dtype != "int32":
        dx = jax.grad(lambda x: conv(x, w, formulation="native", gradient="manual").sum())(x)
        np.testing.assert_array_equal(dx, conv_backward(jnp.ones_like(y), x, w)[0])


@INSTALLED
def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="the batch is empty"):
        conv(jnp.ones((0, 5, 5, 1), jnp.float32), jnp.ones((3, 3, 1, 1), jnp.float32), formulation="native")


@INSTALLED
def test_what_does_not_fit_is_an_error_not_a_crash() -> None:
    call: Any = jax.ffi.ffi_call("jcnn_native_forward", jax.ShapeDtypeStruct((1, 5, 5, 1), jnp.float32))
    axes = {name: np.array([value, value]) for name, value in (("stride", 1), ("before", 0), ("after", 0), ("dilation", 1))}
    with pytest.raises(Exception, match="y does not have the size that the window gives"):
        call(single(1, 5, 5, 1), single(3, 3, 1, 1), **axes, groups=np.int64(1)).block_until_ready()


def test_where_it_is_missing_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "missing", lambda: "No module named 'jcnn_native'")
    assert not native.available()
    with pytest.raises(ValueError, match=r"formulation='native': No module named 'jcnn_native'; `make native`"):
        conv(single(1, 5, 5, 1), single(3, 3, 1, 1), formulation="native")
