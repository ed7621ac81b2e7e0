"""Dropout: how much is kept, of what, the same way back, whatever dtype, mode and place."""

# Wrong types are among what is refused.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from tests.references import assert_agree, normal

KEY = jax.random.key(3)
X, DY = jnp.asarray(normal(4, 5, 6, 3)), jnp.asarray(normal(4, 5, 6, 3, seed=1))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_so_much_is_kept_and_enlarged(rate: float) -> None:
    """Within five standard deviations; the mean of what is not 0 tells the factor exactly."""
    x = jnp.ones((200, 500))
    y = np.asarray(jcnn.dropout(x, KEY, rate=rate))
    kept = (y != 0).mean()
    assert abs(kept - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / x.size)
    assert set(np.unique(y)) <= {0.0, 1 / (1 - rate)}


def test_the_mask_is_what_is_kept_and_the_way_back_has_the_same() -> None:
    keep = np.asarray(jcnn.dropout_mask(X, KEY, rate=0.3))
    y, pullback = jax.vjp(lambda x: jcnn.dropout(x, KEY, rate=0.3), X)
    np.testing.assert_array_equal(np.asarray(y) != 0, keep)
    by_hand = jcnn.dropout_backward(DY, X, KEY, rate=0.3)
    assert_agree(by_hand, np.where(keep, np.asarray(DY) / 0.7, 0))
    np.testing.assert_array_equal(by_hand, pullback(DY)[0])


def test_the_mask_hangs_on_key_shape_and_rate_alone() -> None:
    half = jcnn.dropout_mask(X.astype("bfloat16"), KEY, rate=0.3)
    with jax.enable_x64(False):
        single = jcnn.dropout_mask(X.astype("float32"), KEY, rate=0.3)
    mapped = jax.jit(jax.vmap(lambda key: jcnn.dropout_mask(X, key, rate=0.3)))(jnp.stack([KEY, jax.random.key(4)]))
    raw = jcnn.dropout_mask(X, np.asarray(jax.random.key_data(KEY)), rate=0.3)
    for other in (half, single, mapped[0], raw):
        np.testing.assert_array_equal(jcnn.dropout_mask(X, KEY, rate=0.3), other)
    assert (np.asarray(mapped[0]) != np.asarray(mapped[1])).any()


def test_more_is_dropped_at_a_higher_rate_of_the_same_key() -> None:
    few, many = (np.asarray(jcnn.dropout_mask(X, KEY, rate=rate)) for rate in (0.2, 0.6))
    assert (few >= many).all()
    assert few.sum() > many.sum()


def test_whole_maps() -> None:
    """Every map is kept or dropped whole, each example and channel by itself."""
    y = np.asarray(jcnn.dropout(jnp.ones((50, 3, 4, 40)), KEY, rate=0.5, spatial=True))
    maps = np.moveaxis(y, -1, 1).reshape(50, 40, 12)
    assert (maps == maps[:, :, :1]).all()
    kept = maps[:, :, 0] != 0
    assert abs(kept.mean() - 0.5) < 5 * 0.5 / np.sqrt(kept.size)
    assert len(np.unique(kept, axis=0)) == 50
    assert len(np.unique(kept, axis=1).T) == 40


def test_what_is_dropped_passes_nothing_on() -> None:
    x = jnp.full((64, 64), jnp.nan)
    keep = np.asarray(jcnn.dropout_mask(x, KEY, rate=0.5))
    np.testing.assert_array_equal(np.isnan(jcnn.dropout(x, KEY, rate=0.5)), keep)
    np.testing.assert_array_equal(np.isnan(jax.grad(lambda y: (jcnn.dropout(y, KEY, rate=0.5) * x).sum())(x)), keep)


def test_every_part_on_a_device_of_its_own_may_draw_for_itself() -> None:
    """Without a key of its own each would drop the same places."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    parts = jax.sharding.PartitionSpec("data")

    def drop(x: jax.Array) -> jax.Array:
        own = jax.random.fold_in(KEY, jax.lax.axis_index("data"))
        return jcnn.dropout(x, own, rate=0.5)

    y = jax.jit(jax.shard_map(drop, mesh=mesh, in_specs=parts, out_specs=parts))(jnp.ones((4, 64)))
    expected = [jcnn.dropout(jnp.ones((1, 64)), jax.random.fold_in(KEY, part), rate=0.5) for part in range(4)]
    np.testing.assert_array_equal(y, np.concatenate(expected))
    assert len(np.unique(np.asarray(y), axis=0)) == 4


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "rate 1": (lambda: jcnn.dropout(X, KEY, rate=1.0), ValueError, ["rate=1.0", "from 0 to below 1"]),
    "negative rate": (lambda: jcnn.dropout(X, KEY, rate=-0.1), ValueError, ["rate=-0.1", "below 1"]),
    "traced rate": (lambda: jax.jit(lambda rate: jcnn.dropout(X, KEY, rate=rate))(0.5), TypeError, ["rate=", "make it static"]),
    "seed": (lambda: jcnn.dropout(X, 3, rate=0.5), TypeError, ["key=3", "jax.random.key"]),
    "two keys": (lambda: jcnn.dropout(X, jax.random.split(KEY), rate=0.5), TypeError, ["expected one JAX random key"]),
    "no maps": (lambda: jcnn.dropout(X[0, 0], KEY, rate=0.5, spatial=True), ValueError, ["(6, 3)", "maps to drop"]),
    "integers": (lambda: jcnn.dropout(X.astype(int), KEY, rate=0.5), TypeError, ["x has dtype int64"]),
    "empty": (lambda: jcnn.dropout(X[:0], KEY, rate=0.5), ValueError, ["the batch is empty"]),
    "dy": (lambda: jcnn.dropout_backward(DY[1:], X, KEY, rate=0.5), ValueError, ["dy has shape (3, 5, 6, 3)", "dropout's"]),
}


@pytest.mark.parametrize(("call", "error", "pieces"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused_is_named(call: Callable[[], Any], error: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all(piece in str(caught.value) for piece in pieces), str(caught.value)
