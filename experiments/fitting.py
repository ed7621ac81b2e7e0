"""Mini-batch SGD as the course states it: sample, forward, backward, update. For networks of an experiment's own."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float, Int

import jcnn
from jcnn.compilation import compiler_options
from jcnn.layers import Network
from jcnn.training.evaluation import accuracy, make_predict
from jcnn.training.step import State, fastest_ops, updated


class Fit(NamedTuple):
    """A trained network: its parameters, and the loss of every step before its update."""

    params: Any
    losses: Float[np.ndarray, " steps"]


def fit(
    network: Network,
    images: Float[np.ndarray, "n h w c"],
    labels: Int[np.ndarray, " n"],
    *,
    seed: int,
    steps: int,
    rate: float,
    batch: int = 32,
    momentum: float = 0.9,
    params: Any = None,
) -> Fit:
    """Trains by SGD with momentum: v ← μ v + ∇loss, θ ← θ − rate · v, over batches drawn with replacement.

    Args:
        network: a tuple of layers.
        images: (N, H, W, C), pixels from 0 to 1.
        labels: (N,).
        seed: decides the first weights and the batches.
        steps: updates.
        rate: the learning rate.
        batch: images a step.
        momentum: μ.
        params: where to start; None: drawn from the seed.

    Returns:
        The last parameters and all losses.
    """
    key = jax.random.key(seed)
    x = jnp.asarray(images)
    if params is None:
        params = jcnn.init(jax.random.fold_in(key, 0), network, x.shape[1:], x.dtype)
    run = _compiled(tuple(network), steps, batch)
    params, losses = run(jax.random.fold_in(key, 1), params, x, jnp.asarray(labels), rate, momentum)
    return Fit(params, np.asarray(losses))


def descend(
    gradient: Callable[[Any, Any], tuple[Any, Any]], params: Any, batches: Any, transformation: optax.GradientTransformation
) -> tuple[Any, Any]:
    """One update a batch, by the house's own step.

    Args:
        gradient: `gradient(params, batch)`: what is to be kept of the step, such as the loss, and the loss's gradient.
        params: where to start.
        batches: along the first axis, what `gradient` takes.
        transformation: from gradients to updates.

    Returns:
        The last parameters, and what was kept of every step.
    """

    def step(state: State, batch: Any) -> tuple[State, Any]:
        kept, found = gradient(state.params, batch)
        return updated(state, found, transformation), kept

    state, kept = jax.lax.scan(step, State(params, transformation.init(params)), batches)
    return state.params, kept


def read_right(network: Network, params: Any, images: Float[np.ndarray, "n h w c"], labels: Int[np.ndarray, " n"]) -> float:
    """The part of the images that the network classifies right, 0 to 1."""
    return accuracy(_predict(tuple(network))(params, images), labels)


@cache
def _predict(network: Network) -> Callable[[Any, np.ndarray], np.ndarray]:
    return make_predict(network, "float32", fastest_ops())


@cache
def _compiled(network: Network, steps: int, batch: int) -> Any:
    ops = fastest_ops()

    def run(key: Array, params: Any, x: Array, labels: Array, rate: float, momentum: float) -> Any:
        def gradient(params: Any, key: Array) -> tuple[Array, Any]:
            chosen = jax.random.randint(key, (batch,), 0, len(x))
            return jcnn.value_and_grad(network, params, x[chosen], labels[chosen], ops=ops)

        return descend(gradient, params, jax.random.split(key, steps), optax.sgd(rate, momentum=momentum))

    return jax.jit(run, compiler_options=compiler_options())
