"""Evaluation: every image counted once, in batches of one shape."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jcnn.compilation import compiler_options
from jcnn.data.batches import to_input
from jcnn.data.dataset import Dataset
from jcnn.data.memory_mapped import release, take_rows
from jcnn.layers import Network, Ops
from jcnn.network import Params, apply

BATCH_SIZE = 256

SAMPLE, SAMPLE_BYTES = 10_000, 1 << 28
"""Of many training images, how many are evaluated at most."""


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


def make_predict(network: Network, dtype: str, ops: Ops, *, flip: bool = False) -> Callable[..., np.ndarray]:
    """`predict(params, images, state=None)`: the logits of uint8 images (N, H, W, C), as float64; as of `jcnn.apply`.

    All batches have one shape, so one compilation serves them; the last is filled up and cut again.

    Args:
        network: the layers.
        dtype: of the parameters.
        ops: formulation and gradient.
        flip: whether to take the mean of the logits of every image and of its mirror image.
    """

    @partial(jax.jit, compiler_options=compiler_options())
    def forward(params: Params, images: np.ndarray, state: Any) -> jax.Array:
        x = to_input(images, jnp.dtype(dtype))
        logits = apply(network, params, x, ops=ops, state=state)
        return (logits + apply(network, params, x[..., ::-1, :], ops=ops, state=state)) / 2 if flip else logits

    def predict(params: Params, images: np.ndarray, state: Any = None) -> np.ndarray:
        size = min(BATCH_SIZE, len(images))
        logits = []
        for first in range(0, len(images), size):
            rows = np.minimum(np.arange(first, first + size), len(images) - 1)
            logits.append(forward(params, images[rows], state))
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


def evaluator(
    network: Network,
    dataset: Dataset,
    dtype: str,
    ops: Ops,
    *,
    flip: bool = False,
    predict: Callable[..., np.ndarray] | None = None,
) -> Callable[..., Evaluation]:
    """`evaluate` for one network and set, compiled once, as a function of params and, where layers keep one, state.

    Args:
        network: a tuple of layers.
        dataset: the images.
        dtype: of the parameters.
        ops: formulation of the operations.
        flip: as of `make_predict`.
        predict: what `make_predict` made of these before; sets that share it are compiled together.

    Raises:
        DataError: a set without images, or with a label that is none of its classes.
    """
    dataset.checked()
    predict = predict or make_predict(network, dtype, ops, flip=flip)
    return lambda params, state=None: evaluate(partial(predict, params, state=state), dataset)


class Occasional(NamedTuple):
    """An evaluation after every so many epochs, and after the last."""

    evaluate: Callable[..., Evaluation]
    every: int

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether it is made after this epoch, from 1, of so many."""
        return epoch % self.every == 0 or epoch == epochs


def unaugmented(
    network: Network, train: Dataset, dtype: str, ops: Ops, *, predict: Callable[..., np.ndarray] | None = None
) -> Occasional:
    """The evaluation of the training images as they are, as the network sees test images; arguments as `evaluator`.

    While it learns it sees them augmented, and before each update: what it gets right then is less than what it knows.
    """
    chosen = sample(train)
    # Forward alone is a third of a step: so often, evaluating takes at most 3 % of the time of the steps.
    every = -(-len(chosen.labels) * 100 // (9 * len(train.labels)))
    return Occasional(evaluator(network, chosen, dtype, ops, predict=predict), every)


def sample(dataset: Dataset) -> Dataset:
    """All images where they are at most 10,000 and 256 MB, otherwise so many of them, drawn at random, always the same."""
    count = len(dataset.labels)
    most = min(SAMPLE, max(1, SAMPLE_BYTES * count // max(dataset.images.nbytes, 1)))
    if count <= most:
        return dataset
    rows = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
    images = np.empty((most, *dataset.input_shape), dataset.images.dtype)
    take_rows(dataset.images, rows, images)
    return dataset._replace(images=images, labels=dataset.labels[rows])
