"""Evaluation counts every image once, whatever the size of the set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import Dense, Flatten, Ops, apply, init, softmax_cross_entropy
from jcnn.data import load
from jcnn.data.batches import to_input
from jcnn.data.dataset import DataError
from jcnn.training import evaluation
from jcnn.training.evaluation import BATCH_SIZE, Occasional, evaluator, make_predict, sample, unaugmented

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


def test_training_images_are_evaluated_as_they_are_and_at_most_for_3_percent_of_the_time() -> None:
    digits = load("digits")
    params = init(jax.random.key(0), NETWORK, (8, 8, 1), jnp.float64)
    found = unaugmented(NETWORK, digits, "float64", Ops())
    logits = make_predict(NETWORK, "float64", Ops())(params, digits.images)
    assert found.evaluate(params).right == int((logits.argmax(-1) == digits.labels).sum())
    for count, epochs in ((1438, 100), (60_000, 10), (10, 3), (2_000_000, 1)):
        many = digits._replace(images=np.zeros((count, 2, 2, 1), np.uint8), labels=np.zeros(count, np.int32))
        found = unaugmented(NETWORK, many, "float64", Ops())
        made = [epoch for epoch in range(1, epochs + 1) if found.due(epoch, epochs)]
        assert made[-1] == epochs
        # Forward alone is a third of a step; the last one is always made.
        assert (len(made) - 1) * min(count, 10_000) / 3 <= 0.03 * epochs * count


def test_after_which_epochs() -> None:
    assert [epoch for epoch in range(1, 9) if Occasional(lambda _: None, 3).due(epoch, 8)] == [3, 6, 8]  # pyright: ignore[reportArgumentType]


def test_of_many_images_a_sample_that_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load("digits")
    assert sample(digits) is digits
    for name, value, count in (("SAMPLE", 300, 300), ("SAMPLE_BYTES", 64 * 200 + 63, 200)):
        with monkeypatch.context() as changed:
            changed.setattr(evaluation, name, value)
            drawn, again = sample(digits), sample(digits)
        assert len(drawn.images) == len(drawn.labels) == count
        np.testing.assert_array_equal(drawn.images, again.images)
        rows = [np.flatnonzero((digits.images == image).all((1, 2, 3)))[0] for image in drawn.images]
        assert len(set(rows)) == count
        np.testing.assert_array_equal(digits.labels[rows], drawn.labels)
        shares = np.bincount(drawn.labels) / count
        assert shares.min() > 0.04  # of every class some, whatever the order of the images
