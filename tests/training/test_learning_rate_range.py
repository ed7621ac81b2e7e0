"""The range of learning rates: what steps it does, when it ends, and what it suggests."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jcnn import Conv, Dense, Flatten, Recipe, Relu, fit
from jcnn.data import load
from jcnn.data.batches import epoch_order
from jcnn.data.dataset import DataError
from jcnn.training import TrainingError, learning_rate_range
from jcnn.training.learning_rate_range import running_mean, suggestion

DIGITS = load("digits")
NETWORK = (Conv(4, 3), Relu(), Flatten(), Dense(10))
RECIPE = Recipe(batch_size=32, momentum=0.5)


def test_each_step_is_one_of_training_at_its_rate() -> None:
    """The losses are those of a run by an Optax optimiser that has these rates."""
    found = learning_rate_range(NETWORK, DIGITS, recipe=RECIPE, lowest=1e-4, highest=0.1, steps=20)
    np.testing.assert_allclose(found.rates, 1e-4 * 1000 ** (np.arange(20) / 19), rtol=1e-12)
    factor = np.log(1000) / 19
    own = optax.chain(
        optax.add_decayed_weights(1e-3, mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params)),
        optax.sgd(lambda step: 1e-4 * jnp.exp(factor * step), 0.5, nesterov=True),
    )
    with jax.numpy_dtype_promotion("standard"):
        chosen = np.sort(np.asarray(epoch_order(0, 0, len(DIGITS.images)))[: 20 * 32])
    images = DIGITS.images[chosen], DIGITS.labels[chosen]
    plain = Recipe(epochs=1, batch_size=32, optimizer=own)
    losses: list[float] = []
    fit(NETWORK, images, recipe=plain, callbacks=[lambda *told: losses.append(told[1]["loss"])])
    np.testing.assert_allclose(np.mean(found.losses), losses, rtol=1e-5)


def test_it_is_a_pure_function_and_suggests_a_rate_at_which_the_loss_falls() -> None:
    found = learning_rate_range(NETWORK, DIGITS, recipe=RECIPE, highest=100.0, steps=60)
    again = learning_rate_range(NETWORK, (DIGITS.images, DIGITS.labels), recipe=RECIPE, highest=100.0, steps=60)
    np.testing.assert_array_equal(found.losses, again.losses)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 60  # it ended where the loss led away
    assert 0.005 < found.suggested < 2  # 0.001 hardly moves this network, 10 destroys it


def test_the_mean_is_of_seven_as_far_as_there_are() -> None:
    losses = np.random.default_rng(0).random(12)
    expected = [losses[max(0, i - 3) : i + 4].mean() for i in range(12)]
    np.testing.assert_allclose(running_mean(losses), expected, rtol=1e-12)


def test_the_suggestion_is_a_quarter_of_the_rate_of_the_least_mean() -> None:
    rates = 10.0 ** np.linspace(-4, 1, 51)
    assert suggestion(rates, np.abs(np.log10(rates) + 1)) == pytest.approx(0.025)
    with pytest.raises(TrainingError, match=r"does not fall at any learning rate from 0\.0001 to 10: try a smaller lowest"):
        suggestion(rates, np.linspace(1, 2, 51))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        pytest.param({"lowest": 0.0}, ValueError, "^lowest=0, highest=10: expected 0 < lowest < highest", id="no rate"),
        pytest.param({"lowest": 1.0, "highest": 0.5}, ValueError, "^lowest=1, highest=0.5: expected", id="falling"),
        pytest.param({"highest": "much"}, TypeError, "^highest='much': expected a finite number", id="a word"),
        pytest.param({"steps": 9}, ValueError, "^steps=9: expected an integer of at least 10", id="few steps"),
        pytest.param({"recipe": Recipe(batch_size=0)}, ValueError, "^batch_size=0", id="a recipe out of range"),
        pytest.param({"recipe": 3}, TypeError, "^recipe=3: expected a jcnn.Recipe", id="no recipe"),
        pytest.param({"recipe": Recipe(optimizer=optax.lion(1e-4))}, ValueError, "^optimizer: expected", id="rates of its own"),
        pytest.param({"train": (DIGITS.images, DIGITS.labels + 1)}, DataError, "label 10 of image", id="labels"),
        pytest.param({"network": NETWORK[:1]}, ValueError, "^network ends in", id="a network that ends in maps"),
        pytest.param({"lowest": 1e8, "highest": 1e9}, TrainingError, "try a smaller lowest", id="beyond all bounds"),
    ],
)
def test_what_cannot_be_ranged_over_is_refused(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"network": NETWORK, "train": DIGITS, "recipe": replace(RECIPE), **changed}
    with pytest.raises(error, match=message):
        learning_rate_range(given.pop("network"), given.pop("train"), **given)
