"""Averages of weights: their formulas in NumPy, in float32 whatever the weights are kept in."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jcnn.training.averaging import EMA, Averaging, Lookahead

RANDOM = np.random.default_rng(0)
STEPS = 23


def averaged(average: Averaging, updates: np.ndarray, dtype: Any = "float64") -> tuple[Any, Any]:
    """(average, weights) after weights ← weights + update in every step; a count goes along."""
    weights: Any = {"w": jnp.zeros(updates.shape[1:], dtype), "count": jnp.zeros((), jnp.int32)}
    kept = average.begin(weights)
    for step, update in enumerate(updates):
        weights = {"w": weights["w"] + jnp.asarray(update, dtype), "count": weights["count"] + 1}
        kept, weights = average.next(kept, weights, jnp.asarray(step))
    return kept, weights


def test_an_ema_is_its_formula() -> None:
    updates = RANDOM.normal(size=(STEPS, 3, 2))
    weights, mean = np.zeros((3, 2)), np.zeros((3, 2))
    for step, update in enumerate(updates):
        weights = weights + update
        decay = min(0.6, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weights
    kept, found = averaged(EMA(0.6), updates)
    np.testing.assert_allclose(kept["w"], mean, rtol=1e-6)  # decays are float32
    np.testing.assert_array_equal(found["w"], weights)


def test_lookahead_is_its_formula() -> None:
    updates = RANDOM.normal(size=(STEPS, 3, 2))
    fast, slow = np.zeros((3, 2)), np.zeros((3, 2))
    for step, update in enumerate(updates, 1):
        fast = fast + update
        if step % 4 == 0:
            slow = slow + 0.25 * (fast - slow)
            fast = slow
    kept, found = averaged(Lookahead(4, 0.25), updates)
    np.testing.assert_allclose(kept["w"], slow, rtol=1e-12)
    np.testing.assert_allclose(found["w"], fast, rtol=1e-12)


@pytest.mark.parametrize("average", [EMA(0.9), Lookahead(3)], ids=repr)
def test_averages_are_kept_in_float32_and_given_in_the_dtype_of_the_weights(average: Averaging) -> None:
    kept, weights = averaged(average, RANDOM.normal(size=(STEPS, 4)), "bfloat16")
    assert kept["w"].dtype == "float32"
    assert weights["w"].dtype == "bfloat16"
    result = average.result(kept, weights)
    np.testing.assert_array_equal(result["w"], kept["w"].astype("bfloat16"))
    assert result["w"].dtype == "bfloat16"


def test_small_steps_are_not_lost_in_a_mean_of_16_bit_weights() -> None:
    """1 + 0.001 · (2 − 1) is 1 in bfloat16."""
    weights = jnp.full(1, 2, "bfloat16")
    kept = EMA().begin(jnp.ones(1, "bfloat16"))
    for step in range(10_000, 10_100):
        kept, _ = EMA().next(kept, weights, jnp.asarray(step))
    np.testing.assert_allclose(kept, 2 - 0.999**100, rtol=1e-5)


@pytest.mark.parametrize("average", [EMA(), Lookahead()], ids=repr)
def test_counts_are_not_averaged(average: Averaging) -> None:
    kept, weights = averaged(average, np.zeros((10, 1)))
    assert kept["count"] == weights["count"] == 10
    assert kept["count"].dtype == "int32"


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        pytest.param(EMA, (1.0,), "^decay=1.0: expected a number from 0 to below 1", id="decay 1"),
        pytest.param(EMA, (-0.1,), "^decay=-0.1", id="negative decay"),
        pytest.param(EMA, ("x",), "^decay='x': expected a finite number", id="a word"),
        pytest.param(Lookahead, (0,), "^steps=0: expected an integer of at least 1", id="no steps"),
        pytest.param(Lookahead, (5, 0), "^pull=0: expected a number above 0", id="no pull"),
        pytest.param(Lookahead, (5, 1.5), "^pull=1.5", id="beyond"),
    ],
)
def test_numbers_out_of_range_are_refused(kind: Any, values: tuple[Any, ...], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        kind(*values)
