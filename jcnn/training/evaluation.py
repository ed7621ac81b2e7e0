"""Evaluation: every image counted once, in batches of one shape."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jcnn.compilation import compiler_options
from jcnn.data.batches import to_input
from jcnn.data.dataset import Dataset
from jcnn.data.memory_mapped import release
from jcnn.layers import Network, Ops
from jcnn.network import Params, apply

BATCH_SIZE = 256


class Evaluation(NamedTuple):
    """What a network says of every image of a set.

    Attributes:
        probabilities: (N, classes), float64.
        labels: (N,), the true classes.
        loss: the mean cross-entropy, in nats.
        accuracy: the part classified right, 0 to 1.
    """

    probabilities: Float[np.ndarray, "n classes"]
    labels: Int[np.ndarray, " n"]
    loss: float
    accuracy: float

    @property
    def right(self) -> int:
        """Images classified right."""
        return int((self.probabilities.argmax(-1) == self.labels).sum())

    @property
    def errors(self) -> int:
        """Images classified wrong."""
        return len(self.labels) - self.right


def make_predict(network: Network, dtype: str, ops: Ops) -> Callable[[Params, np.ndarray], np.ndarray]:
    """`predict(params, images)`: the logits of uint8 images (N, H, W, C), as float64.

    All batches have one shape, so one compilation serves them; the last is filled up and cut again.
    """

    @partial(jax.jit, compiler_options=compiler_options())
    def forward(params: Params, images: np.ndarray) -> jax.Array:
        return apply(network, params, to_input(images, jnp.dtype(dtype)), ops=ops)

    def predict(params: Params, images: np.ndarray) -> np.ndarray:
        size = min(BATCH_SIZE, len(images))
        logits = []
        for first in range(0, len(images), size):
            rows = np.minimum(np.arange(first, first + size), len(images) - 1)
            logits.append(forward(params, images[rows]))
            release(images)
        return np.concatenate([np.asarray(part, np.float64) for part in logits])[: len(images)]

    return predict


def evaluate(predict: Callable[[np.ndarray], np.ndarray], dataset: Dataset) -> Evaluation:
    """Loss, accuracy and probabilities over a whole set, means taken in float64."""
    logits = predict(dataset.images)
    loss = -_log_probabilities(logits)[np.arange(len(logits)), dataset.labels].mean()
    return Evaluation(probabilities(logits), dataset.labels, float(loss), accuracy(logits, dataset.labels))


def accuracy(logits: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> float:
    """The part of the images whose largest logit is that of their class, 0 to 1."""
    return float((logits.argmax(-1) == labels).mean())


def probabilities(logits: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """Softmax over the last axis, in float64."""
    return np.exp(_log_probabilities(logits))


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinite logits are NaN here, and whoever asked for them sees that
        shifted = logits - logits.max(-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def evaluator(network: Network, dataset: Dataset, dtype: str, ops: Ops) -> Callable[[Params], Evaluation]:
    """`evaluate` for one network and set, compiled once.

    Raises:
        DataError: a set without images, or with a label that is none of its classes.
    """
    dataset.checked()
    predict = make_predict(network, dtype, ops)
    return lambda params: evaluate(partial(predict, params), dataset)
