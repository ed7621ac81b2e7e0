"""The order of images is a permutation and a pure function of (seed, epoch)."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.data.batches import batch_indices, epoch_order, to_input


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10**6))
def test_an_order_is_a_permutation_and_repeats_itself(seed: int, epoch: int) -> None:
    order = np.asarray(epoch_order(seed, epoch, 97))
    assert sorted(order) == list(range(97))
    np.testing.assert_array_equal(order, jax.jit(epoch_order, static_argnums=2)(seed, epoch, 97))


def test_seeds_and_epochs_give_orders_of_their_own() -> None:
    orders = {tuple(np.asarray(epoch_order(seed, epoch, 50))) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_the_batches_of_an_epoch_do_not_overlap() -> None:
    order = epoch_order(0, 0, 50)
    batches = [np.asarray(batch_indices(order, position, 16)) for position in range(3)]
    np.testing.assert_array_equal(np.concatenate(batches), np.asarray(order)[:48])


def test_brightness_becomes_zero_to_one_in_the_dtype_asked_for() -> None:
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64):
        x = to_input(images, dtype)
        assert x.dtype == dtype
        np.testing.assert_allclose(x.astype(jnp.float64).ravel(), [0, 0.2, 1], rtol=float(jnp.finfo(dtype).eps))
