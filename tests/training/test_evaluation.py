"""Evaluation counts every image once, whatever the size of the set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import Dense, Flatten, Ops, apply, init, softmax_cross_entropy
from jcnn.data import load
from jcnn.data.batches import to_input
from jcnn.data.dataset import DataError
from jcnn.training.evaluation import BATCH_SIZE, evaluator

NETWORK = (Flatten(), Dense(10))


@pytest.mark.parametrize("count", [1, 10, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE + 3])
def test_every_image_counts_once(count: int) -> None:
    digits = load("digits")
    part = digits._replace(images=digits.images[:count], labels=digits.labels[:count])
    params = init(jax.random.key(0), NETWORK, (8, 8, 1), jnp.float64)
    result = evaluator(NETWORK, part, "float64", Ops())(params)
    logits = apply(NETWORK, params, to_input(part.images, jnp.float64))
    assert result.probabilities.shape == (count, 10)
    assert result.errors == int((np.asarray(logits).argmax(-1) != part.labels).sum())
    assert result.accuracy == (count - result.errors) / count
    np.testing.assert_allclose(result.loss, softmax_cross_entropy(logits, jnp.asarray(part.labels)).mean(), rtol=1e-13)
    np.testing.assert_allclose(result.probabilities, jax.nn.softmax(logits), rtol=1e-13)


def test_no_images_and_labels_of_no_class_are_refused() -> None:
    digits = load("digits")
    for part, message in (
        (digits._replace(images=digits.images[:0], labels=digits.labels[:0]), "the train images of digits: there are none"),
        (digits._replace(labels=digits.labels + 1), "label 10 of image .* is out of range"),
    ):
        with pytest.raises(DataError, match=message):
            evaluator(NETWORK, part, "float32", Ops())
